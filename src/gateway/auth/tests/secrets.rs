//! Nothing that is shown holds a credential (A15): canaries in every place one can be.

use super::*;

const CANARY: &str = "canary7f3a9d";

#[test]
fn a15_no_refusal_repeats_a_credential() {
    let (authenticator, _hand) = authenticator(&AuthSection {
        failed_attempts_per_minute: 0,
        query_token: true,
        ..section()
    });
    let in_claims = forge(
        r#"{"alg":"HS256"}"#,
        &json!({"sub": CANARY, "exp": NOW_S + 10, "iss": CANARY, "aud": CANARY}).to_string(),
    );
    let in_header = forge(&json!({"alg": "HS256", "kid": CANARY}).to_string(), "{}");
    let places: Vec<(Vec<(&str, String)>, String)> = vec![
        (vec![("authorization", format!("Bearer {CANARY}"))], "/".to_owned()),
        (vec![("authorization", format!("Basic {CANARY}"))], "/".to_owned()),
        (vec![("authorization", format!("Bearer {in_claims}"))], "/".to_owned()),
        (vec![("authorization", format!("Bearer {in_header}"))], "/".to_owned()),
        (vec![("x-api-key", format!("ftk_{CANARY}_{CANARY}"))], "/".to_owned()),
        (vec![("sec-websocket-protocol", format!("bearer.{CANARY}"))], "/".to_owned()),
        (vec![], format!("/?token={CANARY}")),
        (vec![("origin", format!("https://{CANARY}.example"))], "/".to_owned()),
        (vec![("x-api-key", CANARY.to_owned())], format!("/?token={CANARY}")),
    ];
    for (lines, target) in places {
        let lines: Vec<(&str, &str)> = lines.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let refusal = authenticator.handshake(&headers(&lines), &uri(&target), PEER).unwrap_err();
        let shown = format!("{refusal:?} {:?}", refusal.clone().into_response("r"));
        assert!(!shown.contains(CANARY) && !shown.contains("eyJ"), "{shown}");
    }
}

#[test]
fn a15_no_debug_output_holds_a_secret() {
    let (authenticator, _hand) = authenticator(&section());
    let key = SigningKey::secret(SECRET.as_bytes());
    let shown = format!("{authenticator:?} {:?} {key:?}", section());

    assert!(!shown.contains(SECRET) && !shown.contains(API_SECRET), "{shown}");
    assert!(shown.contains("VerificationKey"), "{shown}");
}

#[test]
fn a_refusal_is_one_json_shape_with_its_headers() {
    let refusal = Refusal::new(Code::RateExceeded, "wait \"a bit\"")
        .with_detail("limit", 3)
        .with_retry_after(std::time::Duration::from_millis(1_500));
    let response = refusal.into_response("01R");
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "2");
    assert_eq!(response.headers()["x-request-id"], "01R");
    assert!(!response.headers().contains_key("www-authenticate"));
    let response = Refusal::new(Code::TokenExpired, "expired").into_response("01R");
    assert_eq!(response.status(), 401);
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert_eq!(challenge, "Bearer realm=\"fantail\", error=\"invalid_token\"");
}
