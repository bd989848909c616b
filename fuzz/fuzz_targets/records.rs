//! Any bytes as a bus record; what is understood survives a round trip in each format.
#![no_main]

use fantail_wire::record::{self, RecordFormat};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(read) = record::decode(bytes) else { return };
    for format in [RecordFormat::Protobuf, RecordFormat::MsgPack] {
        let mut written = Vec::new();
        record::encode(read.as_ref(), format, &mut written);
        assert_eq!(record::decode(&written).as_ref().ok(), Some(&read), "{format:?}");
    }
});
