//! Authentication, row by row of the attack catalogue (A…, H06). Shared here: keys, a stopped
//! clock, and a forge for tokens no honest issuer would make.

mod access;
mod api_keys;
mod forgeries;
mod origins;
mod secrets;
mod settings;
mod times;
mod tokens;

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fantail_ops::clock::{Clock, ManualClock};
use fantail_ops::config::Problems;
use fantail_wire::codes::Code;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

use super::*;

pub(super) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
pub(super) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(super) const API_SECRET: &str = "4f1d0c7b9a3e5d28";
/// 2027-01-15 08:00:00 UTC.
pub(super) const NOW_S: i64 = 1_800_000_000;

pub(super) const RSA_PRIVATE: &str = include_str!("keys/rsa-private.pem");
pub(super) const RSA_PUBLIC: &str = include_str!("keys/rsa-public.pem");
pub(super) const P256_PRIVATE: &str = include_str!("keys/p256-private.pem");
pub(super) const P256_PUBLIC: &str = include_str!("keys/p256-public.pem");
pub(super) const ED_PRIVATE: &str = include_str!("keys/ed25519-private.pem");
pub(super) const ED_PUBLIC: &str = include_str!("keys/ed25519-public.pem");

/// One key of each algorithm, an API key, a leeway of 30 s.
pub(super) fn section() -> AuthSection {
    let key = |kid: Option<&str>, alg, secret: Option<&str>, public: Option<&str>| KeySection {
        kid: kid.map(str::to_owned),
        alg,
        secret: secret.map(|text| fantail_ops::secret::Secret::new(text.to_owned())),
        public_key: public.map(str::to_owned),
        public_key_file: None,
        iss: "issuer".to_owned(),
        aud: "fantail".to_owned(),
    };
    AuthSection {
        keys: vec![
            key(None, KeyAlgorithm::HS256, Some(SECRET), None),
            key(Some("rsa"), KeyAlgorithm::RS256, None, Some(RSA_PUBLIC)),
            key(Some("ec"), KeyAlgorithm::ES256, None, Some(P256_PUBLIC)),
            key(Some("ed"), KeyAlgorithm::EdDSA, None, Some(ED_PUBLIC)),
        ],
        api_keys: vec![ApiKeySection {
            id: "desk-1".to_owned(),
            hash: hex(&hash_api_key_secret(API_SECRET)),
            user: "desk".to_owned(),
            channels: vec!["trade:binance:*".to_owned()],
            limits: LimitOverrides::default(),
            scopes: Vec::new(),
        }],
        ..AuthSection::default()
    }
}

pub(super) fn authenticator(section: &AuthSection) -> (Authenticator, ManualClock) {
    let mut problems = Problems::default();
    let config = section.meaning(&mut problems);
    problems.into_result().unwrap();
    let (clock, hand) = Clock::manual(NOW_S * 1_000_000);
    (Authenticator::new(config, clock), hand)
}

/// Claims that are accepted, for an hour.
pub(super) fn claims() -> Value {
    json!({
        "sub": "alice", "iss": "issuer", "aud": "fantail", "exp": NOW_S + 3_600,
        "fantail": {"channels": ["book:binance:*", "candle:*:BTC-USDT"], "limits": {"channels": 7}},
    })
}

/// Signs any header and claims, as text, with the HS256 secret.
pub(super) fn forge(header: &str, claims: &str) -> String {
    sign_with(&EncodingKey::from_secret(SECRET.as_bytes()), header, claims)
}

pub(super) fn sign_with(key: &EncodingKey, header: &str, claims: &str) -> String {
    install_crypto();
    let signed = format!("{}.{}", b64(header.as_bytes()), b64(claims.as_bytes()));
    let algorithm = jsonwebtoken::Algorithm::HS256;
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), key, algorithm).unwrap();
    format!("{signed}.{signature}")
}

pub(super) fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn good_token() -> String {
    forge(r#"{"alg":"HS256","typ":"JWT"}"#, &claims().to_string())
}

pub(super) fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

pub(super) fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

/// Code and message of what must be refused.
pub(super) fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>) -> (Code, String) {
    let refusal = result.expect_err("must be refused");
    (refusal.code(), refusal.message().to_owned())
}
