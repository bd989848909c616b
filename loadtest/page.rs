//! A report as one HTML page: the same figures, and latency as plots. Nothing is fetched.

use std::fmt::Write;

use crate::plot::{Axis, Line, escape, plot};
use crate::report::{Report, Verdict};
use crate::text::lines;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;\
color:#223;background:#fff}h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}td{padding:.15em 1em .15em 0;\
vertical-align:top}td:first-child{color:#667;white-space:pre}svg{width:100%;height:auto}svg text{font-size:11px;\
fill:#667}polyline{fill:none;stroke-width:1.8}.grid{stroke:#dde;stroke-width:1}.clean{color:#176}\
.wrong{color:#b21;font-weight:bold}@media(prefers-color-scheme:dark){body{color:#dde;background:#151a20}\
.grid{stroke:#2a323c}.clean{color:#4c9}.wrong{color:#f76}}";
/// Marks of the quantiles' axis, as they are read.
const QUANTILES: [(f64, &str); 7] = [
    (0.0, "0"),
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (0.999_99, "99.999 %"),
];

/// The page.
#[must_use]
pub fn page(report: &Report) -> String {
    let verdict = report.verdict();
    let class = if verdict == Verdict::Clean { "clean" } else { "wrong" };
    let name = escape(&report.plan);
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{name}</title><style>{STYLE}</style><h1>{name}</h1>\
         <p class=\"{class}\">{}</p><table>",
        escape(&verdict.to_string())
    );
    for (name, value) in lines(report) {
        // Writing to a String cannot fail.
        let _ = write!(out, "<tr><td>{}</td><td>{}</td></tr>", escape(&name), escape(&value));
    }
    let server = escape(&report.server.join(" "));
    let _ = write!(
        out,
        "</table><p>The plan is meant for a server started with <code>fantail {server}</code></p>\
         <h2>Latency by quantile</h2>{}<h2>Latency over time, from ingest</h2>{}\
         <h2>Deliveries over time</h2>{}</html>",
        by_quantile(report),
        over_time(report),
        deliveries(report)
    );
    out
}

fn by_quantile(report: &Report) -> String {
    // Each step to the right is a tenth of the messages that are later.
    let place = |quantile: f64| -(1.0 - quantile).max(1e-9).log10();
    let points = |curve: &[(f64, u64)]| {
        curve.iter().map(|(quantile, micros)| (place(*quantile), ms(*micros))).collect()
    };
    let last = report.from_ingest.curve.last().map_or(0.0, |last| place(last.0));
    let marks = QUANTILES
        .iter()
        .map(|(quantile, label)| (place(*quantile), (*label).to_owned()))
        .filter(|(at, _)| *at <= last)
        .collect();
    let lines = [
        Line { name: "from venue", color: "#7a4", points: points(&report.from_venue.curve) },
        Line { name: "from ingest", color: "#d45", points: points(&report.from_ingest.curve) },
        Line { name: "from tail", color: "#28c", points: points(&report.from_tail.curve) },
    ];
    plot(&Axis { title: "share of the messages", marks }, "ms", &lines)
}

fn over_time(report: &Report) -> String {
    let line = |name, color, of: fn(&crate::report::Row) -> u64| Line {
        name,
        color,
        points: report.rows.iter().map(|row| (row.second, ms(of(row)))).collect(),
    };
    let lines = [
        line("max", "#caa", |row| row.max),
        line("p99", "#d45", |row| row.p99),
        line("p50", "#28c", |row| row.p50),
    ];
    plot(&seconds(report), "ms", &lines)
}

fn deliveries(report: &Report) -> String {
    let points = report.rows.iter().map(|row| (row.second, row.per_second / 1_000.0)).collect();
    let line = Line { name: "timed deliveries", color: "#396", points };
    plot(&seconds(report), "thousand a second", &[line])
}

fn seconds(report: &Report) -> Axis<'static> {
    let step = (report.rows.len() / 10).max(1);
    let mark = |row: &crate::report::Row| (row.second, format!("{:.0}", row.second));
    Axis {
        title: "seconds since the measurement began",
        marks: report.rows.iter().skip(step - 1).step_by(step).map(mark).collect(),
    }
}

fn ms(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Latency, Row};

    #[test]
    fn the_page_stands_by_itself() {
        let curve = (0..20).map(|n| (1.0 - 0.5_f64.powi(n), 10 * n as u64)).collect();
        let from_ingest = Latency { curve, ..Latency::default() };
        let row = |at: u32| Row {
            second: f64::from(at),
            per_second: 1_000.0,
            p50: 10,
            p99: 100,
            max: 1_000,
        };
        let rows = (1..30).map(row).collect();
        let plan = "<b> & co".to_owned();
        let page = page(&Report { plan, from_ingest, rows, ..Report::default() });
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>"));
        assert_eq!(page.matches("<svg").count(), 3);
        assert!(page.contains("&lt;b&gt; &amp; co"));
        for fetched in ["http", "src=", "url(", "<script", "NaN", "inf\""] {
            assert!(!page.contains(fetched), "{fetched}");
        }
    }
}
