//! Rows W14, W20 and W21: what may be inflated, and what every client must be able to inflate.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::super::decode::{Decoder, Message, Role};
use super::super::deflate::{Deflater, FLUSH_TAIL};
use super::super::encode::deflated_frame;
use super::super::error::DecodeError;
use super::super::header::Opcode;
use super::super::inflate::Inflater;
use super::super::limits::{DEFLATE_BYTES_MIN, Limits, SERVER_WINDOW_BITS};
use super::distances::largest_distance;
use super::{Owned, Peer, accepted, client_deflate, compressed, frame, noise, refused, text};

/// A few kilobytes as a channel would carry them.
fn trades(first_id: u32, count: u32) -> Vec<u8> {
    let one = |id: u32| {
        let size = id.wrapping_mul(2_654_435_761) % 100_000;
        format!(r#"{{"type":"trade","id":"{id}","price":"67012.{}","size":"{size}"}}"#, id % 97)
    };
    (first_id..first_id + count).map(one).collect::<String>().into_bytes()
}

#[test]
fn w14_examples_of_rfc_7692() {
    let hello: &[&[u8]] = &[
        b"\xf2\x48\xcd\xc9\xc9\x07\x00",
        b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    ];
    for payload in hello {
        assert_eq!(accepted(&compressed(Opcode::Text, payload), true), [text("Hello")]);
    }
    // With a final block and nothing after it.
    let ended = compressed(Opcode::Text, b"\xf3\x48\xcd\xc9\xc9\x07\x00");
    assert_eq!(accepted(&ended, true), [text("Hello")]);
    // Data goes on behind a final block.
    let twice = b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00";
    assert_eq!(accepted(&compressed(Opcode::Text, twice), true), [text("HelloHello")]);
}

#[test]
fn w14_empty_messages() {
    for payload in [&b"\x00"[..], b"\x03\x00", b"\x03\x80", b""] {
        let messages = accepted(&compressed(Opcode::Binary, payload), true);
        assert_eq!(messages, [Owned::Binary(Vec::new())], "{payload:x?}");
    }
}

#[test]
fn w14_a_final_block_in_two_bytes_does_not_hang() {
    // A client's `c2 02 03 80`, here with the mask it needs.
    let bytes = compressed(Opcode::Binary, &[0x03, 0x80]);
    assert_eq!(bytes[0], 0xC2);
    assert_eq!(accepted(&bytes, true), [Owned::Binary(Vec::new())]);
    let mut server = Peer::new(Role::Client, true);
    assert_eq!(server.read(b"\xc2\x02\x03\x80"), Ok(()));
    assert_eq!(server.messages, [Owned::Binary(Vec::new())]);
}

#[test]
fn w14_garbage_closes_1007_and_the_next_message_is_unaffected() {
    let valid = client_deflate(b"a perfectly good message, good enough to be cut", 15);
    let mut untrimmed = valid.clone();
    untrimmed.extend(FLUSH_TAIL);
    let cut = &valid[..valid.len() / 2];
    let garbage: &[&[u8]] = &[
        b"\x06",
        b"\xff\xff\xff\xff",
        b"\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00",
        b"\x00\x05\x00\xfa\xff\x48\x65",
        b"\x02\x03\x80\x11",
        cut,
        &untrimmed,
    ];
    let mut inflater = Inflater::new();
    for payload in garbage {
        refused(&compressed(Opcode::Binary, payload), true, DecodeError::InvalidDeflate);
        assert_eq!(inflater.inflate(payload, 1000), Err(DecodeError::InvalidDeflate));
        assert_eq!(inflater.inflate(b"\xf2\x48\xcd\xc9\xc9\x07\x00", 1000), Ok(&b"Hello"[..]));
    }
    assert_eq!(DecodeError::InvalidDeflate.close_code(), 1007);
}

#[test]
fn the_limit_holds_in_a_buffer_that_was_larger() {
    let mut inflater = Inflater::new();
    let large = client_deflate(&[0; 50_000], 15);
    assert_eq!(inflater.inflate(&large, 50_000).map(<[u8]>::len), Ok(50_000));
    for hello in [&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], b"\xf3\x48\xcd\xc9\xc9\x07\x00"] {
        assert_eq!(inflater.inflate(hello, 4), Err(DecodeError::TooBig { limit: 4 }));
        assert_eq!(inflater.inflate(hello, 5), Ok(&b"Hello"[..]));
    }
    assert_eq!(inflater.inflate(b"\0", 0), Ok(&b""[..]));
}

