//! Scrapes read without the server's libraries: samples of the text format, and a hand-made reader
//! of the protobuf one, from the public description of `io.prometheus.client`.
//!
//! Both give the same shape, with names as Prometheus stores them, so they can be held against each
//! other. It reads what our server writes and no more.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, ensure};

use super::http;

/// What a scraper that can read native histograms asks for.
pub const PROTOBUF: &str =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

/// A sample: its name and its labels, sorted.
pub type Series = (String, BTreeMap<String, String>);

/// One scrape.
#[derive(Debug, Default)]
pub struct Scrape {
    /// Every family's type and help.
    pub families: BTreeMap<String, (String, String)>,
    /// Every sample, buckets, sums and counts of histograms included.
    pub samples: BTreeMap<Series, f64>,
    /// Native histograms: the total count, and the sum over their buckets.
    pub native: BTreeMap<Series, (u64, i64)>,
}

/// Asks `/metrics` with this `Accept`: the answer's content type and body.
///
/// # Errors
/// No answer, or one that is not 200.
pub async fn scrape(addr: SocketAddr, accept: &str) -> anyhow::Result<(String, Vec<u8>)> {
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: {addr}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    );
    let answer = http::raw(addr, request.as_bytes()).await?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").context("no head")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: "));
    Ok((kind.context("no content type")?.to_owned(), answer[end + 4..].to_vec()))
}

/// Reads OpenMetrics text.
///
/// # Errors
/// What is no sample and no description.
pub fn text(body: &str) -> anyhow::Result<Scrape> {
    let mut scrape = Scrape::default();
    for line in body.lines() {
        if let Some(words) = line.strip_prefix("# HELP ") {
            let (name, help) = words.split_once(' ').context("no help")?;
            scrape.families.entry(name.to_owned()).or_default().1 = help.to_owned();
        } else if let Some(words) = line.strip_prefix("# TYPE ") {
            let (name, kind) = words.split_once(' ').context("no type")?;
            scrape.families.entry(name.to_owned()).or_default().0 = kind.to_owned();
        } else if line != "# EOF" {
            let (series, value) = line.rsplit_once(' ').context("no value")?;
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').context("no end of the labels")?;
            let mut sample = (name.to_owned(), BTreeMap::new());
            // None of our values holds a comma or a quote.
            for pair in labels.split(',').filter(|pair| !pair.is_empty()) {
                let (key, value) = pair.split_once('=').context("no label")?;
                let value = value.trim_matches('"');
                let bound =
                    value.parse().ok().filter(|bound: &f64| bound.is_finite() && key == "le");
                let value = bound.map_or_else(|| value.to_owned(), |bound| format!("{bound:?}"));
                sample.1.insert(key.to_owned(), value);
            }
            scrape.samples.insert(sample, value.parse()?);
        }
    }
    Ok(scrape)
}

/// Reads length-delimited families.
///
/// # Errors
/// What is no such message.
pub fn protobuf(mut body: &[u8]) -> anyhow::Result<Scrape> {
    let mut scrape = Scrape::default();
    while !body.is_empty() {
        let length = usize::try_from(varint(&mut body)?)?;
        let (family, rest) = body.split_at_checked(length).context("a family is cut short")?;
        body = rest;
        let fields = fields(family)?;
        let word = |number| String::from_utf8(one(&fields, number).bytes().to_vec());
        let (name, help) = (word(1)?, word(2)?);
        let kind = match one(&fields, 3).number() {
            0 => "counter",
            1 => "gauge",
            4 => "histogram",
            other => anyhow::bail!("{name} has type {other}"),
        };
        let known = scrape.families.insert(name.clone(), (kind.to_owned(), help));
        ensure!(known.is_none(), "{name} comes twice");
        for metric in fields.iter().filter(|field| field.0 == 4) {
            read_metric(&mut scrape, &name, kind, metric.1.bytes())?;
        }
    }
    Ok(scrape)
}

