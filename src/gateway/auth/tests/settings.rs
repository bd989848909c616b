//! The `[auth]` section: all of it is understood, and every mistake is told at once.

use super::*;

#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct File {
    auth: AuthSection,
}

fn keys_of(section: &AuthSection) -> Vec<String> {
    let mut problems = Problems::default();
    let _ = section.meaning(&mut problems);
    problems.list().iter().map(|problem| problem.key.clone()).collect()
}

#[test]
fn a_whole_section_is_read() {
    let text = json!({"auth": {
        "anonymous": true,
        "anonymous_channels": ["trade:*:*", "candle:*:*"],
        "origins": ["https://x.example"],
        "query_token": true,
        "leeway": "10s",
        "ip_deny": ["10.0.0.0/8"],
        "keys": [{"kid": "a", "alg": "HS256", "secret": SECRET, "iss": "i", "aud": "a"}],
        "api_keys": [{
            "id": "x", "hash": hex(&[7; 32]), "user": "u", "channels": ["trade:*:*"],
            "limits": {"channels": 5}, "scopes": ["rest"],
        }],
    }});
    let file: File = serde_json::from_value(text).unwrap();
    let mut problems = Problems::default();
    let config = file.auth.meaning(&mut problems);
    problems.into_result().unwrap();
    assert!(config.anonymous.is_some() && config.query_token && !config.admits_nobody());
    assert_eq!((config.leeway.as_secs(), config.keys.len(), config.origins.len()), (10, 1, 1));
    let unknown = serde_json::from_value::<File>(json!({"auth": {"anonymus": true}}));
    assert!(unknown.is_err(), "unknown keys are refused");
    let algorithm = json!({"auth": {"keys": [{"alg": "none", "iss": "i", "aud": "a"}]}});
    assert!(serde_json::from_value::<File>(algorithm).is_err());
    let default = AuthSection::default().meaning(&mut Problems::default());
    assert!(default.admits_nobody() && default.anonymous.is_none());
}

#[test]
fn every_mistake_is_told_with_its_key() {
    let text = json!({"auth": {
        "anonymous_channels": ["trade:*:*", "trades:*:*"],
        "origins": ["*", "https://x.example", "https://x.example/path"],
        "leeway": "10m",
        "ip_allow": ["10.0.0.1/8"],
        "keys": [
            {"alg": "HS256", "secret": "short", "iss": "i", "aud": ""},
            {"alg": "RS256", "secret": SECRET, "iss": "i", "aud": "a"},
            {"alg": "RS256", "public_key": RSA_PRIVATE, "iss": "i", "aud": "a"},
            {"alg": "ES256", "public_key": RSA_PUBLIC, "iss": "i", "aud": "a"},
            {"alg": "EdDSA", "public_key_file": "/nonexistent/key.pem", "iss": "i", "aud": "a"},
            {"alg": "HS256", "public_key": RSA_PUBLIC, "iss": "i", "aud": "a"},
        ],
        "api_keys": [
            {"id": "x", "hash": "abc", "user": "u", "channels": ["*"]},
            {"id": "x", "hash": hex(&[7; 32]), "user": "", "channels": []},
            {"id": "X_Y", "hash": hex(&[7; 32]), "user": "u", "channels": []},
        ],
    }});
    let file: File = serde_json::from_value(text).unwrap();
    let expected = [
        "auth.anonymous_channels.1",
        "auth.origins.0",
        "auth.origins.2",
        "auth.leeway",
        "auth.ip_allow.0",
        "auth.keys.0.aud",
        "auth.keys.0.secret",
        "auth.keys.1.secret",
        "auth.keys.1",
        "auth.keys.2.public_key",
        "auth.keys.3.public_key",
        "auth.keys.4.public_key_file",
        "auth.keys.5.alg",
        "auth.api_keys.0.hash",
        "auth.api_keys.0.channels.0",
        "auth.api_keys.1.user",
        "auth.api_keys.1.id",
        "auth.api_keys.2.id",
    ];
    assert_eq!(keys_of(&file.auth), expected);
}

#[test]
fn keys_are_of_their_algorithm_and_strong_enough() {
    let weak = include_str!("keys/rsa1024-public.pem");
    let curve = include_str!("keys/p384-public.pem");
    let read = |algorithm, pem| {
        VerificationKey::public(None, "i".into(), "a".into(), algorithm, pem).map(|_| ())
    };
    assert_eq!(read(KeyAlgorithm::RS256, weak), Err(KeyError::TooSmall));
    assert_eq!(read(KeyAlgorithm::ES256, curve), Err(KeyError::Unreadable));
    assert_eq!(read(KeyAlgorithm::EdDSA, P256_PUBLIC), Err(KeyError::Unreadable));
    assert_eq!(read(KeyAlgorithm::HS256, RSA_PUBLIC), Err(KeyError::WrongKind));
    assert_eq!(read(KeyAlgorithm::RS256, "garbage"), Err(KeyError::Unreadable));
    let file = tempfile_with(ED_PUBLIC);
    let section = AuthSection {
        keys: vec![KeySection {
            kid: None,
            alg: KeyAlgorithm::EdDSA,
            secret: None,
            public_key: None,
            public_key_file: Some(file.clone()),
            iss: "i".to_owned(),
            aud: "a".to_owned(),
        }],
        ..AuthSection::default()
    };
    assert!(keys_of(&section).is_empty());
    std::fs::remove_file(file).unwrap();
}

fn tempfile_with(text: &str) -> std::path::PathBuf {
    let name = format!("fantail-auth-{}.pem", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).unwrap();
    path
}