#[test]
fn a_reader_that_remembers_reads_what_one_without_memory_reads() {
    let mut memory = Inflater::remembering(4);
    for round in 0..50_u8 {
        // More messages than places, of equal length, each often enough to be remembered.
        for number in [round, round, 7, round / 2, 7] {
            let payload = [number; 300];
            let deflated = client_deflate(&payload, 15);
            assert_eq!(memory.inflate(&deflated, 300), Ok(&payload[..]));
            assert_eq!(memory.inflate(&deflated, 300), Ok(&payload[..]));
            let refused = memory.inflate(&deflated, 299).map(<[u8]>::len);
            assert_eq!(refused, Err(DecodeError::TooBig { limit: 299 }));
        }
        assert_eq!(memory.inflate(b"\x06", 300), Err(DecodeError::InvalidDeflate));
    }
}

#[test]
fn output_of_every_size_around_a_buffer_boundary() {
    for bytes in (1_000..1_100).chain(2_040..2_060).chain(4_090..4_100) {
        let payload = vec![b'a'; bytes];
        let deflated = client_deflate(&payload, 15);
        let limit = bytes as u32;
        assert!(Inflater::new().inflate(&deflated, limit) == Ok(&payload[..]), "{bytes}");
        let refused = Inflater::new().inflate(&deflated, limit - 1).map(<[u8]>::len);
        assert_eq!(refused, Err(DecodeError::TooBig { limit: limit - 1 }));
    }
}

#[test]
fn w14_every_level_and_window_of_a_client() {
    let payload = trades(1, 700);
    for window_bits in 9..=15 {
        let deflated = compressed(Opcode::Binary, &client_deflate(&payload, window_bits));
        assert_eq!(accepted(&deflated, true), [Owned::Binary(payload.clone())]);
    }
    let mut stored = Compress::new(Compression::none(), false);
    let mut out = Vec::with_capacity(payload.len() * 2);
    stored.compress_vec(&payload, &mut out, FlushCompress::Sync).unwrap();
    out.truncate(out.len() - FLUSH_TAIL.len());
    assert_eq!(accepted(&compressed(Opcode::Binary, &out), true), [Owned::Binary(payload)]);
}

#[test]
fn w14_plain_messages_stay_legal_on_a_compressed_connection() {
    let bytes = [frame(Opcode::Text, b"plain"), compressed(Opcode::Text, b"\0")].concat();
    assert_eq!(accepted(&bytes, true), [text("plain"), text("")]);
}

#[test]
fn deflate_pays_or_the_frame_is_plain() {
    let mut deflater = Deflater::default();
    for (payload, pays) in [
        (trades(1, 40), true),
        (trades(1, 5), true),
        (vec![b'a'; DEFLATE_BYTES_MIN], true),
        (vec![b'a'; DEFLATE_BYTES_MIN - 1], false),
        (Vec::new(), false),
        (noise(3_000), false),
        (noise(2_000_000), false),
        (trades(1, 700), true),
    ] {
        let mut out = b"before".to_vec();
        assert_eq!(deflater.compress(&payload, &mut out), pays);
        // Whatever was given up before, nothing of it is left in this one.
        let fresh = Deflater::default().deflate(&payload).map(<[u8]>::to_vec);
        assert!(out == [&b"before"[..], &fresh.unwrap_or_default()].concat());
        let mut bytes = Vec::new();
        assert_eq!(deflated_frame(Opcode::Binary, &payload, &mut deflater, &mut bytes), pays);
        let limits = Limits { message_bytes_max: 2_000_000, ..Limits::default() };
        let mut decoder = Decoder::new(Role::Client, limits, true);
        let mut inflater = Inflater::new();
        let step = decoder.feed(&mut bytes, &mut inflater).unwrap();
        assert!(step.message == Some(Message::Binary(&payload)));
    }
}

