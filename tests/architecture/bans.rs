//! What no file may hold, with the reason and the few places where it may.

use super::code::{line_of, words};
use super::source::{Language, Place, Source};

/// A text that may not stand in code.
struct Ban {
    /// Matched as a whole word where it begins or ends like one.
    text: &'static str,
    /// Why, or what to use instead.
    reason: &'static str,
    /// Beginnings of the paths where it may.
    except: &'static [&'static str],
}

const fn ban(text: &'static str, reason: &'static str) -> Ban {
    Ban { text, reason, except: &[] }
}

/// Files that may hold `unsafe`, each with its reason there.
pub(crate) const UNSAFE: &[&str] = &["loadtest/uring.rs", "src/gateway/shard/ring.rs"];

const BANS: &[Ban] = &[
    ban("todo!(", "finish it or leave it out"),
    ban("unimplemented!(", "finish it or leave it out"),
    ban("#[ignore", "a test runs or is deleted"),
    ban("unbounded_channel", "every queue has a named bound"),
    ban("UnboundedSender", "every queue has a named bound"),
    ban("thread::sleep", "wait for a condition, never for a while"),
    Ban {
        text: "SystemTime::now",
        reason: "time comes in through ops::clock",
        // The checker depends on nothing of ours, so it has a clock of its own.
        except: &["src/ops/clock", "tests/checker/clock.rs"],
    },
    Ban {
        text: "Instant::now",
        reason: "time comes in through ops::clock",
        // The runtime's timers have instants of their own, and one test measures a comparison;
        // std's are banned by clippy everywhere.
        except: &[
            "src/ops/clock",
            "ingest/simulator/",
            "src/node/tap/",
            "src/gateway/auth/tests/",
            "tests/checker/clock.rs",
        ],
    },
    Ban { text: "unsafe", reason: "in listed files only", except: UNSAFE },
    Ban {
        text: "rdkafka",
        reason: "src/bus/kafka.rs and its parts are the only files of the server that name it",
        // The checker's own reader, which must not be the bus's.
        except: &["src/bus/kafka.rs", "src/bus/kafka/", "tests/checker/kafka.rs"],
    },
    ban("mod common", "name it after its idea"),
    ban("mod utils", "name it after its idea"),
    ban("mod util", "name it after its idea"),
    ban("mod helpers", "name it after its idea"),
    ban("mod misc", "name it after its idea"),
];

/// Bans on Rust code, outside comments and strings.
pub(crate) fn code(source: &Source) -> Vec<Place> {
    if source.language != Language::Rust {
        return Vec::new();
    }
    let mut places = Vec::new();
    for ban in BANS {
        if ban.except.iter().any(|path| source.path.starts_with(path)) {
            continue;
        }
        for at in words(&source.code, ban.text) {
            let rule = format!("{}: {}", ban.text, ban.reason);
            places.push(source.place(line_of(&source.code, at), rule));
        }
    }
    places.extend(std_channels(source));
    places
}

/// `std::sync::mpsc::channel()`: the one queue constructor without an argument for its bound.
fn std_channels(source: &Source) -> Vec<Place> {
    let name = "mpsc::channel";
    let unbounded = |at: &usize| {
        let rest = source.code[at + name.len()..].trim_start();
        let arguments = match rest.strip_prefix("::<") {
            Some(typed) => typed.split_once('(').map_or("", |(_, after)| after),
            None => rest.strip_prefix('(').unwrap_or(""),
        };
        arguments.trim_start().starts_with(')')
    };
    words(&source.code, name)
        .filter(unbounded)
        .map(|at| source.place(line_of(&source.code, at), "mpsc::channel(): it has no bound"))
        .collect()
}

/// Marks of unfinished work, also in comments. Put together here so as not to find themselves.
pub(crate) fn unfinished(source: &Source) -> Vec<Place> {
    if source.language == Language::Other && !source.path.ends_with(".py") {
        return Vec::new();
    }
    find(source, &[concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK:")], "unfinished")
}

/// Paths that exist on one machine only.
pub(crate) fn machine_paths(source: &Source) -> Vec<Place> {
    let paths = [
        concat!("/wo", "rk/"),
        concat!("/wo", "rk\""),
        concat!("/ro", "ot/"),
        concat!("/fa", "rm/"),
    ];
    find(source, &paths, "a path of one machine")
}

fn find(source: &Source, texts: &[&str], rule: &str) -> Vec<Place> {
    let mut places = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        for text in texts.iter().filter(|text| words(line, text).next().is_some()) {
            places.push(source.place(number + 1, format!("{rule}: {text}")));
        }
    }
    places
}

#[test]
fn banned_code_is_found_where_it_is_code() {
    let check = |path: &str, text: &str, wanted: usize| {
        let places = code(&Source::new(path.to_owned(), text.to_owned()));
        assert_eq!(places.len(), wanted, "{text}: {places:?}");
    };
    check("a.rs", "#![forbid(unsafe_code)] // unsafe\nlet a = \"todo!()\";", 0);
    check("a.rs", "unsafe { todo!() }", 2);
    check("src/bus/kafka.rs", "use rdkafka::Message;", 0);
    check("src/bus/topic.rs", "use rdkafka::Message;", 1);
    check("src/ops/clock.rs", "Instant::now()", 0);
    check("a.rs", "tokio::time::Instant::now()", 1);
    check("a.rs", "mpsc::channel(); mpsc::channel::<Vec<(u8, u8)>>(LIMIT)", 1);
    check("a.rs", "mpsc::channel(LIMIT); mpsc::channel::<u8>()", 1);
    check("a.rs", "mod common; mod commons;", 1);
}
