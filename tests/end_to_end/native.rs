//! Scrapes in protobuf: they say what the text says, native histograms beside the classic ones, and
//! a Prometheus that asks for them answers quantiles out of them.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantail_tests::harness::client::{Client, Options};
use fantail_tests::harness::exposition::{self, PROTOBUF, Scrape, Series};
use fantail_tests::harness::stage::Server;
use fantail_tests::harness::{http, require, wait};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// Histograms that a demo with one subscriber fills.
const FILLED: [&str; 4] = [
    "fantail_ingest_lag_seconds",
    "fantail_gateway_lag_ingest_to_tail_seconds",
    "fantail_gateway_lag_tail_to_socket_seconds",
    "fantail_gateway_flush_events",
];

async fn text(server: &Server) -> Scrape {
    let (kind, body) = exposition::scrape(server.admin(), "*/*").await.expect("a scrape");
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    exposition::text(&String::from_utf8(body).expect("text")).expect("OpenMetrics")
}

/// Prometheus stores a counter's family as its sample is called, and an info as a gauge.
fn as_in_protobuf(
    families: &BTreeMap<String, (String, String)>,
) -> BTreeMap<String, (String, String)> {
    let named = families.iter().map(|(name, (kind, help))| match kind.as_str() {
        "counter" => (format!("{name}_total"), (kind.clone(), help.clone())),
        "info" => (format!("{name}_info"), ("gauge".to_owned(), help.clone())),
        _ => (name.clone(), (kind.clone(), help.clone())),
    });
    named.collect()
}