#[test]
fn w20_a_frame_tells_nothing_about_the_frames_before_it() {
    let with = |word: &str| format!("{}token={word}", "some public text ".repeat(30)).into_bytes();
    let fresh = |payload: &[u8]| Deflater::default().deflate(payload).map(<[u8]>::to_vec);
    let mut shared = Deflater::default();
    let mut lengths = Vec::new();
    for guess in ["hunter2-hunter2", "hunter2-xqvkzjw", "pyramid-xqvkzjw"] {
        shared.deflate(&with("hunter2-hunter2")).unwrap();
        let after_secret = shared.deflate(&with(guess)).map(<[u8]>::to_vec);
        assert_eq!(after_secret, fresh(&with(guess)));
        shared.deflate(&with("something-else!")).unwrap();
        let after_other = shared.deflate(&with(guess)).map(<[u8]>::to_vec);
        lengths.push((after_secret.unwrap().len(), after_other.unwrap().len()));
    }
    assert!(lengths.iter().all(|(after_secret, after_other)| after_secret == after_other));
}

/// A client that keeps its window between messages, if `takeover`, or doesn't.
fn inflate_as_client(messages: &[Vec<u8>], takeover: bool) -> Vec<u8> {
    let mut stream = Decompress::new(false);
    let mut text = Vec::with_capacity(1_000_000);
    for message in messages {
        let input = [message, &FLUSH_TAIL[..]].concat();
        let before = stream.total_in();
        stream.decompress_vec(&input, &mut text, FlushDecompress::None).unwrap();
        assert_eq!(stream.total_in() - before, input.len() as u64);
        if !takeover {
            stream.reset(false);
        }
    }
    text
}

#[test]
fn w21_shared_frames_decode_in_every_negotiated_mode() {
    // Repetitions nearer and farther than the window.
    let far = [trades(1, 90), trades(5_000, 30), trades(1, 90), trades(9_000, 900), trades(1, 90)];
    let far = far.concat();
    let payloads = [trades(1, 10), far.clone(), trades(1, 10), vec![b'x'; 40_000]];
    for level in 1..=9 {
        let mut deflater = Deflater::new(level);
        let shared: Vec<Vec<u8>> =
            payloads.iter().map(|payload| deflater.deflate(payload).unwrap().to_vec()).collect();
        for takeover in [false, true] {
            assert!(inflate_as_client(&shared, takeover) == payloads.concat(), "level {level}");
            // Sessions join at any frame.
            assert!(inflate_as_client(&shared[2..], takeover) == payloads[2..].concat());
        }
        for (message, payload) in shared.iter().zip(&payloads) {
            let distance = largest_distance(message);
            assert!((1..=1 << SERVER_WINDOW_BITS).contains(&distance), "level {level}: {distance}");
            assert!(distance <= payload.len());
        }
    }
    // The check would notice a larger window.
    assert!(largest_distance(&client_deflate(&far, 15)) > 1 << SERVER_WINDOW_BITS);
}

#[test]
fn no_level_and_no_window_breaks_on_large_messages() {
    let mut random = SmallRng::seed_from_u64(12);
    // Random digits, which hardly repeat: here zlib-rs's level 1 panics.
    for bytes in [70_000, 131_072, 300_000] {
        let message: Vec<u8> = (0..bytes).map(|_| random.random_range(b'0'..=b'9')).collect();
        for level in 0..=10 {
            for bits in [9, 12, 15] {
                let mut deflater = Deflater::with_window(level, bits);
                let compressed = deflater.deflate(&message).expect("digits shrink").to_vec();
                let inflated = Inflater::new().inflate(&compressed, bytes).map(<[u8]>::to_vec);
                assert_eq!(inflated.as_deref(), Ok(&message[..]), "level {level}, window {bits}");
            }
        }
    }
}
