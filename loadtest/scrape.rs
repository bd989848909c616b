//! The server's own counters, read from its admin listener: what it says it did, beside what came.
//!
//! One blocking GET of `/metrics`; samples are summed over their labels by the metric's name, and
//! once more by name and each label that says what kind of frame it was. Knows no other format.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::Context;

use crate::limits::{METRICS_BYTES_MAX, PROBE_PATIENCE};
use crate::target::Target;

/// Counters by name, without the `fantail_` and `_total` that all of them carry.
pub(crate) type Counters = BTreeMap<String, f64>;

/// Reads them.
///
/// # Errors
/// Nobody answers, or not with metrics.
pub(crate) fn counters(admin: &Target) -> anyhow::Result<Counters> {
    let mut stream = TcpStream::connect(admin.addr).context("the admin listener")?;
    stream.set_read_timeout(Some(PROBE_PATIENCE))?;
    let host = &admin.host;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(METRICS_BYTES_MAX).read_to_string(&mut answer).context("reading the metrics")?;
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "{}", answer.lines().next().unwrap_or(""));
    Ok(read(&answer))
}

/// What grew since `before`.
pub(crate) fn grown(before: &Counters, after: &Counters) -> Counters {
    let difference = |(name, end): (&String, &f64)| {
        (name.clone(), end - before.get(name).copied().unwrap_or_default())
    };
    after.iter().map(difference).collect()
}

fn read(text: &str) -> Counters {
    let mut counters = Counters::new();
    for line in text.lines() {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let Ok(value) = value.trim().parse::<f64>() else { continue };
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let Some(name) = name.strip_prefix("fantail_").and_then(|it| it.strip_suffix("_total"))
        else {
            continue;
        };
        *counters.entry(name.to_owned()).or_default() += value;
        for label in labels.trim_end_matches('}').split(',') {
            if label.starts_with("deflate=") || label.starts_with("code=") {
                *counters.entry(format!("{name} {label}")).or_default() += value;
            }
        }
    }
    counters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_over_shards_and_by_kind() {
        let text = "HTTP/1.1 200 OK\r\n\r\n# TYPE fantail_gateway_writes counter\n\
                    fantail_gateway_writes_total{shard=\"0\"} 3\n\
                    fantail_gateway_writes_total{shard=\"1\"} 4\n\
                    fantail_gateway_sessions{shard=\"1\"} 9\n\
                    fantail_gateway_frames_encoded_total{encoding=\"json\",deflate=\"true\"} 5\n\
                    fantail_gateway_sessions_closed_total{code=\"4409\",name=\"slow\"} 2\n# EOF\n";
        let before = read(text);
        let get = |name: &str| before.get(name).copied();
        assert_eq!(get("gateway_writes"), Some(7.0));
        assert_eq!(get("gateway_sessions"), None, "a gauge is no counter");
        assert_eq!(get("gateway_frames_encoded deflate=\"true\""), Some(5.0));
        assert_eq!(get("gateway_sessions_closed code=\"4409\""), Some(2.0));
        let after = read(&text.replace("} 4\n", "} 14\n"));
        assert_eq!(grown(&before, &after).get("gateway_writes"), Some(&10.0));
    }
}
