//! Any bytes, cut anywhere, into the client-frame decoder: it refuses or reads, and holds no more
//! than its limits allow.
#![no_main]

use fantail_wire::frame::{Decoder, Inflater, Limits, Role};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { message_bytes_max: 4096, fragments_max: 16 };
/// The message, a control payload, and what a vector keeps beyond its length.
const HELD_BYTES_MAX: usize = 4 * 4096;

fuzz_target!(|input: (bool, u8, Vec<u8>)| {
    let (deflate, cut, mut bytes) = input;
    let mut decoder = Decoder::new(Role::Server, LIMITS, deflate);
    let mut inflater = Inflater::new();
    for chunk in bytes.chunks_mut(usize::from(cut).max(1)) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let Ok(step) = decoder.feed(rest, &mut inflater) else { return };
            let consumed = step.consumed;
            assert!(consumed > 0 && consumed <= rest.len(), "no progress");
            rest = &mut rest[consumed..];
        }
        assert!(decoder.held_bytes() <= HELD_BYTES_MAX, "held {}", decoder.held_bytes());
    }
});
