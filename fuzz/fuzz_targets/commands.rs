//! Any bytes as a client's command, in each encoding; what is understood survives a round trip.
#![no_main]

use fantail_wire::client::{CommandLimits, Encoding, decode_command, encode_command};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = CommandLimits::default();
    for encoding in Encoding::ALL {
        let Ok(command) = decode_command(encoding, bytes, &limits) else { continue };
        let mut written = Vec::new();
        encode_command(encoding, &command, &mut written);
        let again = decode_command(encoding, &written, &limits);
        assert_eq!(again.as_ref(), Ok(&command), "{encoding:?}");
    }
});
