//! Where there is no io_uring: a ring nobody can have.

use std::io;
use std::os::fd::BorrowedFd;

/// See `ring`.
pub(crate) enum Ring {}

impl Ring {
    /// Always an error.
    pub(crate) fn new(_most: usize) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "io_uring is Linux's"))
    }

    /// Never called.
    pub(crate) fn send<'a>(
        &mut self,
        _sends: impl Iterator<Item = (Option<BorrowedFd<'a>>, &'a [u8])>,
        _results: &mut Vec<io::Result<usize>>,
    ) -> io::Result<()> {
        match *self {}
    }
}
