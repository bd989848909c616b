//! How a frame is made: encoding × compression × batching, a closed set and an array index.

use fantail_wire::client::Encoding;

/// What a session negotiated; every session of one kind is sent the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameKind {
    pub(crate) encoding: Encoding,
    /// permessage-deflate was agreed on.
    pub(crate) deflate: bool,
    /// Events of one channel that leave together come as one message.
    pub(crate) batch: bool,
}

/// How many kinds there are.
pub(crate) const KINDS: usize = Encoding::ALL.len() * 4;

impl FrameKind {
    /// Its place in an array of [`KINDS`].
    pub(crate) const fn index(self) -> usize {
        let encoding = match self.encoding {
            Encoding::Json => 0,
            Encoding::MsgPack => 1,
            Encoding::Protobuf => 2,
        };
        encoding * 4 + self.deflate as usize * 2 + self.batch as usize
    }

    /// The kind at a place.
    pub(crate) const fn at(index: usize) -> Self {
        let encoding = Encoding::ALL[index / 4 % Encoding::ALL.len()];
        Self { encoding, deflate: index & 2 != 0, batch: index & 1 != 0 }
    }

    /// The same without compression: what the compressed frame is made from.
    pub(crate) const fn plain(self) -> Self {
        Self { deflate: false, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_index() {
        for index in 0..KINDS {
            assert_eq!(FrameKind::at(index).index(), index);
        }
    }
}