/// Samples of protobuf that are not what the text said just before or just after, and samples only
/// one of them has.
fn differences(before: &Scrape, middle: &Scrape, after: &Scrape) -> Vec<Series> {
    let agrees = |series: &Series, value: f64| {
        let (Some(low), Some(high)) = (before.samples.get(series), after.samples.get(series))
        else {
            return false;
        };
        low.min(*high) <= value && value <= low.max(*high)
    };
    let wrong = middle.samples.iter().filter(|(series, value)| !agrees(series, **value));
    let missing = before.samples.keys().filter(|series| !middle.samples.contains_key(series));
    wrong.map(|(series, _)| series).chain(missing).cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn protobuf_says_what_the_text_says() {
    let server = Server::start(&[]).await.expect("a server");
    let mut client = Client::connect(server.addr(), Options::default()).await.expect("in");
    client.follow(&["trade:*:*", "book:*:*"]).await.expect("subscribed");
    for _ in 0..50 {
        client.message().await.expect("a message");
    }
    let mut left = Vec::new();
    // Levels go up and down between two scrapes; a time when none did comes soon.
    let agreed = wait::until(PATIENCE, async || {
        let before = text(&server).await;
        let (kind, body) = exposition::scrape(server.admin(), PROTOBUF).await.expect("a scrape");
        assert!(kind.starts_with("application/vnd.google.protobuf;"), "{kind}");
        let middle = exposition::protobuf(&body).expect("families");
        let after = text(&server).await;
        left = differences(&before, &middle, &after);
        if before.families == after.families {
            assert_eq!(middle.families, as_in_protobuf(&after.families));
        }
        for (series, (count, inside)) in &middle.native {
            assert_eq!(i64::try_from(*count), Ok(*inside), "{series:?}");
        }
        let filled = |name: &&str| {
            middle.native.iter().any(|(series, count)| series.0 == **name && count.0 > 0)
        };
        let histograms = middle.families.iter().filter(|family| family.1.0 == "histogram");
        for (name, _) in histograms {
            assert!(middle.native.keys().any(|series| series.0 == *name), "{name} is not native");
        }
        (left.is_empty() && FILLED.iter().all(filled)).then_some(())
    });
    assert!(agreed.await.is_some(), "not as in the text: {left:?}");
}

/// A Prometheus that scrapes one server, ended by its id when dropped.
struct Prometheus {
    process: Child,
    addr: SocketAddr,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Prometheus {
    /// Scraping `target`, with its data in `folder`; `None` after saying that there is none.
    fn start(target: SocketAddr, folder: &Path) -> Option<Self> {
        let mut version = Command::new("prometheus");
        version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        if version.status().is_err() {
            require::skip("prometheus", "there is no prometheus (apt-get install prometheus)");
            return None;
        }
        let config = format!(
            "global: {{scrape_interval: 1s}}\n\
             scrape_configs: [{{job_name: fantail, static_configs: [{{targets: [\"{target}\"]}}]}}]\n"
        );
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, config).expect("a configuration");
        // Prometheus does not say which port it got, so one is chosen for it.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let addr = free.expect("a free port");
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={addr}"))
            .arg("--enable-feature=native-histograms")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus starts");
        Some(Self { process, addr })
    }

    /// The results of an instant query: labels and value.
    async fn ask(&self, query: &str) -> Option<Vec<f64>> {
        let query: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/api/v1/query?query={query}");
        let (_, body) = http::get(self.addr, &path).await.ok()?;
        let body = &body[body.find('{')?..=body.rfind('}')?];
        let answer: Value = serde_json::from_str(body).ok()?;
        let results = answer["data"]["result"].as_array()?;
        results.iter().map(|result| result["value"][1].as_str()?.parse().ok()).collect()
    }
}

/// Bounds of the classic bucket a quantile is in.
fn bracket(scrape: &Scrape, name: &str, quantile: f64) -> (f64, f64) {
    let bucket = format!("{name}_bucket");
    let buckets = scrape.samples.iter().filter(|(series, _)| series.0 == bucket);
    let bound = |series: &Series| series.1["le"].parse::<f64>().expect("a bound");
    let mut buckets: Vec<(f64, f64)> =
        buckets.map(|(series, count)| (bound(series), *count)).collect();
    buckets.sort_by(|one, two| one.0.total_cmp(&two.0));
    let rank = buckets.last().expect("buckets").1 * quantile;
    let at = buckets.partition_point(|bucket| bucket.1 < rank);
    (if at == 0 { 0.0 } else { buckets[at - 1].0 }, buckets[at].0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_answers_quantiles_out_of_native_histograms() {
    let server = Server::start(&[]).await.expect("a server");
    let folder = tempfile::tempdir().expect("a folder");
    let Some(prometheus) = Prometheus::start(server.admin(), folder.path()) else { return };
    let mut client = Client::connect(server.addr(), Options::default()).await.expect("in");
    client.follow(&["trade:*:*", "book:*:*"]).await.expect("subscribed");
    let reading = tokio::spawn(async move { while client.message().await.is_ok() {} });

    for name in &FILLED[1..] {
        for quantile in [0.5, 0.9] {
            let before = text(&server).await;
            let mut seen = (Vec::new(), Vec::new());
            let answered = wait::until(PATIENCE, async || {
                // `histogram_count` knows native histograms only.
                let count = format!("histogram_count({name})");
                let value = format!("histogram_quantile({quantile}, {name})");
                seen = (prometheus.ask(&count).await?, prometheus.ask(&value).await?);
                let ([count], [value]) = (&seen.0[..], &seen.1[..]) else { return None };
                let least = before.samples[&(format!("{name}_count"), BTreeMap::new())];
                (*count >= least.max(100.0)).then_some(*value)
            });
            let value = answered.await.unwrap_or_else(|| panic!("{name}: {seen:?}"));
            let after = text(&server).await;
            let (low, _) = bracket(&before, name, quantile);
            let (other_low, high) = bracket(&after, name, quantile);
            let (low, high) = (low.min(other_low), high.max(bracket(&before, name, quantile).1));
            // A native bucket is 4.4 % wide and may reach over the classic bound.
            assert!(
                (low / 1.05..=high * 1.05).contains(&value),
                "{name}, {quantile}: {value} is not in {low}..{high}"
            );
        }
    }
    let up = prometheus.ask("count({__name__=~\"fantail_.+\"})").await;
    assert!(up.is_some_and(|counts| counts[0] > 50.0));
    reading.abort();
}
