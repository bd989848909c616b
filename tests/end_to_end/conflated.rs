//! Conflated books of a client that reads too slowly, held against the full book by an oracle that
//! shares no code with the server.

use std::path::Path;
use std::process::Command;

use fantail_node::testing::demo_args;
use fantail_tests::harness::client::{Client, Options};
use fantail_tests::harness::require;
use fantail_tests::harness::stage::Server;
use serde_json::Value;

const BOOK: &str = "book:coinbase:BTC-USD";
const CONFLATED: [&str; 2] = ["book:coinbase:BTC-USD@100ms", "book:coinbase:BTC-USD@1s"];
/// Messages the slow client reads in all.
const READS: usize = 60;
/// Events of the full book between two reads of the slow client.
const PACE: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn books_of_a_slow_reader_equal_the_full_book_at_every_emission() {
    let mut args = demo_args();
    (args.markets.symbols, args.markets.book_updates_per_s) = (1, 3_000.0);
    let server = Server::play(args, &["gateway.conflate_after=200ms"]).await.expect("a server");
    let mut full = Client::connect(server.addr(), Options::default()).await.expect("in");
    full.history = Some(Vec::new());
    full.follow(&[BOOK]).await.expect("ack");
    let small = Options { receive_buffer: Some(16_384), ..Options::default() };
    let mut slow = Client::connect(server.addr(), small).await.expect("in");
    slow.history = Some(Vec::new());
    slow.follow(&CONFLATED).await.expect("ack");
    for _ in 0..READS {
        slow.message().await.expect("a message");
        let until = full.seq(BOOK).unwrap_or_default() + PACE;
        while full.seq(BOOK).unwrap_or_default() < until {
            full.message().await.expect("the full book goes on");
        }
    }
    // What it read last was emitted before this: the full book has got there too.
    let last = CONFLATED.iter().filter_map(|name| slow.seq(name)).max().expect("emissions");
    while full.seq(BOOK).unwrap_or_default() < last {
        full.message().await.expect("the full book goes on");
    }
    judge(&full.history.unwrap_or_default(), &slow.history.unwrap_or_default());
}

/// Lets the oracle compare the two histories.
fn judge(full: &[String], slow: &[String]) {
    let folder = tempfile::tempdir().expect("a folder");
    let files = [("full", full), ("slow", slow)].map(|(name, texts)| {
        let file = folder.path().join(name);
        std::fs::write(&file, texts.join("\n")).expect("a history");
        file
    });
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle/conflated.py");
    let Ok(run) = Command::new("python3").arg("-B").arg(&oracle).args(&files).output() else {
        require::skip("python3", "python3 does not start");
        return;
    };
    let failed = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{failed}");
    let found: Value = serde_json::from_slice(&run.stdout).expect("what was compared");
    eprintln!("conflated books: {found}");
    for channel in CONFLATED {
        let seen = &found[channel];
        assert!(seen["compared"].as_u64() > Some(2), "{channel}: {seen}");
        assert!(seen["checksums"] == seen["compared"], "{channel}: {seen}");
        assert!(seen["events"].as_u64() > Some(20), "{channel}: {seen}");
    }
    // Twenty events a second make two of an interval: more were merged because it was behind.
    assert!(found[CONFLATED[0]]["most"].as_u64() > Some(5), "{found}");
}
