//! Logs through a real subscriber into memory: canaries, formats, the level at run time.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::with_default;

use super::{LogConfig, LogError, LogFormat, LogOutput, Scrubber, subscriber};
use crate::secret::Secret;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn config(format: LogFormat, lines: &Lines) -> LogConfig {
    LogConfig { format, output: LogOutput::new(lines.clone()), ..LogConfig::default() }
}

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ";

#[test]
fn no_canary_gets_out() {
    for format in [LogFormat::Pretty, LogFormat::Json] {
        let lines = Lines::default();
        let config = config(format, &lines);
        config.scrubber.learn(&Secret::new("can\"ary/known".to_owned()));
        let (subscriber, handle) = subscriber(config).unwrap();
        handle.scrubber().learn(&Secret::new("canary-later".to_owned()));
        with_default(subscriber, || {
            tracing::info!(header = "can\"ary/known", "a can\"ary/known b");
            tracing::info!(url = "/v1?x=can%22ary%2Fknown&token=canary-query&y=1", "request");
            tracing::warn!("canary-later and {JWT}, Authorization: Bearer canary-bearer!");
            tracing::warn!(authorization = "Bearer canary-field", "X-API-Key: canary-key");
            let headers = [("x-api-key", "canary-debug"), ("host", "example")];
            tracing::warn!(?headers, "headers");
        });
        let text = lines.text();
        for canary in ["canary", "can\\\"ary", "can%22ary", "eyJ"] {
            assert!(!text.contains(canary), "{canary} in {text}");
        }
        assert!(text.contains("[redacted]") && text.contains("y=1"), "{text}");
        assert_eq!(text.lines().count(), 5, "{text}");
        if format == LogFormat::Json {
            for line in text.lines() {
                serde_json::from_str::<serde_json::Value>(line).unwrap();
            }
        }
    }
}

#[test]
fn scrubs_what_looks_like_a_credential_and_nothing_else() {
    let cases = [
        ("token=abc&x=1", "token=[redacted]&x=1"),
        ("access_token=a%2Fb", "access_token=[redacted]"),
        ("Bearer abc.def", "Bearer [redacted]"),
        ("authorization: bearer abc", "authorization: bearer [redacted]"),
        ("Authorization: Basic dXNlcjpwdw==", "Authorization: Basic [redacted]"),
        ("X-API-Key: k1", "X-API-Key: [redacted]"),
        ("{\"x-api-key\":\"k1\",\"a\":1}", "{\"x-api-key\":\"[redacted]\",\"a\":1}"),
        ("{\\\"token\\\":\\\"k1\\\"}", "{\\\"token\\\":\\\"[redacted]\\\"}"),
        ("token: Bearer abc", "token: Bearer [redacted]"),
        ("eyJa.eyJb.sig rest", "[redacted] rest"),
        ("eyJ is how a JWT begins", "eyJ is how a JWT begins"),
        ("token expired", "token expired"),
        ("no bearer, no basics", "no bearer, no basics"),
        ("tokens: 5", "tokens: 5"),
        ("ü token=ä", "ü token=ä"),
        ("", ""),
    ];
    for (line, expected) in cases {
        assert_eq!(Scrubber::default().scrub(line), expected);
    }
}

#[test]
fn short_secrets_do_not_eat_words() {
    let scrubber = Scrubber::default();
    scrubber.learn(&Secret::new("a".to_owned()));
    scrubber.learn(&Secret::new(String::new()));
    assert_eq!(scrubber.scrub("a banana"), "a banana");
}

#[test]
fn nobody_forges_a_line() {
    let lines = Lines::default();
    let (subscriber, _handle) = subscriber(config(LogFormat::Pretty, &lines)).unwrap();
    with_default(subscriber, || {
        let user = "eve\n2026-01-01 INFO all is well\r\x1b[2J\u{202e}";
        tracing::info!(user, "hello {user}");
    });
    let text = lines.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
}

#[test]
fn the_level_changes_at_run_time() {
    let lines = Lines::default();
    let (subscriber, handle) = subscriber(config(LogFormat::Pretty, &lines)).unwrap();
    with_default(subscriber, || {
        tracing::debug!("before");
        handle.set_filter("warn, fantail_ops=debug").unwrap();
        tracing::debug!("after");
        tracing::info!(target: "other", "elsewhere");
        for wrong in ["", "inof", "info,fantail_ops=loud", "=", &"x".repeat(9_999)] {
            let refused = handle.set_filter(wrong);
            assert!(matches!(refused, Err(LogError::Filter(_))), "{wrong}");
        }
        tracing::debug!("still");
        assert!(handle.filter().contains("fantail_ops=debug"), "{}", handle.filter());
    });
    let text = lines.text();
    assert!(text.contains("after") && text.contains("still"), "{text}");
    assert!(!text.contains("before") && !text.contains("elsewhere"), "{text}");
}
