//! Seeded random and mutated bytes: nothing panics, hangs, or holds more than it may.
//!
//! `FANTAIL_FUZZ_BYTES` sets how many bytes; a failure prints the round's seed.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::super::decode::{Decoder, Role};
use super::super::error::DecodeError;
use super::super::header::{Lead, Opcode};
use super::super::inflate::Inflater;
use super::super::limits::{
    CONTROL_BYTES_MAX, FUZZ_BYTES, Limits, SCRATCH_BYTES_KEPT, SERVER_WINDOW_BITS,
    compressed_bytes_max,
};
use super::super::negotiate::negotiate;
use super::{client_deflate, raw};

/// Names the round if it panics.
struct Round(u64);

impl Drop for Round {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed in the round of seed {}", self.0);
        }
    }
}

/// Calls `round` with one seed after the other until it has used up the bytes.
fn until_bytes_used(mut round: impl FnMut(&mut SmallRng) -> usize) {
    let wanted = std::env::var("FANTAIL_FUZZ_BYTES").ok().and_then(|it| it.parse().ok());
    let mut left: usize = wanted.unwrap_or(FUZZ_BYTES);
    let mut seed = 0;
    while left > 0 {
        let named = Round(seed);
        left = left.saturating_sub(round(&mut SmallRng::seed_from_u64(named.0)).max(1));
        seed += 1;
    }
}

fn noise(rng: &mut SmallRng, bytes_max: usize) -> Vec<u8> {
    let mut noise = vec![0; rng.random_range(0..=bytes_max)];
    rng.fill(&mut noise[..]);
    noise
}

/// A stream of mostly legal frames.
fn stream(rng: &mut SmallRng) -> Vec<u8> {
    let mut out = Vec::new();
    let mut begun = false;
    for _ in 0..rng.random_range(1..12) {
        let control = rng.random_ratio(1, 4);
        let opcode = match rng.random_range(0..4) {
            0 if control => Opcode::Close,
            1 if control => Opcode::Ping,
            _ if control => Opcode::Pong,
            _ if begun => Opcode::Continuation,
            0 => Opcode::Text,
            _ => Opcode::Binary,
        };
        let first = opcode == Opcode::Text || opcode == Opcode::Binary;
        let lead = Lead {
            fin: control || rng.random_ratio(2, 3),
            rsv1: first && rng.random_ratio(1, 2),
            opcode,
        };
        begun = if control { begun } else { !lead.fin };
        let bytes_max = if control { 100 } else { [10, 200, 3_000][rng.random_range(0..3)] };
        let mut payload = vec![b'a'; rng.random_range(0..bytes_max)];
        if rng.random_ratio(1, 3) {
            rng.fill(&mut payload[..]);
        }
        if opcode == Opcode::Close {
            payload.splice(0..0, [3, 232]);
        }
        let payload = if lead.rsv1 { client_deflate(&payload, 15) } else { payload };
        out.extend(raw(lead, &payload));
    }
    out
}

fn mutate(rng: &mut SmallRng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.random_range(0..4) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.random()),
            2 => drop(bytes.splice(at..at, noise(rng, 20))),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.random_range(0..8);
                }
            }
        }
    }
}

/// Decodes in random pieces; what came out is counted, what is held is checked.
fn decode(
    rng: &mut SmallRng,
    decoder: &mut Decoder,
    inflater: &mut Inflater,
    bytes: &mut [u8],
) -> Result<usize, DecodeError> {
    let limit = Limits::default().message_bytes_max;
    let held_max = compressed_bytes_max(limit) as usize + CONTROL_BYTES_MAX;
    let (mut at, mut messages) = (0, 0);
    while at < bytes.len() {
        let end = bytes.len().min(at + [1, 5, 100, 5_000][rng.random_range(0..4)]);
        let step = decoder.feed(&mut bytes[at..end], inflater)?;
        assert!((1..=end - at).contains(&step.consumed));
        assert!(step.message.is_some() || step.consumed == end - at);
        messages += usize::from(step.message.is_some());
        at += step.consumed;
        assert!(decoder.held_bytes() <= held_max);
        assert!(inflater.held_bytes() <= held_max + SCRATCH_BYTES_KEPT);
    }
    Ok(messages)
}

#[test]
fn decoder_survives_mutated_streams() {
    let mut inflater = Inflater::new();
    let (mut messages, mut errors) = (0, 0);
    until_bytes_used(|rng| {
        let mut bytes = stream(rng);
        mutate(rng, &mut bytes);
        let mut decoder = Decoder::new(Role::Server, Limits::default(), rng.random_ratio(4, 5));
        match decode(rng, &mut decoder, &mut inflater, &mut bytes) {
            Ok(count) => messages += count,
            Err(error) => {
                assert!(!error.label().is_empty() && error.reason().len() <= 123);
                assert!(decoder.is_finished() && decoder.held_bytes() == 0);
                errors += 1;
            }
        }
        bytes.len()
    });
    // The loop is worth nothing if everything dies at once, or nothing does.
    assert!(messages > 0 && errors > 0, "{messages} messages, {errors} errors");
}

#[test]
fn decoder_survives_noise() {
    let mut inflater = Inflater::new();
    until_bytes_used(|rng| {
        let mut bytes = noise(rng, 400);
        // Random first bytes are refused at once; legal ones let the rest be read.
        for legal in [0x82, 0xC1, 0x01, 0x89].into_iter().take(rng.random_range(0..2)) {
            bytes.splice(0..0, [legal, 0x80 | rng.random_range(0..=127_u8)]);
        }
        let role = if rng.random() { Role::Server } else { Role::Client };
        let mut decoder = Decoder::new(role, Limits::default(), rng.random());
        let _refused = decode(rng, &mut decoder, &mut inflater, &mut bytes);
        bytes.len()
    });
}

#[test]
fn inflater_survives_noise_and_mutations() {
    let mut inflater = Inflater::new();
    until_bytes_used(|rng| {
        let mut bytes = noise(rng, 300);
        if rng.random_ratio(2, 3) {
            let text = vec![b'a'; rng.random_range(0..3_000)];
            bytes = client_deflate(&[text, bytes].concat(), 15);
            mutate(rng, &mut bytes);
        }
        let limit = rng.random_range(0..5_000);
        if let Ok(output) = inflater.inflate(&bytes, limit) {
            assert!(output.len() <= limit as usize);
        }
        assert_eq!(inflater.inflate(b"\xf2\x48\xcd\xc9\xc9\x07\x00", 5), Ok(&b"Hello"[..]));
        bytes.len()
    });
}

#[test]
fn negotiation_survives_noise_and_mutations() {
    const WORDS: &[&str] = &[
        "permessage-deflate",
        "server_max_window_bits",
        "client_max_window_bits",
        "server_no_context_takeover",
        "client_no_context_takeover",
        ";",
        ",",
        "=",
        "\"",
        "\\",
        " ",
        "12",
        "x",
    ];
    until_bytes_used(|rng| {
        let mut words = String::new();
        for _ in 0..rng.random_range(0..60) {
            words.push_str(WORDS[rng.random_range(0..WORDS.len())]);
        }
        let mut bytes = words.into_bytes();
        mutate(rng, &mut bytes);
        if let Some(agreed) = negotiate([&bytes], SERVER_WINDOW_BITS) {
            assert!(agreed.answer().starts_with("permessage-deflate; server_no_context_takeover"));
        }
        bytes.len()
    });
}
