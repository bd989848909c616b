//! A session's socket, timers and place: plain fields of the shard.
//!
//! In two halves by the same slot: what a flush touches for every delivery lies densely in
//! [`Hot`] (24 bytes, so that ten thousand sockets stay in the cache), everything else in
//! [`Session`].

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use fantail_wire::codes::Code;
use fantail_wire::frame::Decoder;
use mio::net::TcpStream;

use super::outbox::Outbox;
use crate::connections::Permit;
use crate::kind::FrameKind;
use crate::session::state::SessionState;

/// No entry in the flush plan.
pub(crate) const NONE: u32 = u32::MAX;

/// What the fan-out loop needs of a session.
pub(crate) struct Hot {
    pub(crate) socket: Option<TcpStream>,
    /// Its entries in the running flush plan.
    pub(crate) due_head: u32,
    pub(crate) due_tail: u32,
    /// Index of its frame kind.
    pub(crate) kind: u8,
    /// Nothing stands between it and the live stream: it may be written past its outbox.
    pub(crate) level: bool,
    pub(crate) bytes_sent: u64,
}

/// One client session, without its socket.
pub(crate) struct Session {
    pub(crate) generation: u64,
    pub(crate) kind: FrameKind,
    pub(crate) decoder: Decoder,
    pub(crate) outbox: Outbox,
    /// Number of the next batch it is due, while it is behind; and since when.
    pub(crate) behind: Option<(u64, Duration)>,
    pub(crate) state: Box<SessionState>,
    pub(crate) peer: SocketAddr,
    pub(crate) opened: Duration,
    pub(crate) heard: Duration,
    pub(crate) next_heartbeat: Duration,
    pub(crate) closing: Option<Closing>,
    /// It waits for a turn of those who are behind.
    pub(crate) is_runnable: bool,
    /// What the shard's account lent for missed events it has not been sent yet.
    pub(crate) lent_bytes: usize,
    /// Holds its place under the connection limits.
    pub(crate) _permit: Permit,
}

/// A session on its way out.
#[derive(Debug)]
pub(crate) struct Closing {
    /// When the socket is dropped, whatever the client does.
    pub(crate) deadline: Duration,
    /// True once our side is shut down.
    pub(crate) shut: bool,
}

/// Why a session ended.
#[derive(Debug, Clone)]
pub(crate) struct End {
    /// Close code on the wire, or what stood for it.
    pub(crate) code: u16,
    /// Its name in the catalogue, or a word for what has none.
    pub(crate) name: &'static str,
    pub(crate) reason: String,
}

/// What became of a write.
pub(crate) enum Written {
    /// Everything is in the kernel.
    All,
    /// Only this much: the socket is full and will report when it is not.
    Part(usize),
    /// The connection is dead.
    Gone(Gone),
}

/// What became of a read.
pub(crate) enum Got {
    Bytes(usize),
    Nothing,
    /// The peer closed its side, or the connection is dead.
    End(Gone),
}

/// How a connection ended without a close frame: counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// The peer ended its side.
    Left,
    /// The peer, or somebody between, reset it.
    Reset,
    /// What was sent stayed unacknowledged too long (`TCP_USER_TIMEOUT`).
    TimedOut,
    /// Anything else the network says: unreachable, aborted.
    Broken,
}

impl Hot {
    /// A free slot.
    pub(crate) const FREE: Self =
        Self { socket: None, due_head: NONE, due_tail: NONE, kind: 0, level: false, bytes_sent: 0 };

    /// One `send`. A short write counts as full: the kernel reports when there is room again.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Written {
        loop {
            let Some(socket) = &mut self.socket else { return Written::Gone(Gone::Broken) };
            let result = socket.write(bytes);
            if let Some(written) = self.written(&result, bytes.len()) {
                return written;
            }
        }
    }

    /// What the result of a send of so many bytes means, whichever way it was made; none if it is to
    /// be made again.
    pub(crate) fn written(&mut self, result: &io::Result<usize>, length: usize) -> Option<Written> {
        match result {
            Ok(sent) => {
                self.bytes_sent += *sent as u64;
                Some(if *sent == length { Written::All } else { Written::Part(*sent) })
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Some(Written::Part(0)),
            Err(error) if error.kind() == ErrorKind::Interrupted => None,
            Err(error) => Some(Written::Gone(Gone::of(error.kind()))),
        }
    }

    /// One `recv`.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Got {
        let Some(socket) = &mut self.socket else { return Got::End(Gone::Broken) };
        loop {
            match socket.read(into) {
                Ok(0) => return Got::End(Gone::Left),
                Ok(length) => return Got::Bytes(length),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Got::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Got::End(Gone::of(error.kind())),
            }
        }
    }
}

impl Gone {
    fn of(error: ErrorKind) -> Self {
        match error {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Self::Reset,
            ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Broken,
        }
    }
}

impl Session {
    /// Nothing stands between it and the live stream.
    pub(crate) fn is_level(&self) -> bool {
        self.behind.is_none() && self.outbox.is_empty() && self.closing.is_none()
    }
}

impl End {
    pub(crate) fn of(code: Code, reason: impl Into<String>) -> Self {
        let number = code.close_code().unwrap_or(1011);
        Self { code: number, name: code.name(), reason: reason.into() }
    }

    /// The close frame's reason: the code's name, then why.
    pub(crate) fn text(&self) -> String {
        if self.reason.is_empty() {
            self.name.to_owned()
        } else {
            format!("{}: {}", self.name, self.reason)
        }
    }
}
