//! Cross-site WebSocket hijacking (H06): the origin is matched exactly, as a table.

use super::*;

struct Case {
    origin: Option<&'static str>,
    host: &'static str,
    /// Whether a request with a token passes.
    token: bool,
    /// Whether one without credentials passes where anonymous sessions are allowed.
    anonymous: bool,
}

const fn case(
    origin: Option<&'static str>,
    host: &'static str,
    token: bool,
    anonymous: bool,
) -> Case {
    Case { origin, host, token, anonymous }
}

const LOOPBACK: &str = "127.0.0.1:8080";

/// Configured: https://good.example and http://dash.example:3000.
const CASES: &[Case] = &[
    case(None, LOOPBACK, true, true),
    case(None, "localhost:8080", true, true),
    case(None, "[::1]:8080", true, true),
    case(None, "good.example", true, true),
    case(None, "evil.example", true, false),
    case(None, "127.0.0.1.evil.example:8080", true, false),
    case(Some("http://127.0.0.1:8080"), LOOPBACK, true, true),
    case(Some("http://localhost:8080"), "localhost:8080", true, true),
    case(Some("http://localhost:8080"), LOOPBACK, false, false),
    case(Some("http://127.0.0.1:8081"), LOOPBACK, false, false),
    case(Some("http://127.0.0.1"), LOOPBACK, false, false),
    case(Some("https://good.example"), LOOPBACK, true, true),
    case(Some("https://good.example:443"), LOOPBACK, true, true),
    case(Some("http://dash.example:3000"), LOOPBACK, true, true),
    case(Some("http://good.example"), LOOPBACK, false, false),
    case(Some("https://good.example:8443"), LOOPBACK, false, false),
    case(Some("http://dash.example"), LOOPBACK, false, false),
    case(Some("https://evil.example"), LOOPBACK, false, false),
    case(Some("https://evil-good.example"), LOOPBACK, false, false),
    case(Some("https://sub.good.example"), LOOPBACK, false, false),
    case(Some("https://good.example.evil.example"), LOOPBACK, false, false),
    case(Some("https://good.example."), LOOPBACK, false, false),
    case(Some("https://good.example/"), LOOPBACK, false, false),
    case(Some("https://good.example@evil.example"), LOOPBACK, false, false),
    case(Some("https://g\u{043e}\u{043e}d.example"), LOOPBACK, false, false),
    case(Some("https://xn--gd-ejaa.example"), LOOPBACK, false, false),
    case(Some("null"), LOOPBACK, false, false),
    case(Some("file://"), LOOPBACK, false, false),
    case(Some(""), LOOPBACK, false, false),
    case(Some("*"), LOOPBACK, false, false),
    // DNS rebinding: the page is its "own origin", but without credentials that is not enough.
    case(Some("http://evil.example:8080"), "evil.example:8080", true, false),
];

fn section_with_origins() -> AuthSection {
    AuthSection {
        anonymous: true,
        origins: vec!["https://good.example".to_owned(), "http://dash.example:3000".to_owned()],
        ..section()
    }
}

#[test]
fn h06_origins_are_matched_exactly() {
    let (authenticator, _hand) = authenticator(&section_with_origins());
    let bearer = format!("Bearer {}", good_token());
    for case in CASES {
        let mut lines = vec![("host", case.host)];
        lines.extend(case.origin.map(|origin| ("origin", origin)));
        let check = |lines: &[(&str, &str)], passes: bool| {
            let result = authenticator.handshake(&headers(lines), &uri("/v1/stream"), PEER);
            let told = format!("{:?} at {}: {result:?}", case.origin, case.host);
            assert_eq!(result.is_ok(), passes, "{told}");
            if let Err(refusal) = result {
                assert_eq!(refusal.code(), Code::OriginForbidden, "{told}");
            }
        };
        check(&lines, case.anonymous);
        lines.push(("authorization", &bearer));
        check(&lines, case.token);
    }
}

#[test]
fn h06_a_cookie_is_no_credential_and_two_origins_are_none() {
    let (strict, _hand) = authenticator(&section());
    let cookie = headers(&[("host", LOOPBACK), ("cookie", "session=1")]);
    let (code, _) = refused(strict.handshake(&cookie, &uri("/v1/stream"), PEER));
    assert_eq!(code, Code::TokenInvalid);
    let (open, _hand) = authenticator(&section_with_origins());
    let two = headers(&[
        ("host", LOOPBACK),
        ("origin", "https://good.example"),
        ("origin", "https://evil.example"),
    ]);
    assert_eq!(refused(open.handshake(&two, &uri("/"), PEER)).0, Code::OriginForbidden);
    let hosts = headers(&[("host", LOOPBACK), ("host", "evil.example")]);
    assert_eq!(refused(open.handshake(&hosts, &uri("/"), PEER)).0, Code::OriginForbidden);
}
