//! Configuration end to end: precedence, guesses turned right, every mistake told at once.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Deserialize;

use super::{ByteSize, HumanDuration, Loaded, Sources, load};
use crate::secret::Secret;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Raw {
    listen: Listen,
    auth: Auth,
    venues: BTreeMap<String, Venue>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Listen {
    addr: String,
    backlog: ByteSize,
    drain: HumanDuration,
    workers: u16,
    compress: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Auth {
    token: Option<Secret>,
    keys: Vec<Key>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read by serde and by Debug")]
struct Key {
    id: String,
    secret: Secret,
    algorithm: Algorithm,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Algorithm {
    Hs256,
    Es256,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Venue {
    symbols: Vec<String>,
}

impl Default for Raw {
    fn default() -> Self {
        let venues = BTreeMap::from([("binance".to_owned(), Venue::default())]);
        Self { listen: Listen::default(), auth: Auth::default(), venues }
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            addr: "127.0.0.1:8080".to_owned(),
            backlog: ByteSize(65_536),
            drain: HumanDuration::from_secs(15),
            workers: 4,
            compress: true,
        }
    }
}

fn load_from(file: &str, environment: &[(&str, &str)], flags: &[&str]) -> Loaded<Raw> {
    let mut on_disk = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    on_disk.write_all(file.as_bytes()).unwrap();
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    load(&Sources {
        file: Some(on_disk.path().to_owned()),
        environment: environment.iter().map(owned).collect(),
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
    })
}

fn good(file: &str, environment: &[(&str, &str)], flags: &[&str]) -> Raw {
    let loaded = load_from(file, environment, flags);
    loaded.problems.into_result().unwrap();
    loaded.raw
}

#[test]
fn later_sources_win() {
    let file = "[listen]\nworkers = 1\ndrain = '1s'\nbacklog = '1KiB'\n";
    let environment = [("FANTAIL__LISTEN__WORKERS", "2"), ("FANTAIL__LISTEN__DRAIN", "250ms")];
    let raw = good(file, &environment, &["listen.workers=3"]);
    assert_eq!(raw.listen.addr, "127.0.0.1:8080", "the default");
    assert_eq!(raw.listen.backlog, ByteSize(1_024), "the file");
    assert_eq!(raw.listen.drain, HumanDuration::from_millis(250), "the environment");
    assert_eq!(raw.listen.workers, 3, "the flag");
}

#[test]
fn nothing_written_means_defaults() {
    let loaded = load::<Raw>(&Sources::default());
    loaded.problems.into_result().unwrap();
    assert_eq!(loaded.raw.listen.workers, 4);
}

#[test]
fn lists_come_from_anywhere() {
    let cases = [r#"["BTC-USDT","ETH-USDT"]"#, "BTC-USDT,ETH-USDT", " BTC-USDT , ETH-USDT,"];
    for text in cases {
        let raw = good("", &[("FANTAIL__VENUES__BINANCE__SYMBOLS", text)], &[]);
        assert_eq!(raw.venues["binance"].symbols, ["BTC-USDT", "ETH-USDT"], "{text}");
    }
    let raw = good("", &[], &["venues.coinbase.symbols=BTC-USD"]);
    assert_eq!(raw.venues["coinbase"].symbols, ["BTC-USD"]);
}

#[test]
fn texts_that_look_like_numbers_stay_texts() {
    let raw = good("", &[("FANTAIL__AUTH__TOKEN", "0012345")], &["listen.addr=true"]);
    assert_eq!(raw.auth.token.unwrap().expose(), "0012345");
    assert_eq!(raw.listen.addr, "true");
}

#[test]
fn an_array_element_can_be_completed_from_the_environment() {
    let file = "[[auth.keys]]\nid = 'a'\nalgorithm = 'HS256'\nsecret = ''\n";
    let raw = good(file, &[("FANTAIL__AUTH__KEYS__0__SECRET", "s3cret")], &[]);
    assert_eq!(raw.auth.keys[0].secret.expose(), "s3cret");
}

#[test]
fn other_environment_variables_are_not_ours() {
    let environment = [("PATH", "/bin"), ("FANTAIL_REQUIRE", "chromium"), ("FANTAIL", "x")];
    good("", &environment, &[]);
}

#[test]
fn every_mistake_is_told_at_once() {
    let file = r#"
[listen]
workers = "many"
drain = 15
adr = "0.0.0.0:1"

[venues.binance]
symbols = ["BTC-USDT", 7]

[[auth.keys]]
id = "first"
algorithm = "none"
secret = "canary-file"

[[auth.keys]]
id = 5
algorithm = "HS256"
secret = 99887766

[nonsense]
a = 1
"#;
    let environment = [("FANTAIL__LISTEN__BACKLOG", "64"), ("FANTAIL__LISTEN__COMPRES", "true")];
    let mut loaded = load_from(file, &environment, &["listen.compress=maybe", "novalue"]);
    loaded.problems.push("listen.addr", "x", "is not an address", "write host:port");
    let errors = loaded.problems.into_result().unwrap_err();
    let shown = errors.to_string();
    eprintln!("{shown}");
    let keys: Vec<_> = errors.problems.iter().map(|problem| problem.key.as_str()).collect();
    let expected = [
        "auth.keys.0.algorithm",
        "auth.keys.1.id",
        "auth.keys.1.secret",
        "listen.addr",
        "listen.adr",
        "listen.backlog",
        "listen.compres",
        "listen.compress",
        "listen.drain",
        "listen.workers",
        "nonsense",
        "novalue",
        "venues.binance.symbols.1",
    ];
    assert_eq!(keys, expected, "{shown}");
    let told = [
        "auth.keys.0.algorithm = \"none\"",
        "write one of: HS256, ES256",
        "listen.adr = \"0.0.0.0:1\"",
        "did you mean `addr`?",
        ".toml line 5): is not a known key",
        "listen.backlog = \"64\" (environment FANTAIL__LISTEN__BACKLOG)",
        "listen.compress = \"maybe\" (flag listen.compress)",
        "listen.drain = 15",
        "\"250ms\"",
        "venues.binance.symbols.1 = 7",
        "listen.addr = x (default): is not an address; write host:port",
        "13 mistakes",
    ];
    for text in told {
        assert!(shown.contains(text), "{text:?} is missing in {shown}");
    }
    for canary in ["canary-file", "99887766"] {
        assert!(!shown.contains(canary), "{shown}");
    }
    assert_eq!(loaded.raw.listen.workers, 4, "a mistaken value is at its default");
}

#[test]
fn a_file_that_is_not_toml_is_told_without_its_text() {
    let loaded = load_from("[auth]\ntoken = \"canary-1\" canary-2\n", &[], &["listen.workers=x"]);
    let errors = loaded.problems.into_result().unwrap_err();
    let shown = errors.to_string();
    assert!(shown.contains("line 2): is not TOML"), "{shown}");
    assert!(shown.contains("listen.workers"), "the rest is still checked: {shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_named_file_must_be_there() {
    let sources = Sources { file: Some("/nonexistent/fantail.toml".into()), ..Sources::default() };
    let errors = load::<Raw>(&sources).problems.into_result().unwrap_err();
    assert!(errors.to_string().contains("can't be read"), "{errors}");
}

#[test]
fn mistakes_are_bounded() {
    let flags: Vec<String> = (0..1_000).map(|n| format!("listen.x{n}=1")).collect();
    let loaded = load::<Raw>(&Sources { flags, ..Sources::default() });
    assert!(loaded.problems.list().len() <= crate::limits::CONFIG_MISTAKES_MAX);
    assert!(!loaded.problems.is_empty());
}

#[test]
fn hostile_keys_do_no_harm() {
    let deep = format!("{}x=1", "a.".repeat(5_000));
    for flag in ["=", "..=1", "listen=1", "listen.addr.deep=1", "auth.keys.9.id=1", &deep] {
        let loaded = load::<Raw>(&Sources { flags: vec![flag.to_owned()], ..Sources::default() });
        assert!(!loaded.problems.is_empty(), "{flag}");
    }
    let nested = format!("listen.addr={}", "[".repeat(100_000));
    let _ = load::<Raw>(&Sources { flags: vec![nested], ..Sources::default() });
    for file in [format!("{}x = 1", "a.".repeat(50_000)), format!("a = {}", "[".repeat(50_000))] {
        assert!(!load_from(&file, &[], &[]).problems.is_empty());
    }
}
