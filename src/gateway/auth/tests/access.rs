//! Carriers, addresses and permissions (A10, A14, A17, A18).

use fantail_model::{Channel, Pattern};

use super::*;

#[test]
fn a_token_may_come_by_any_of_four_carriers_but_only_one() {
    let (authenticator, _hand) = authenticator(&AuthSection { query_token: true, ..section() });
    let token = good_token();
    let bearer = format!("Bearer {token}");
    let subprotocols = format!("fantail.v1.json, bearer.{token}");
    let query = format!("/v1/stream?batch=true&token={token}");
    let key = format!("ftk_desk-1_{API_SECRET}");
    let good: [(&[(&str, &str)], &str); 5] = [
        (&[("authorization", &bearer)], "/v1/stream"),
        (&[("authorization", &bearer.replacen("Bearer", "bearer", 1))], "/v1/stream"),
        (&[("x-api-key", &key)], "/v1/stream"),
        (&[("sec-websocket-protocol", &subprotocols)], "/v1/stream"),
        (&[], &query),
    ];
    for (lines, target) in good {
        let result = authenticator.handshake(&headers(lines), &uri(target), PEER);
        assert!(result.is_ok(), "{lines:?} {target}: {result:?}");
    }
    let twice: [(&[(&str, &str)], &str); 4] = [
        (&[("authorization", &bearer), ("x-api-key", &key)], "/v1/stream"),
        (&[("authorization", &bearer), ("authorization", &bearer)], "/v1/stream"),
        (&[("authorization", &bearer), ("sec-websocket-protocol", &subprotocols)], "/v1/stream"),
        (&[("authorization", &bearer)], &query),
    ];
    for (lines, target) in twice {
        let (code, message) = refused(authenticator.handshake(&headers(lines), &uri(target), PEER));
        assert_eq!(code, Code::BadRequest);
        assert!(message.contains("more than one credential"), "{message}");
    }
    let none = refused(authenticator.handshake(&headers(&[]), &uri("/v1/stream"), PEER));
    assert_eq!(none.0, Code::TokenInvalid);
    let basic = headers(&[("authorization", "Basic YTpi")]);
    assert_eq!(refused(authenticator.handshake(&basic, &uri("/"), PEER)).0, Code::TokenInvalid);
}

#[test]
fn a14_a_token_in_the_query_needs_the_flag() {
    let (authenticator, _hand) = authenticator(&section());
    let target = format!("/v1/stream?token={}", good_token());
    let (code, message) = refused(authenticator.handshake(&headers(&[]), &uri(&target), PEER));
    assert_eq!(code, Code::BadRequest);
    assert!(message.contains("not accepted here") && !message.contains("eyJ"), "{message}");
}

#[test]
fn a10_a_renewed_token_may_permit_less_but_keeps_its_user() {
    let (authenticator, _hand) = authenticator(&section());
    let channel: Channel = "book:binance:BTC-USDT".parse().unwrap();
    let first = authenticator.token(&good_token()).unwrap();
    assert!(first.permission.allows(&channel));
    let mut reduced = claims();
    reduced["fantail"] = json!({"channels": ["trade:binance:*"]});
    let token = forge(r#"{"alg":"HS256"}"#, &reduced.to_string());
    let next = authenticator.renew(&first, &token).unwrap();
    assert!(!next.permission.allows(&channel));
    reduced["sub"] = json!("mallory");
    let other = forge(r#"{"alg":"HS256"}"#, &reduced.to_string());
    assert_eq!(refused(authenticator.renew(&first, &other)).0, Code::Forbidden);
    let key = Identity { kind: CredentialKind::ApiKey, user: "alice".to_owned(), ..first };
    assert_eq!(refused(authenticator.renew(&key, &token)).0, Code::Forbidden);
}

#[test]
fn a17_a_permission_is_exact() {
    let (authenticator, _hand) = authenticator(&section());
    let permission = authenticator.token(&good_token()).unwrap().permission;
    // Granted: book:binance:* and candle:*:BTC-USDT.
    let channels = [
        ("book:binance:BTC-USDT", true),
        ("book:binance:BTC-USDT:10", true),
        ("book:binance:BTC-USDT@250ms", true),
        ("book:binance-usdm:BTC-USDT", false),
        ("book:coinbase:BTC-USDT", false),
        ("trade:binance:BTC-USDT", false),
        ("candle:coinbase:BTC-USDT:4h", true),
        ("candle:coinbase:BTC-USD:4h", false),
        ("status:binance", true),
        ("status:binance:ETH-USDT", true),
        ("cbbo:BTC-USDT", false),
    ];
    for (name, allowed) in channels {
        assert_eq!(permission.allows(&name.parse().unwrap()), allowed, "{name}");
    }
    let look_alikes = [
        "book:bin\u{0430}nce:BTC-USDT",
        "book:BINANCE:BTC-USDT",
        "book:binance:btc-usdt",
        "book:binance:BTC-USDT ",
        "book:binance:BTC-USDT\u{0}",
        "Book:binance:BTC-USDT",
    ];
    for name in look_alikes {
        assert!(name.parse::<Channel>().is_err(), "{name} names nothing");
    }
    assert!("book:binance:".parse::<Channel>().is_err());
    assert!(format!("book:binance:{}", "A".repeat(10_240)).parse::<Channel>().is_err());
    let patterns = [
        ("book:*:*", true),
        ("book:*:BTC-USDT", true),
        ("book:coinbase:*", false),
        ("trade:*:*", false),
        ("candle:coinbase:*:1m", true),
        ("candle:*:ETH-USDT:1m", false),
        ("status:*", true),
        ("cbbo:*", false),
    ];
    for (pattern, some) in patterns {
        let wanted: Pattern = pattern.parse().unwrap();
        assert_eq!(permission.allows_some(&wanted), some, "{pattern}");
    }
    let everything = Permission::everything();
    for (name, _) in channels {
        assert!(everything.allows(&name.parse().unwrap()), "{name}");
    }
}

#[test]
fn a18_addresses_are_judged_before_credentials() {
    let (authenticator, _hand) = authenticator(&AuthSection {
        ip_allow: vec!["192.0.2.0/24".to_owned()],
        ip_deny: vec!["192.0.2.128/25".to_owned()],
        ..section()
    });
    let cases = [
        ("192.0.2.127", true),
        ("192.0.2.128", false),
        ("::ffff:192.0.2.127", true),
        ("::ffff:192.0.2.129", false),
        ("198.51.100.1", false),
        ("::1", false),
    ];
    let garbage = headers(&[("authorization", "Bearer x"), ("x-api-key", "y")]);
    for (address, permitted) in cases {
        let result = authenticator.handshake(&garbage, &uri("/"), address.parse().unwrap());
        let expected = if permitted { Code::BadRequest } else { Code::IpForbidden };
        assert_eq!(refused(result).0, expected, "{address}");
    }
}
