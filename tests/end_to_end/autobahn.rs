//! The Autobahn|Testsuite against the gateway's frame codec: all 517 cases, in six parts.

use std::collections::BTreeMap;
use std::time::Duration;

use fantail_tests::harness::{echo, require, strict};
use serde_json::{Value, json};

/// Names the compression cases (12.* and 13.*) in `FANTAIL_REQUIRE`.
const COMPRESSION: &str = "autobahn-compression";
/// A part of the suite may take this long: compression moves gigabytes through Python.
const PATIENCE: Duration = Duration::from_secs(7_200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn framing_pings_reserved_bits_fragments_utf8_and_closing() {
    let cases = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"];
    conforms(&cases, 247).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_and_sizes_up_to_sixteen_mebibytes() {
    conforms(&["9.*"], 54).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compression_of_json_and_text() {
    if is_asked_for() {
        conforms(&["12.1.*", "12.2.*", "12.3.*"], 54).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compression_of_other_payloads() {
    if is_asked_for() {
        conforms(&["12.4.*", "12.5.*"], 36).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_without_and_with_a_window() {
    if is_asked_for() {
        conforms(&["13.1.*", "13.2.*", "13.3.*", "13.4.*"], 72).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_without_context_takeover_and_several_at_once() {
    if is_asked_for() {
        conforms(&["13.5.*", "13.6.*", "13.7.*"], 54).await;
    }
}

/// The compression cases take more than nine minutes (the suite's own inflating, in Python 2): they
/// run where they are asked for.
#[track_caller]
fn is_asked_for() -> bool {
    if !require::is_required(COMPRESSION) {
        require::skip(COMPRESSION, "it takes long and runs only where it is required");
        return false;
    }
    true
}

/// Runs these cases, of which there are `count`: each is OK or, where only that is possible,
/// INFORMATIONAL.
async fn conforms(cases: &[&str], count: usize) {
    let Some(suite) = strict::installed("autobahn", "wstest") else { return };
    let addr = echo::start().await.expect("an echo server");
    let folder = tempfile::tempdir().expect("a folder");
    let spec = json!({
        "outdir": folder.path().join("reports"),
        "servers": [{ "agent": "fantail", "url": format!("ws://{addr}") }],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    let written = folder.path().join("spec.json");
    std::fs::write(&written, spec.to_string()).expect("the specification");
    let run = tokio::process::Command::new(suite)
        .args(["--mode", "fuzzingclient", "--spec"])
        .arg(&written)
        .current_dir(folder.path())
        .kill_on_drop(true)
        .output();
    let run = tokio::time::timeout(PATIENCE, run).await.expect("it ends").expect("it runs");
    let index = std::fs::read_to_string(folder.path().join("reports/index.json"));
    let index = index.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&run.stderr)));
    let index: Value = serde_json::from_str(&index).expect("a report");
    let verdicts = index["fantail"].as_object().expect("our verdicts");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (case, verdict) in verdicts {
        let words = [&verdict["behavior"], &verdict["behaviorClose"]].map(|w| w.as_str());
        let fine = |word: Option<&str>| matches!(word, Some("OK" | "INFORMATIONAL"));
        if !words.into_iter().all(fine) {
            wrong.push(format!("{case}: {verdict}"));
        }
        *counts.entry(format!("{words:?}")).or_default() += 1;
    }
    eprintln!("autobahn: {} cases, {counts:?}", verdicts.len());
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(verdicts.len(), count, "cases");
}
