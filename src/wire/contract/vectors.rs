//! The golden vectors of `schemas/vectors/`: every codec writes exactly these bytes and reads them
//! back to the same value.
//!
//! After a decided change of the protocol, `FANTAIL_BLESS=1 cargo test -p fantail-wire vectors`
//! writes the files anew; the diff is then reviewed like code.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{as_read, encode_message, records, replies, samples};
use crate::client::{CommandLimits, Encoding, decode_command, decode_message, encode_command};
use crate::codes::Code;
use crate::record::{self, RecordFormat};

/// One message in every encoding. JSON is absent for bus records.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Vector {
    name: String,
    about: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<String>,
    msgpack: String,
    protobuf: String,
}

impl Vector {
    fn bytes(&self, encoding: Encoding) -> Vec<u8> {
        match encoding {
            Encoding::Json => self.json.clone().unwrap_or_default().into_bytes(),
            Encoding::MsgPack => unhex(&self.msgpack),
            Encoding::Protobuf => unhex(&self.protobuf),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn unhex(text: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(pair).collect()
}

/// The file's vectors, after they were compared with (or replaced by) what the codecs write.
fn check_file(file: &str, written: Vec<Vector>) -> Vec<Vector> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas/vectors").join(file);
    if std::env::var_os("FANTAIL_BLESS").is_some_and(|value| value == "1") {
        let lines: Vec<_> = written.iter().map(|it| serde_json::to_string(it).unwrap()).collect();
        std::fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    }
    let golden: Vec<Vector> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (written, golden) in written.iter().zip(&golden) {
        assert_eq!(written, golden, "{file}; if the change is meant, bless it");
    }
    assert_eq!(written.len(), golden.len(), "{file} has other messages");
    golden
}

fn vector(name: &str, about: &str, encode: impl Fn(Encoding) -> Vec<u8>) -> Vector {
    Vector {
        name: name.into(),
        about: about.into(),
        json: Some(String::from_utf8(encode(Encoding::Json)).unwrap()),
        msgpack: hex(&encode(Encoding::MsgPack)),
        protobuf: hex(&encode(Encoding::Protobuf)),
    }
}

#[test]
fn server_messages_match_the_vectors() {
    let samples: Vec<_> = [
        replies::replies(),
        samples::wholes(),
        samples::quotes(),
        samples::states(),
        samples::books(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let written = samples
        .iter()
        .map(|(name, about, message)| {
            vector(name, about, |encoding| encode_message(encoding, message))
        })
        .collect();
    let golden = check_file("server.json", written);
    for ((name, _, message), vector) in samples.iter().zip(&golden) {
        for encoding in Encoding::ALL {
            let read = decode_message(encoding, &vector.bytes(encoding));
            assert_eq!(read.as_ref(), Ok(&as_read(encoding, message)), "{name} {encoding:?}");
        }
    }
}

#[test]
fn commands_match_the_vectors() {
    let commands = replies::commands();
    let encode = |encoding, command| {
        let mut out = Vec::new();
        encode_command(encoding, command, &mut out);
        out
    };
    let written = commands
        .iter()
        .map(|(name, about, command)| vector(name, about, |encoding| encode(encoding, command)))
        .collect();
    let golden = check_file("client.json", written);
    for ((name, _, command), vector) in commands.iter().zip(&golden) {
        for encoding in Encoding::ALL {
            let bytes = vector.bytes(encoding);
            let read = decode_command(encoding, &bytes, &CommandLimits::default());
            assert_eq!(read.as_ref(), Ok(command), "{name} {encoding:?}");
        }
    }
}

#[test]
fn records_match_the_vectors() {
    let records = records::records();
    let encode = |record: &record::Record, format| {
        let mut out = Vec::new();
        record::encode(record.as_ref(), format, &mut out);
        out
    };
    let written = records
        .iter()
        .map(|(name, about, record)| Vector {
            name: (*name).into(),
            about: (*about).into(),
            json: None,
            msgpack: hex(&encode(record, RecordFormat::MsgPack)),
            protobuf: hex(&encode(record, RecordFormat::Protobuf)),
        })
        .collect();
    let golden = check_file("record.json", written);
    for ((name, _, record), vector) in records.iter().zip(&golden) {
        for encoding in [Encoding::MsgPack, Encoding::Protobuf] {
            let read = record::decode(&vector.bytes(encoding));
            assert_eq!(read.as_ref(), Ok(record), "{name} {encoding:?}");
        }
    }
}

#[test]
fn asyncapi_shows_the_vectors_every_type_and_every_close_code() {
    let schemas = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let page = std::fs::read_to_string(schemas.join("client.asyncapi.yaml")).unwrap();
    let read = |file: &str| -> Vec<Vector> {
        serde_json::from_slice(&std::fs::read(schemas.join("vectors").join(file)).unwrap()).unwrap()
    };
    let vectors: Vec<_> =
        [read("server.json"), read("client.json")].into_iter().flatten().collect();
    let known: Vec<_> = vectors.iter().filter_map(|vector| vector.json.as_deref()).collect();
    let examples: Vec<_> =
        page.lines().filter_map(|line| line.trim().strip_prefix("payload: {")).collect();
    assert!(examples.len() > 30, "{}", examples.len());
    for example in examples {
        assert!(known.contains(&format!("{{{example}").as_str()), "not a vector: {{{example}");
    }
    for json in known {
        let message: serde_json::Value = serde_json::from_str(json).unwrap();
        let name = message.get("type").or(message.get("op")).and_then(|it| it.as_str()).unwrap();
        assert!(page.contains(&format!("\n      name: {name}\n")), "{name} is not described");
    }
    for code in Code::ALL {
        assert!(page.contains(&format!("\n        - {code}\n")), "{code} is not listed");
        if let Some(close) = code.close_code() {
            assert!(page.contains(&format!("\n  {close}: {{name: {code},")), "{code}");
        }
    }
}
