//! The Autobahn|Testsuite against the gateway's frame codec: all 517 cases, in four parts.

use std::collections::BTreeMap;
use std::time::Duration;

use fantail_tests::harness::{echo, strict};
use serde_json::{Value, json};

/// A part of the suite may take this long, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(500);

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
async fn compression_of_every_kind_of_payload() {
    conforms(&["12.*"], 90).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compression_with_every_offer() {
    conforms(&["13.*"], 126).await;
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
