//! Lifetimes (A08, A09): judged once by the wall clock, kept by the monotonic one.

use std::time::Duration;

use super::*;

fn with_times(exp: Value, nbf: Option<Value>) -> String {
    let mut claims = claims();
    claims["exp"] = exp;
    if let Some(nbf) = nbf {
        claims["nbf"] = nbf;
    }
    forge(r#"{"alg":"HS256"}"#, &claims.to_string())
}

#[test]
fn a08_times_are_exact_and_the_reason_is_told() {
    let (authenticator, _hand) = authenticator(&section());
    let hour = json!(NOW_S + 3_600);
    let cases = [
        (json!(NOW_S - 3_600), None, Some((Code::TokenExpired, "expired"))),
        (json!(NOW_S - 30), None, Some((Code::TokenExpired, "expired"))),
        (json!(NOW_S - 29), None, None),
        (hour.clone(), Some(json!(NOW_S + 31)), Some((Code::TokenInvalid, "not valid yet"))),
        (hour.clone(), Some(json!(NOW_S + 30)), None),
        (hour.clone(), Some(json!("soon")), Some((Code::TokenInvalid, "nbf is not a whole"))),
        (json!(1_u64 << 63), None, Some((Code::TokenInvalid, "exp is out of range"))),
        (json!(u64::MAX), None, Some((Code::TokenInvalid, "exp is out of range"))),
        (json!(1.8e9), None, Some((Code::TokenInvalid, "exp is not a whole"))),
        (json!(-1), None, Some((Code::TokenInvalid, "exp is not a whole"))),
        (json!("1800003600"), None, Some((Code::TokenInvalid, "exp is not a whole"))),
        (json!(null), None, Some((Code::TokenInvalid, "exp is not a whole"))),
    ];
    for (exp, nbf, expected) in cases {
        let result = authenticator.token(&with_times(exp.clone(), nbf));
        match expected {
            None => assert!(result.is_ok(), "{exp}"),
            Some((code, reason)) => {
                let (found, message) = refused(result);
                assert_eq!(found, code, "{exp}");
                assert!(message.contains(reason), "{message}");
            }
        }
    }
    let mut without = claims();
    without.as_object_mut().unwrap().remove("exp");
    let token = forge(r#"{"alg":"HS256"}"#, &without.to_string());
    assert_eq!(refused(authenticator.token(&token)).1, "the token has no exp");
}

#[test]
fn a08_a_wall_clock_jump_changes_no_lifetime() {
    for jump_s in [-3_600, 3_600] {
        let (authenticator, hand) = authenticator(&section());
        let token = with_times(json!(NOW_S + 600), None);
        let identity = authenticator.token(&token).unwrap();
        hand.set_wall((NOW_S + jump_s) * 1_000_000);
        assert!(!identity.has_expired(authenticator.clock().monotonic()), "no disconnect");
        hand.advance(Duration::from_secs(629));
        assert!(!identity.has_expired(authenticator.clock().monotonic()), "leeway counts");
        hand.advance(Duration::from_secs(1));
        assert!(identity.has_expired(authenticator.clock().monotonic()), "nor immortal");
    }
}

#[test]
fn a09_an_identity_ends_with_its_token_and_a_renewed_one_goes_on() {
    let (authenticator, hand) = authenticator(&section());
    let first = authenticator.token(&with_times(json!(NOW_S + 60), None)).unwrap();
    hand.advance(Duration::from_secs(50));
    let next = authenticator.renew(&first, &with_times(json!(NOW_S + 300), None)).unwrap();
    hand.advance(Duration::from_secs(50));
    let now = authenticator.clock().monotonic();
    assert!(first.has_expired(now) && !next.has_expired(now));
    assert_eq!(next.expires(), Some(Micros((NOW_S + 300) * 1_000_000)));
    let late = authenticator.renew(&first, &with_times(json!(NOW_S + 60), None));
    assert_eq!(refused(late).0, Code::TokenExpired);
}
