//! Row W15: extension offers, good, bad and hostile.

use super::super::limits::SERVER_WINDOW_BITS;
use super::super::negotiate::negotiate;

const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// The answer to one header line.
fn answer(offers: &str) -> Option<String> {
    negotiate([offers], SERVER_WINDOW_BITS).map(|agreed| agreed.answer())
}

#[test]
fn offers_of_real_clients() {
    let window = format!("{PLAIN}; server_max_window_bits=12; client_max_window_bits=12");
    for (client, offers, expected) in [
        ("browsers", "permessage-deflate; client_max_window_bits", PLAIN),
        ("bare", "permessage-deflate", PLAIN),
        (
            "python websockets",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
            &window,
        ),
        (
            "ws",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             client_max_window_bits",
            PLAIN,
        ),
    ] {
        assert_eq!(answer(offers).as_deref(), Some(expected), "{client}");
    }
}

#[test]
fn w15_window_bits() {
    for bits in ["7", "8", "9", "10", "11", "16", "x", "", "012", "12 3", "-12", "99", "120"] {
        let offers = format!("permessage-deflate; server_max_window_bits={bits}");
        assert_eq!(answer(&offers), None, "{offers}");
    }
    assert_eq!(answer("permessage-deflate; server_max_window_bits"), None);
    for bits in 12..=15 {
        let offers = format!("permessage-deflate; server_max_window_bits={bits}");
        // Ours is 12, which honours any limit from 12 on.
        assert_eq!(answer(&offers), Some(format!("{PLAIN}; server_max_window_bits=12")));
    }
    for bits in ["7", "16", "x", "", "08", "256"] {
        let offers = format!("permessage-deflate; client_max_window_bits={bits}");
        assert_eq!(answer(&offers), None, "{offers}");
    }
    for bits in 8..=15 {
        let offers = format!("permessage-deflate; client_max_window_bits={bits}");
        assert_eq!(answer(&offers), Some(format!("{PLAIN}; client_max_window_bits={bits}")));
    }
    let quoted = r#"permessage-deflate; client_max_window_bits="10""#;
    assert_eq!(answer(quoted), Some(format!("{PLAIN}; client_max_window_bits=10")));
}

#[test]
fn w15_duplicate_and_unknown_parameters_decline_the_offer() {
    for parameters in [
        "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits; client_max_window_bits=10",
        "server_max_window_bits=15; server_max_window_bits=12",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "client_no_context_takeover=1",
        "server_no_context_takeover=\"\"",
        "mystery",
        "mystery; client_no_context_takeover",
        "mystery=\"a, b; c \\\" d\"",
    ] {
        let offer = format!("permessage-deflate; {parameters}");
        assert_eq!(answer(&offer), None, "{offer}");
        // The next offer is unaffected: the client's fallback wins.
        assert_eq!(answer(&format!("{offer}, permessage-deflate")).as_deref(), Some(PLAIN));
    }
}

#[test]
fn w15_the_first_acceptable_offer_wins() {
    let offers = "x-webkit-deflate-frame, , permessage-deflate;server_max_window_bits=10 ,\t\
                  permessage-deflate ; client_max_window_bits = 9, permessage-deflate";
    assert_eq!(answer(offers), Some(format!("{PLAIN}; client_max_window_bits=9")));
    let lines = [
        "x-other; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate",
    ];
    assert_eq!(
        negotiate(lines, SERVER_WINDOW_BITS).map(|agreed| agreed.answer()).as_deref(),
        Some(PLAIN)
    );
    assert_eq!(negotiate([] as [&str; 0], SERVER_WINDOW_BITS), None);
}

#[test]
fn w15_broken_grammar_gets_no_extension() {
    for offers in [
        "",
        ",",
        ";",
        "=",
        "\"permessage-deflate\"",
        "permessage-deflate;",
        "permessage-deflate; =",
        "permessage-deflate; client_max_window_bits=",
        "permessage-deflate; client_max_window_bits=\"10",
        "permessage-deflate; client_max_window_bits=\"10\\",
        "permessage-deflate client_max_window_bits",
        "permessage-deflate\0",
        "permessage-deflate\u{e9}",
        "bad grammar, permessage-deflate",
    ] {
        assert_eq!(answer(offers), None, "{offers:?}");
    }
    assert_eq!(negotiate([b"permessage-deflate; \xFF"], SERVER_WINDOW_BITS), None);
}

#[test]
fn w15_hostile_amounts() {
    let bad = "permessage-deflate; server_max_window_bits=8";
    let hundred = format!("{}, permessage-deflate", vec!["x"; 100].join(", "));
    assert_eq!(answer(&hundred), None);
    let fifteen = format!("{}, permessage-deflate", vec![bad; 15].join(", "));
    assert_eq!(answer(&fifteen).as_deref(), Some(PLAIN));
    let sixteen = format!("{}, permessage-deflate", vec![bad; 16].join(", "));
    assert_eq!(answer(&sixteen), None);
    for filler in [",", " ", "a", ";a", "=", "\"", "\\", "a=\"", "permessage-deflate;"] {
        let long = filler.repeat(8_192 / filler.len());
        assert_eq!(answer(&long), None);
        assert_eq!(answer(&format!("permessage-deflate;a=\"{long}")), None);
        let lines = long.as_bytes().chunks(64);
        assert_eq!(negotiate(lines, SERVER_WINDOW_BITS), None);
    }
    assert_eq!(negotiate(vec![""; 10_000], SERVER_WINDOW_BITS), None);
    let padded = |bytes: usize| format!("{:>bytes$}", "permessage-deflate");
    assert_eq!(answer(&padded(2_048)).as_deref(), Some(PLAIN));
    assert_eq!(answer(&padded(2_049)), None);
}

#[test]
fn w15_a_smaller_window_of_ours_fits_more_offers() {
    let small = |bits: u8| {
        let offers = format!("permessage-deflate; server_max_window_bits={bits}");
        negotiate([offers], 9).map(|agreed| agreed.answer())
    };
    assert_eq!(small(8), None);
    for bits in 9..=15 {
        assert_eq!(small(bits), Some(format!("{PLAIN}; server_max_window_bits=9")));
    }
}
