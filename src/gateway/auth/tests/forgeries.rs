//! Tokens made to be believed (A01 to A04, A11): each is refused with 401 and a precise reason,
//! and none makes the server ask anybody else.

use std::net::TcpListener;

use super::*;

fn check(cases: &[(String, &str)]) {
    let (authenticator, _hand) = authenticator(&section());
    for (token, reason) in cases {
        let (code, message) = refused(authenticator.token(token));
        assert_eq!(code, Code::TokenInvalid, "{token}");
        assert!(message.contains(reason), "{message:?} should say {reason:?} of {token}");
    }
}

fn claims_text() -> String {
    claims().to_string()
}

#[test]
fn a01_unsigned_tokens() {
    let unsigned = |alg: &str| {
        let header = json!({ "alg": alg, "typ": "JWT" }).to_string();
        format!("{}.{}.", b64(header.as_bytes()), b64(claims_text().as_bytes()))
    };
    let good = good_token();
    let (signed, _signature) = good.rsplit_once('.').unwrap();
    let signed_as = |alg: &str| forge(&json!({ "alg": alg }).to_string(), &claims_text());
    check(&[
        (unsigned("none"), "alg not allowed"),
        (unsigned("None"), "alg not allowed"),
        (unsigned("nOnE"), "alg not allowed"),
        (signed_as("none"), "alg not allowed"),
        (signed_as("HS384"), "alg not allowed"),
        (signed_as("hs256"), "alg not allowed"),
        (unsigned("HS256"), "not signed"),
        (signed.to_owned(), "three parts"),
        (format!("{signed}."), "not signed"),
        (format!("{signed}.AAAA"), "signature is wrong"),
        (forge(r#"{"typ":"JWT"}"#, &claims_text()), "names no algorithm"),
        (forge(r#"{"alg":1}"#, &claims_text()), "names no algorithm"),
    ]);
}

#[test]
fn a02_a_public_key_is_no_secret() {
    let key = EncodingKey::from_secret(RSA_PUBLIC.as_bytes());
    let with = |header: &str| sign_with(&key, header, &claims_text());
    check(&[
        (with(r#"{"alg":"HS256","kid":"rsa"}"#), "alg not allowed"),
        (with(r#"{"alg":"RS256","kid":"rsa"}"#), "signature is wrong"),
        (with(r#"{"alg":"HS256"}"#), "signature is wrong"),
    ]);
}

#[test]
fn a03_headers_that_point_elsewhere_are_not_followed() {
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", canary.local_addr().unwrap());
    let (authenticator, _hand) = authenticator(&section());
    let other = EncodingKey::from_secret(b"another secret of thirty-two bytes");
    for extra in ["jku", "x5u", "jwk", "x5c"] {
        let value = match extra {
            "jwk" => json!({"kty": "oct", "k": "YW5vdGhlciBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcw"}),
            "x5c" => json!([url]),
            _ => json!(url),
        };
        let header = json!({ "alg": "HS256", extra: value }).to_string();
        let forged = sign_with(&other, &header, &claims_text());
        let (code, message) = refused(authenticator.token(&forged));
        assert_eq!(code, Code::TokenInvalid, "{extra}");
        assert!(message.contains("signature is wrong"), "{message}");
        let ignored = forge(&header, &claims_text());
        assert!(authenticator.token(&ignored).is_ok(), "{extra} is ignored on a good token");
    }
    check(&[
        (forge(r#"{"alg":"HS256","crit":["exp"]}"#, &claims_text()), "header crit"),
        (forge(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, &claims_text()), "header crit"),
        (forge(r#"{"alg":"HS256","zip":"DEF"}"#, &claims_text()), "header zip"),
    ]);
    let hits = canary.accept().map(|_| 1).unwrap_or(0);
    assert_eq!(hits, 0, "nobody was asked");
}

#[test]
fn a04_a_kid_is_only_looked_up() {
    let with =
        |kid: Value| forge(&json!({ "alg": "HS256", "kid": kid }).to_string(), &claims_text());
    let unknown = "not configured here";
    check(&[
        (with(json!("../../../../dev/null")), unknown),
        (with(json!("' OR 1=1 --")), unknown),
        (with(json!("unknown")), unknown),
        (with(json!("")), unknown),
        (with(json!("k".repeat(10_240))), "longer than 8 KiB"),
        (with(json!(1)), "kid is not a text"),
        (with(json!(null)), "kid is not a text"),
    ]);
}

#[test]
fn a11_wrong_parties_and_sloppy_forms() {
    let header = r#"{"alg":"HS256","typ":"JWT"}"#;
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        forge(header, &claims.to_string())
    };
    let good = good_token();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (head, body) = signed.split_once('.').unwrap();
    let duplicate = claims_text().replacen('{', r#"{"sub":"mallory","#, 1);
    let trailing = format!("{} {{}}", claims_text());
    let deep = claims_text().replacen(
        '{',
        &format!(r#"{{"x":{}{},"#, "[".repeat(200), "]".repeat(200)),
        1,
    );
    check(&[
        (with("aud", json!("other")), "aud is not"),
        (with("aud", json!(["other", "more"])), "aud is not"),
        (with("aud", json!({"fantail": true})), "aud is not"),
        (with("iss", json!("other")), "iss is not"),
        (with("iss", json!(["issuer"])), "iss is not"),
        (with("sub", json!("")), "sub must be"),
        (with("sub", json!(["alice"])), "sub must be"),
        (with("sub", json!("a\nb")), "sub must be"),
        (with("sub", json!("a".repeat(257))), "sub must be"),
        (forge(r#"{"alg":"HS256","typ":"dpop+jwt"}"#, &claims_text()), "typ is not JWT"),
        (forge(r#"{"alg":"HS256","cty":"JWT"}"#, &claims_text()), "header cty"),
        (forge(r#"{"alg":"HS256","alg":"none"}"#, &claims_text()), "header is not JSON"),
        (forge(header, &duplicate), "claims are not JSON"),
        (forge(header, &trailing), "claims are not JSON"),
        (forge(header, &deep), "claims are not JSON"),
        (forge(header, "[]"), "claims are not JSON"),
        (with("pad", json!("x".repeat(9_000))), "longer than 8 KiB"),
        (format!("{head}=.{body}.{signature}"), "header is not JSON"),
        (format!("{head}.{body}.{signature}="), "signature is wrong"),
        (format!("{head}.{body}=.{signature}"), "signature is wrong"),
        (format!("{head}.{body}.{signature}.x"), "three parts"),
        (format!("{head}.x.{body}.x.{signature}"), "three parts"),
        (format!("{good}\n"), "signature is wrong"),
        (format!(" {good}"), "header is not JSON"),
        (String::new(), "three parts"),
        ("..".to_owned(), "header is not JSON"),
        ("\u{0}\u{7f}é.é.é".to_owned(), "header is not JSON"),
    ]);
    for name in ["aud", "iss", "sub"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        check(&[(forge(header, &claims.to_string()), name)]);
    }
    let (authenticator, _hand) = authenticator(&section());
    assert!(authenticator.token(&with("aud", json!(["other", "fantail"]))).is_ok());
}

#[test]
fn a11_bytes_that_are_not_utf8() {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signed = format!("{}.{}", b64(br#"{"alg":"HS256"}"#), b64(b"{\"sub\":\"\xff\"}"));
    install_crypto();
    let algorithm = jsonwebtoken::Algorithm::HS256;
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, algorithm).unwrap();
    check(&[(format!("{signed}.{signature}"), "claims are not JSON")]);
}
