//! Which format a scraper is answered in: content negotiation by RFC 9110 §12.5.1, for two formats.
//!
//! Decides from the `Accept` header alone. Protobuf is answered only to who names it whole
//! (`proto` and `encoding` included) and gives it the higher quality: everybody else gets text,
//! also those who accept neither, as a person with a browser does. It encodes nothing.

use crate::limits::{ACCEPT_BYTES_MAX, ACCEPT_RANGES_MAX};

/// The formats of a scrape. Both say the same; only protobuf can carry native histograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics text.
    Text,
    /// Length-delimited `io.prometheus.client.MetricFamily` messages.
    Protobuf,
}

/// What a media range says of one format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    /// 3 names the type, 2 its family, 1 anything: the most exact range decides.
    exactness: u8,
    /// In thousandths; 0 refuses.
    quality: u16,
}

impl Exposition {
    /// The better of the two for the lines of a request's `Accept` header. Equal wishes go to the
    /// format named more exactly, then to text.
    pub fn preferred<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut left = ACCEPT_BYTES_MAX;
        let mut wishes: [Option<Wish>; 2] = [None, None];
        let ranges = lines
            .take_while(|line| {
                let fits = line.len() <= left;
                left = left.saturating_sub(line.len());
                fits
            })
            .flat_map(|line| line.split(','));
        for range in ranges.take(ACCEPT_RANGES_MAX) {
            let [text, protobuf] = read(range);
            wishes = [wishes[0].max(text), wishes[1].max(protobuf)];
        }
        let rank = |wish: Option<Wish>| wish.map_or((0, 0), |wish| (wish.quality, wish.exactness));
        let (text, protobuf) = (rank(wishes[0]), rank(wishes[1]));
        if protobuf.0 > 0 && protobuf > text { Self::Protobuf } else { Self::Text }
    }

    /// The answer's `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
                 encoding=delimited"
            }
        }
    }
}

/// What one media range says of text and of protobuf. A quality that is no number makes the range
/// unreadable, and it is left out.
fn read(range: &str) -> [Option<Wish>; 2] {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let (mut quality, mut is_family, mut is_delimited) = (1_000, false, false);
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim().trim_matches('"');
        match key.trim().to_ascii_lowercase().as_str() {
            "q" => match thousandths(value) {
                Some(read) => quality = read,
                None => return [None, None],
            },
            "proto" => is_family = value == "io.prometheus.client.MetricFamily",
            "encoding" => is_delimited = value == "delimited",
            _ => {}
        }
    }
    let wish = |exactness| Some(Wish { exactness, quality });
    match media.as_str() {
        "application/vnd.google.protobuf" if is_family && is_delimited => [None, wish(3)],
        "application/openmetrics-text" | "text/plain" => [wish(3), None],
        "text/*" => [wish(2), None],
        // Nobody who can't say more is answered in binary.
        "application/*" => [wish(2), None],
        "*/*" => [wish(1), None],
        _ => [None, None],
    }
}

/// A quality of 0 to 1 in thousandths.
fn thousandths(value: &str) -> Option<u16> {
    let quality: f32 = value.parse().ok()?;
    (0.0..=1.0).contains(&quality).then(|| (quality * 1_000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::Exposition::{self, Protobuf, Text};

    const FAMILY: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily";

    #[test]
    fn the_higher_quality_wins_and_text_is_the_default() {
        let whole = format!("{FAMILY};encoding=delimited");
        let text = "application/openmetrics-text;version=1.0.0";
        let cases = [
            (String::new(), Text),
            ("*/*".to_owned(), Text),
            ("text/html, application/xhtml+xml".to_owned(), Text),
            (whole.clone(), Protobuf),
            (
                whole
                    .replace(';', " ; ")
                    .to_uppercase()
                    .replace(
                        "IO.PROMETHEUS.CLIENT.METRICFAMILY",
                        "io.prometheus.client.MetricFamily",
                    )
                    .replace("DELIMITED", "\"delimited\""),
                Protobuf,
            ),
            // As Prometheus 2.42 and 3.5 ask with native histograms.
            (format!("{whole},{text};q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), Protobuf),
            (format!("{whole};q=0.6,{text};escaping=allow-utf-8;q=0.5,*/*;q=0.2"), Protobuf),
            // As they ask without.
            (format!("{text};q=0.6,{whole};q=0.5,*/*;q=0.2"), Text),
            (format!("{whole};q=0.5,{text};q=0.501"), Text),
            (format!("{whole};q=0.5,{text};q=0.5"), Text),
            (format!("{whole}, */*"), Protobuf),
            (format!("{whole};q=0.1, */*"), Text),
            // The more exact range decides, whatever the other says.
            (format!("{whole};q=0.3, */*, text/plain;q=0.2"), Protobuf),
            (format!("{whole};q=0"), Text),
            (format!("{whole};q=0, {text};q=0"), Text),
            (format!("{whole};q=2"), Text),
            (format!("{whole};q=NaN"), Text),
            (format!("{FAMILY};encoding=text"), Text),
            (FAMILY.to_owned(), Text),
            ("application/vnd.google.protobuf".to_owned(), Text),
            (format!("{whole}{}", ",a/b".repeat(2_000)), Text),
            (format!("{}{whole}", "a/b,".repeat(40)), Text),
        ];
        for (accept, expected) in cases {
            assert_eq!(Exposition::preferred([accept.as_str()].into_iter()), expected, "{accept}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        let whole = format!("{FAMILY};encoding=delimited;q=0.9");
        let lines = ["text/plain;q=0.5", &whole];
        assert_eq!(Exposition::preferred(lines.into_iter()), Protobuf);
    }
}
