//! Any bytes as a server's message, in each encoding, as `tap` and the load generator read them.
#![no_main]

use fantail_wire::client::{Encoding, decode_message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for encoding in Encoding::ALL {
        let _ = decode_message(encoding, bytes);
    }
});
