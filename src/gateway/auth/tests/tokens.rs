//! Good tokens of every algorithm, and what their claims come to.

use std::time::Duration;

use fantail_wire::client::Limits;

use super::*;

fn request(kid: Option<&str>) -> MintRequest {
    MintRequest {
        user: "alice".to_owned(),
        issuer: "issuer".to_owned(),
        audience: "fantail".to_owned(),
        kid: kid.map(str::to_owned),
        lifetime: Duration::from_secs(600),
        channels: vec!["trade:*:*".to_owned(), "candle:binance:*".to_owned()],
        limits: LimitOverrides { channels: Some(9), ..LimitOverrides::default() },
    }
}

#[test]
fn what_is_minted_is_accepted_in_every_algorithm() {
    let (authenticator, _hand) = authenticator(&section());
    let private = |algorithm, pem| SigningKey::private(algorithm, pem).unwrap();
    let keys = [
        (None, SigningKey::secret(SECRET.as_bytes())),
        (Some("rsa"), private(KeyAlgorithm::RS256, RSA_PRIVATE)),
        (Some("ec"), private(KeyAlgorithm::ES256, P256_PRIVATE)),
        (Some("ed"), private(KeyAlgorithm::EdDSA, ED_PRIVATE)),
    ];
    for (kid, key) in keys {
        let token = mint(&key, &request(kid), authenticator.clock()).unwrap();
        let identity = authenticator.token(&token).unwrap();
        assert_eq!(identity.user, "alice", "{key:?}");
        assert_eq!(identity.key_id.as_deref(), kid);
        assert_eq!(identity.expires(), Some(Micros((NOW_S + 600) * 1_000_000)));
        assert_eq!(identity.limits.channels, Some(9));
        assert!(identity.permission.allows(&"candle:binance:BTC-USDT:5m".parse().unwrap()));
        assert!(!identity.permission.allows(&"candle:coinbase:BTC-USDT:5m".parse().unwrap()));
    }
    let wrong = MintRequest { channels: vec!["trades:*:*".to_owned()], ..request(None) };
    let key = SigningKey::secret(SECRET.as_bytes());
    assert!(matches!(mint(&key, &wrong, authenticator.clock()), Err(MintError::Channel { .. })));
}

#[test]
fn an_absent_claim_permits_nothing_and_a_malformed_one_is_refused() {
    let (authenticator, _hand) = authenticator(&section());
    let token = |fantail: Option<Value>| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove("fantail");
        if let Some(fantail) = fantail {
            claims["fantail"] = fantail;
        }
        forge(r#"{"alg":"HS256"}"#, &claims.to_string())
    };
    for empty in [None, Some(json!({})), Some(json!({"channels": []}))] {
        let identity = authenticator.token(&token(empty)).unwrap();
        assert!(!identity.permission.allows(&"trade:binance:BTC-USDT".parse().unwrap()));
        assert!(!identity.permission.allows_some(&"trade:*:*".parse().unwrap()));
    }
    let malformed = [
        json!(null),
        json!("trade:*:*"),
        json!({"channel": ["trade:*:*"]}),
        json!({"channels": "trade:*:*"}),
        json!({"channels": ["trade:*"]}),
        json!({"channels": [1]}),
        json!({"channels": vec!["trade:*:*"; 257]}),
        json!({"channels": ["trade:*:*"], "limits": {"chanels": 1}}),
        json!({"channels": ["trade:*:*"], "limits": {"channels": -1}}),
    ];
    for fantail in malformed {
        let (code, message) = refused(authenticator.token(&token(Some(fantail.clone()))));
        assert_eq!(code, Code::TokenInvalid, "{fantail}");
        assert!(message.contains("fantail claim"), "{message}");
    }
}

#[test]
fn limits_are_overridden_up_to_a_ceiling() {
    let node = Limits {
        channels: 1_024,
        channels_per_command: 200,
        commands_per_s: 20,
        commands_burst: 50,
        message_bytes: 65_536,
    };
    let overrides = LimitOverrides {
        channels: Some(7),
        commands_per_s: Some(u32::MAX),
        commands_burst: Some(0),
        ..LimitOverrides::default()
    };
    let limits = overrides.apply(node);
    assert_eq!((limits.channels, limits.channels_per_command), (7, 200));
    assert_eq!((limits.commands_per_s, limits.commands_burst), (1_000, 1));
}
