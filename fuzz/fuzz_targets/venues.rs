//! Any text from each venue: its readers refuse or read, and always return.
#![no_main]

use fantail_ingest::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    fuzzing::binance(text);
    fuzzing::coinbase(text);
});
