//! Seeded random and mutated bytes into everything that reads: nothing panics, nothing allocates
//! beyond its input's scale. `FANTAIL_FUZZ_BYTES` sets how many bytes each reader gets.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{encode_message, records, replies, samples};
use crate::client::{CommandLimits, Encoding, decode_command, decode_message, encode_command};
use crate::record::{self, RecordFormat};

/// Bytes per reader in an ordinary run: a second or so.
const BYTES_DEFAULT: usize = 300_000;
/// Longest random input.
const INPUT_BYTES_MAX: usize = 300;
/// Printed with a failure; change it to look elsewhere.
const SEED: u64 = 0x000f_a271_a110;

fn budget() -> usize {
    let text = std::env::var("FANTAIL_FUZZ_BYTES").unwrap_or_default();
    text.replace('_', "").parse().unwrap_or(BYTES_DEFAULT)
}

/// Feeds a reader mutations of `corpus` and plain noise until the budget is used.
fn feed(name: &str, corpus: &[Vec<u8>], read: impl Fn(&[u8])) {
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut left = budget();
    let mut inputs = 0_u64;
    while left > 0 {
        let input = match rng.random_range(0..8) {
            0 => noise(&mut rng),
            _ => mutate(&corpus[rng.random_range(0..corpus.len())], corpus, &mut rng),
        };
        left = left.saturating_sub(input.len().max(1));
        inputs += 1;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&input)));
        assert!(outcome.is_ok(), "{name}: seed {SEED:#x} input {inputs}: {input:02x?}");
    }
}

fn noise(rng: &mut StdRng) -> Vec<u8> {
    let length = rng.random_range(0..INPUT_BYTES_MAX);
    (0..length).map(|_| rng.random()).collect()
}

fn mutate(original: &[u8], corpus: &[Vec<u8>], rng: &mut StdRng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..rng.random_range(1..6) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..6) {
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = [0, 0xff, 0x7f, 0x80, b'{', b'[', b'"', 0xdd][rng.random_range(0..8)],
            2 => bytes.truncate(at),
            3 => drop(bytes.remove(at)),
            4 => bytes.insert(at, rng.random()),
            _ => {
                let other = &corpus[rng.random_range(0..corpus.len())];
                let from = rng.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

#[test]
fn command_readers_survive() {
    let limits = CommandLimits::default();
    for encoding in Encoding::ALL {
        let write = |(_, _, command): (_, _, _)| {
            let mut out = Vec::new();
            encode_command(encoding, &command, &mut out);
            out
        };
        let corpus: Vec<_> = replies::commands().into_iter().map(write).collect();
        feed(encoding.as_str(), &corpus, |bytes| {
            if let Ok(command) = decode_command(encoding, bytes, &limits) {
                let mut again = Vec::new();
                encode_command(encoding, &command, &mut again);
                assert_eq!(decode_command(encoding, &again, &limits), Ok(command));
            }
        });
    }
}

#[test]
fn message_readers_survive() {
    let samples = [replies::replies(), samples::wholes(), samples::quotes(), samples::books()];
    for encoding in Encoding::ALL {
        let corpus: Vec<_> =
            samples.iter().flatten().map(|(_, _, it)| encode_message(encoding, it)).collect();
        feed(encoding.as_str(), &corpus, |bytes| {
            let _ = decode_message(encoding, bytes);
        });
    }
}

#[test]
fn record_reader_survives() {
    for format in [RecordFormat::Protobuf, RecordFormat::MsgPack] {
        let write = |(_, _, it): (_, _, record::Record)| {
            let mut out = Vec::new();
            record::encode(it.as_ref(), format, &mut out);
            out
        };
        let corpus: Vec<_> = records::records().into_iter().map(write).collect();
        feed("record", &corpus, |bytes| {
            if let Ok(read) = record::decode(bytes) {
                let mut again = Vec::new();
                record::encode(read.as_ref(), format, &mut again);
                assert_eq!(record::decode(&again), Ok(read));
            }
        });
    }
}

#[test]
fn deep_and_long_claims_of_a_server_do_no_harm() {
    let deep_json = [&b"{\"type\":\"trade\",\"x\":"[..], &b"[".repeat(100_000)].concat();
    assert!(decode_message(Encoding::Json, &deep_json).is_err());
    let deep = [&b"\x82\xa4type\xa5trade\xa1x"[..], &b"\x91".repeat(100_000)].concat();
    assert!(decode_message(Encoding::MsgPack, &deep).is_err());
    let long = b"\x82\xa4type\xa4book\xa4bids\xdd\xff\xff\xff\xff";
    assert!(decode_message(Encoding::MsgPack, long).is_err());
}
