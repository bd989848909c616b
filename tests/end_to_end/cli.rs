//! The command line as a stranger meets it, with the very binary.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use fantail_tests::harness::require;
use serde_json::Value;

/// The binary beside this test; built first, once, if this run did not.
pub(super) fn fantail() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "-p", "fantail-node", "--bin", "fantail"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(built.success());
        let test = std::env::current_exe().expect("this test");
        let folder = test.parent().and_then(Path::parent).expect("the target folder");
        folder.join("fantail")
    })
}

fn run(args: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    Command::new(fantail()).args(args).current_dir(folder.path()).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A server of ours; ended by its id when dropped.
pub(super) struct Server(pub(super) Child, pub(super) Value);

impl Server {
    fn start(args: &[&str]) -> Self {
        Self::logging_to(args, Stdio::inherit())
    }

    /// The same, with its log in a place of the test's.
    pub(super) fn logging_to(args: &[&str], log: Stdio) -> Self {
        Self::of(Command::new(fantail()), args, log)
    }

    /// The same, started by a command that ends in the program's name.
    pub(super) fn of(mut program: Command, args: &[&str], log: Stdio) -> Self {
        let mut child = program
            .args(args)
            .args(["--listen", "127.0.0.1:0", "--json"])
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let said = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        Self(child, said)
    }

    fn ws(&self) -> &str {
        self.1["ws"].as_str().expect("an address")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn help_says_what_there_is() {
    let help = run(&["--help"]);
    let said = text(&help.stdout);
    for word in ["demo", "run", "replay", "tap", "token", "check-config"] {
        assert!(said.contains(word), "{said}");
    }
    for command in ["demo", "run", "replay", "tap", "token", "check-config"] {
        assert!(run(&[command, "--help"]).status.success(), "{command}");
    }
}

#[test]
fn check_config_reports_every_mistake_at_once() {
    let set = [
        "listen.addr=nowhere",
        "limits.channels=0",
        "venues.binance.symbols=btc",
        "no.key=1",
        "gateway.kernel_unsent_bytes=1KiB",
        "gateway.kernel_unacked_timeout=1ms",
        "gateway.session_backlog_bytes=1KiB",
        "gateway.backlog_bytes=0",
        "gateway.session_reply_bytes=1KiB",
        "gateway.deflate_window_bits=8",
        "gateway.deflate_level=1",
    ];
    let args: Vec<&str> =
        ["check-config"].into_iter().chain(set.iter().flat_map(|s| ["--set", s])).collect();
    let checked = run(&args);
    let said = text(&checked.stderr);
    assert!(!checked.status.success());
    for words in set.map(|flag| flag.split_once('=').map_or(flag, |(key, _)| key)) {
        let words = if words == "no.key" { "no" } else { words };
        assert!(said.contains(words), "{words} is not in: {said}");
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fantail.example.toml");
    let good = run(&["check-config", "--config", example.to_str().expect("a path")]);
    assert!(good.status.success(), "{}", text(&good.stderr));
}

#[test]
fn a_minted_token_opens_the_door_and_nothing_else_does() {
    let keys = "auth.keys=[{kid=\"k\",alg=\"HS256\",secret=\"0123456789abcdef0123456789abcdef\",\
                iss=\"me\",aud=\"fantail\"}]";
    let token = run(&["token", "--set", keys, "--channel", "trade:binance:*"]);
    assert!(token.status.success(), "{}", text(&token.stderr));
    let token = text(&token.stdout).trim().to_owned();
    let server = Server::start(&["demo", "--calm", "--symbols", "1", "--set", keys]);
    let tap = |channel: &str, token: &str| {
        run(&["tap", server.ws(), channel, "--token", token, "--count", "3", "--once"])
    };
    let good = tap("trade:binance:BTC-USDT", &token);
    assert!(good.status.success(), "{}", text(&good.stderr));
    let forbidden = tap("trade:coinbase:BTC-USD", &token);
    assert!(text(&forbidden.stderr).contains("FORBIDDEN"), "{}", text(&forbidden.stderr));
    let forged = tap("trade:binance:BTC-USDT", &format!("{token}x"));
    assert!(text(&forged.stderr).contains("TOKEN_INVALID"), "{}", text(&forged.stderr));
}

#[test]
fn tap_goes_on_at_the_next_node() {
    let server = Server::start(&["demo", "--calm"]);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead = format!("ws://{}", nobody.local_addr().expect("its address"));
    drop(nobody);
    let nodes = format!("{dead},{}", server.ws());
    let tapped = run(&["tap", &nodes, "bbo:*:*", "--count", "3"]);
    let said = text(&tapped.stderr);
    assert!(tapped.status.success() && said.contains("trying the next node"), "{said}");
    assert!(text(&tapped.stdout).lines().count() >= 3);
}

#[test]
fn tap_speaks_every_encoding_and_its_recording_can_be_replayed() {
    let folder = tempfile::tempdir().expect("a folder");
    let record = folder.path().join("day.rec");
    let record = record.to_str().expect("a path");
    let server = Server::start(&["demo", "--calm", "--symbols", "1"]);
    for word in ["page", "ws", "admin", "token", "channels", "pid"] {
        assert!(!server.1[word].is_null(), "{word} is not in {}", server.1);
    }
    for encoding in ["json", "msgpack", "protobuf"] {
        let args = ["tap", server.ws(), "*", "--encoding", encoding, "--count", "40", "--once"];
        let mut args = args.to_vec();
        args.splice(2..3, ["book:*:*", "trade:*:*", "bbo:*:*"]);
        args.extend(["--record", record]);
        let tapped = run(&args);
        assert!(tapped.status.success(), "{encoding}: {}", text(&tapped.stderr));
        let lines = text(&tapped.stdout);
        assert!(
            lines.contains("\"channel\":\"book:binance:BTC-USDT\""),
            "{encoding}: {lines:.500}"
        );
    }
    drop(server);
    let replay = Server::start(&["replay", record, "--speed", "max"]);
    let replayed = run(&["tap", replay.ws(), "book:*:*", "--count", "2", "--once"]);
    assert!(replayed.status.success(), "{}", text(&replayed.stderr));
}

#[test]
fn every_named_recording_replays_to_its_end() {
    let sets = [
        vec!["binance-spot/hftbacktest/btcusdt_20240808.gz"],
        vec![
            "binance-spot/cryptofeed/BINANCE_TR.http.0.0.gz",
            "binance-spot/cryptofeed/BINANCE_TR.ws.1.0.gz",
        ],
    ];
    for set in sets {
        let paths: Option<Vec<PathBuf>> = set.iter().map(|path| require::recording(path)).collect();
        let Some(paths) = paths else { return };
        let files = paths.iter().filter_map(|path| path.to_str());
        let args: Vec<&str> =
            ["replay"].into_iter().chain(files).chain(["--speed", "max", "--exit"]).collect();
        let server = Server::start(&args);
        let tapped = run(&["tap", server.ws(), "bbo:*:*", "trade:*:*", "--stats", "--once"]);
        let said = format!("{}{}", text(&tapped.stdout), text(&tapped.stderr));
        assert!(said.contains("1012"), "it ends with the replay: {said}");
        assert!(said.contains("holes 0"), "{said}");
    }
}
