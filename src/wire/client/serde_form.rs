//! The serde description that JSON and MessagePack share.
//!
//! Owns how numbers look (decimal strings in JSON, `[mantissa, exponent]` in MessagePack), the
//! keys of data messages and their order, and reading them back. Replies and commands describe
//! themselves (`reply.rs`, `command.rs`) with the small forms of this file. Does not know the
//! bytes: that is serde_json's and rmp-serde's part.

pub(crate) mod event;
pub(crate) mod incoming;
pub(crate) mod number;

use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codes::Code;

/// Deepest nesting read from a server or the bus: twice what any message of ours has.
pub(crate) const DEPTH_MAX: usize = 16;

/// `Micros` as an integer.
pub(crate) mod micros {
    use super::{Deserialize, Deserializer, Serializer};
    use fantail_model::Micros;

    pub(crate) fn serialize<S: Serializer>(time: &Micros, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(time.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Micros, D::Error> {
        i64::deserialize(from).map(Micros)
    }
}

/// `Option<Micros>` as an integer or nothing.
pub(crate) mod micros_option {
    use super::{Deserialize, Deserializer, Serialize, Serializer};
    use fantail_model::Micros;

    pub(crate) fn serialize<S: Serializer>(
        time: &Option<Micros>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(|time| time.0).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Micros>, D::Error> {
        Ok(Option::<i64>::deserialize(from)?.map(Micros))
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Name;
        impl de::Visitor<'_> for Name {
            type Value = Code;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name of codes.toml")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Code, E> {
                Code::from_name(name)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(name), &self))
            }
        }
        from.deserialize_str(Name)
    }
}

/// Writes any form of ours as MessagePack maps. Cannot fail: a `Vec` takes every byte.
pub(crate) fn to_msgpack(form: &impl Serialize, out: &mut Vec<u8>) {
    let mut writer = rmp_serde::Serializer::new(out).with_struct_map();
    let written = form.serialize(&mut writer);
    debug_assert!(written.is_ok(), "{written:?}");
}

/// Writes any form of ours as JSON. Cannot fail: every key is a string, every float absent.
pub(crate) fn to_json(form: &impl Serialize, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(out, form);
    debug_assert!(written.is_ok(), "{written:?}");
}

/// Reads one MessagePack value, and nothing after it.
pub(crate) fn from_msgpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut reader = rmp_serde::Deserializer::new(bytes);
    reader.set_max_depth(DEPTH_MAX);
    let value = T::deserialize(&mut reader).map_err(|error| error.to_string())?;
    match reader.get_ref().len() {
        0 => Ok(value),
        rest => Err(format!("{rest} bytes after the end")),
    }
}

/// Reads one JSON value, and nothing after it.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}