fn read_metric(scrape: &mut Scrape, name: &str, kind: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let metric = fields(bytes)?;
    let mut labels = BTreeMap::new();
    for pair in metric.iter().filter(|field| field.0 == 1) {
        let pair = fields(pair.1.bytes())?;
        let word = |number| String::from_utf8(one(&pair, number).bytes().to_vec());
        labels.insert(word(1)?, word(2)?);
    }
    let mut put = |name: String, labels: &BTreeMap<String, String>, value| {
        let known = scrape.samples.insert((name.clone(), labels.clone()), value);
        ensure!(known.is_none(), "{name} comes twice with the same labels");
        Ok(())
    };
    if kind != "histogram" {
        let value = fields(one(&metric, if kind == "gauge" { 2 } else { 3 }).bytes())?;
        return put(name.to_owned(), &labels, one(&value, 1).double());
    }
    let histogram = fields(one(&metric, 7).bytes())?;
    let count = one(&histogram, 1).number();
    put(format!("{name}_count"), &labels, count as f64)?;
    put(format!("{name}_sum"), &labels, one(&histogram, 2).double())?;
    for bucket in histogram.iter().filter(|field| field.0 == 3) {
        let bucket = fields(bucket.1.bytes())?;
        let upper = one(&bucket, 2).double();
        let le = if upper.is_infinite() { "+Inf".to_owned() } else { format!("{upper:?}") };
        let mut labels = labels.clone();
        labels.insert("le".to_owned(), le);
        put(format!("{name}_bucket"), &labels, one(&bucket, 1).number() as f64)?;
    }
    // A threshold or a span is what tells a native histogram from a classic one.
    if one(&histogram, 6).double() > 0.0 || histogram.iter().any(|field| field.0 == 12) {
        let inside = native_count(&histogram)?;
        scrape.native.insert((name.to_owned(), labels), (count, inside));
    }
    Ok(())
}

/// Observations in a native histogram's buckets, the one of zero included.
fn native_count(histogram: &[(u64, Value<'_>)]) -> anyhow::Result<i64> {
    let (mut lengths, mut deltas) = (0, Vec::new());
    for (number, value) in histogram {
        match number {
            12 => lengths += one(&fields(value.bytes())?, 2).number(),
            13 => {
                let mut packed = value.bytes();
                while !packed.is_empty() {
                    let delta = varint(&mut packed)?;
                    deltas.push((delta >> 1) as i64 ^ -((delta & 1) as i64));
                }
            }
            _ => {}
        }
    }
    ensure!(lengths == deltas.len() as u64, "spans of {lengths}, {} buckets", deltas.len());
    let (mut count, mut sum) = (0, i64::try_from(one(histogram, 7).number())?);
    for delta in deltas {
        count += delta;
        ensure!(count >= 0, "a bucket of {count}");
        sum += count;
    }
    Ok(sum)
}

/// A field's value.
#[derive(Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Double(f64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    fn number(self) -> u64 {
        if let Self::Number(number) = self { number } else { 0 }
    }

    fn double(self) -> f64 {
        if let Self::Double(double) = self { double } else { 0.0 }
    }

    fn bytes(self) -> &'a [u8] {
        if let Self::Bytes(bytes) = self { bytes } else { &[] }
    }
}

/// The first field of a number; what is absent is zero or empty.
fn one<'a>(fields: &[(u64, Value<'a>)], number: u64) -> Value<'a> {
    fields.iter().find(|field| field.0 == number).map_or(Value::Bytes(&[]), |field| field.1)
}

fn fields(mut bytes: &[u8]) -> anyhow::Result<Vec<(u64, Value<'_>)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut bytes)?),
            1 => {
                let (double, rest) = bytes.split_first_chunk().context("a double is cut short")?;
                bytes = rest;
                Value::Double(f64::from_le_bytes(*double))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?)?;
                let (inside, rest) = bytes.split_at_checked(length).context("cut short")?;
                bytes = rest;
                Value::Bytes(inside)
            }
            other => anyhow::bail!("wire type {other}"),
        };
        fields.push((key >> 3, value));
    }
    Ok(fields)
}

fn varint(bytes: &mut &[u8]) -> anyhow::Result<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().context("a number is cut short")?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    anyhow::bail!("a number of more than 64 bits")
}
