//! API keys (A12): guessing is slow for who guesses, and time tells nothing.

use std::sync::Arc;

use std::time::Duration;

use super::*;

fn try_key(authenticator: &Authenticator, key: &str) -> Result<Arc<Identity>, Refusal> {
    authenticator.handshake(&headers(&[("x-api-key", key)]), &uri("/v1/stream"), PEER)
}

#[test]
fn a12_only_the_exact_key_is_known() {
    let quiet = AuthSection { failed_attempts_per_minute: 0, ..section() };
    let (authenticator, _hand) = authenticator(&quiet);
    let identity = try_key(&authenticator, &format!("ftk_desk-1_{API_SECRET}")).unwrap();
    assert_eq!((identity.user.as_str(), identity.kind), ("desk", CredentialKind::ApiKey));
    assert_eq!(identity.key_id.as_deref(), Some("desk-1"));
    assert!(identity.expiry.is_none() && identity.scopes == Scopes::ALL);
    let long = format!("ftk_desk-1_{}", "a".repeat(1_000));
    let wrong = [
        "ftk_desk-1_",
        "ftk_desk-1",
        "ftk_desk-1_4f1d0c7b9a3e5d29",
        "ftk_desk-2_4f1d0c7b9a3e5d28",
        "ftk_DESK-1_4f1d0c7b9a3e5d28",
        "ftk__4f1d0c7b9a3e5d28",
        "FTK_desk-1_4f1d0c7b9a3e5d28",
        "desk-1_4f1d0c7b9a3e5d28",
        "ftk_desk-1_4f1d0c7b9a3e5d28_",
        "",
        &long,
    ];
    for key in wrong {
        let (code, message) = refused(try_key(&authenticator, key));
        assert_eq!(code, Code::KeyUnknown, "{key}");
        assert_eq!(message, "the API key is not known here", "the same for every reason");
    }
}

#[test]
fn a12_guessers_have_to_wait() {
    let (authenticator, hand) =
        authenticator(&AuthSection { failed_attempts_per_minute: 3, ..section() });
    let good = format!("ftk_desk-1_{API_SECRET}");
    for _ in 0..3 {
        assert_eq!(refused(try_key(&authenticator, "ftk_desk-1_x")).0, Code::KeyUnknown);
    }
    let refusal = try_key(&authenticator, &good).unwrap_err();
    assert_eq!((refusal.code(), refusal.status().as_u16()), (Code::RateExceeded, 429));
    assert_eq!(refusal.retry_after(), Some(Duration::from_secs(60)));
    let elsewhere = "192.0.2.8".parse().unwrap();
    let request = headers(&[("x-api-key", &good)]);
    assert!(authenticator.handshake(&request, &uri("/"), elsewhere).is_ok(), "others go on");
    hand.advance(Duration::from_secs(60));
    assert!(try_key(&authenticator, &good).is_ok());
}

#[test]
fn a12_expired_tokens_are_no_guesses() {
    let (authenticator, hand) =
        authenticator(&AuthSection { failed_attempts_per_minute: 1, ..section() });
    let token = format!("Bearer {}", good_token());
    let request = headers(&[("authorization", &token)]);
    hand.advance(Duration::from_secs(7_200));
    for _ in 0..5 {
        let result = authenticator.handshake(&request, &uri("/"), PEER);
        assert_eq!(refused(result).0, Code::TokenExpired);
    }
}

/// Known id with a wrong secret against an unknown id, interleaved. Welch's t with the slowest
/// tenth dropped, because other processes share the machine.
#[test]
#[allow(clippy::disallowed_methods, reason = "the test measures real time")]
fn a12_time_does_not_tell_which_ids_exist() {
    const SAMPLES: usize = 20_000;
    let mut problems = Problems::default();
    let keys = section().meaning(&mut problems).api_keys;
    let offered = ["ftk_desk-1_0000000000000000", "ftk_desk-9_0000000000000000"];
    let mut times = [Vec::with_capacity(SAMPLES), Vec::with_capacity(SAMPLES)];
    for n in 0..2 * SAMPLES {
        let which = n % 2;
        let start = std::time::Instant::now();
        assert!(std::hint::black_box(keys.identify(offered[which])).is_none());
        times[which].push(start.elapsed().as_nanos() as f64);
    }
    let [known, unknown] = times.map(|mut list| {
        list.sort_by(f64::total_cmp);
        list.truncate(SAMPLES * 9 / 10);
        list.iter().sum::<f64>() / list.len() as f64
    });
    let difference = (known - unknown).abs();
    assert!(difference < 100.0, "{known:.0} ns against {unknown:.0} ns");
}
