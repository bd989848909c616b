//! Sends of many sockets in one call to the kernel, through io_uring.
//!
//! Owns a ring of the shard's thread. Input: sockets and the bytes each is to be sent; output: for
//! each what `send(2)` would have returned. It decides nothing: whom to send what is the flush's
//! matter, and what a result means is the socket's, as it is for `send(2)`.
//!
//! Every send is made while it is submitted or fails at once (`MSG_DONTWAIT`), so the kernel parks
//! nothing. It needs Linux 6.0: what older kernels lack of the flags below they refuse, and so does
//! [`Ring::new`].
//!
//! Why `unsafe`: the kernel reads the bytes of a send behind the compiler's back, so the crate cannot
//! know how long they must live. Here they live long enough because [`Ring::send`] borrows all of
//! them until it returns, and it returns only when the kernel holds none of them: either every send
//! it took has its result, or, when it fails, those without one never left our queue and that queue
//! is gone. If neither can be established, the process ends there and then.
#![allow(unsafe_code, reason = "io_uring reads buffers behind the compiler's back; see the header")]

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use io_uring::types::Fd;
use io_uring::{IoUring, opcode, squeue};

/// `MSG_DONTWAIT | MSG_NOSIGNAL` of Linux: a full socket fails at once, as it does for `send(2)`, and
/// a dead one is an error and not a signal.
const FLAGS: i32 = 0x40 | 0x4000;

/// Calls in a row that took nothing and brought nothing before the ring is given up: the kernel may
/// be short of memory for a moment.
const FRUITLESS_MAX: usize = 100;

/// A ring of the thread that made it.
pub(crate) struct Ring {
    /// None once it has failed.
    ring: Option<IoUring>,
    /// The sends of the running call; what is left in it between calls is never submitted.
    entries: Vec<squeue::Entry>,
    /// Most sends of a call.
    most: usize,
    /// The call that fails half-way, counted from here, by order of a test.
    #[cfg(test)]
    pub(super) calls_left: Option<usize>,
}

impl Ring {
    /// A ring for calls of up to `most` sends. Tries it out: it is one thing to be given a ring and
    /// another to be allowed to use it.
    ///
    /// # Errors
    /// The kernel has no io_uring, an old one, or forbids it (seccomp, `kernel.io_uring_disabled`).
    pub(crate) fn new(most: usize) -> io::Result<Self> {
        let size = u32::try_from(most).map_err(io::Error::other)?;
        let ring = IoUring::builder()
            // One thread submits, and nothing interrupts it.
            .setup_single_issuer()
            .setup_coop_taskrun()
            // A send that cannot be begun does not hold up those behind it.
            .setup_submit_all()
            .build(size)?;
        let mut ring = Self {
            ring: Some(ring),
            entries: Vec::with_capacity(most),
            most,
            #[cfg(test)]
            calls_left: None,
        };
        ring.probe()?;
        Ok(ring)
    }

    fn probe(&mut self) -> io::Result<()> {
        let (ours, _theirs) = UnixStream::pair()?;
        let mut results = Vec::new();
        self.send([(Some(ours.as_fd()), &b"x"[..])].into_iter(), &mut results)?;
        match results.pop() {
            Some(Ok(1)) => Ok(()),
            Some(Err(error)) => Err(error),
            other => Err(io::Error::other(format!("a send of one byte gave {other:?}"))),
        }
    }

    /// Sends each socket its bytes, at most `most` of them. `results` are what `send(2)` would have
    /// returned for each, in order; no socket is a bad descriptor. Nothing is under way afterwards.
    ///
    /// # Errors
    /// The ring has failed and is of no use any more. What it had sent is in `results`; sends the
    /// kernel never took are [`ErrorKind::Interrupted`] there: they can be tried again.
    pub(crate) fn send<'a>(
        &mut self,
        sends: impl Iterator<Item = (Option<BorrowedFd<'a>>, &'a [u8])>,
        results: &mut Vec<io::Result<usize>>,
    ) -> io::Result<()> {
        self.entries.clear();
        self.entries.extend(sends.zip(0..).map(|((socket, bytes), at)| {
            // What is too long for one send is a short one.
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let send = opcode::Send::new(
                Fd(socket.map_or(-1, |socket| socket.as_raw_fd())),
                bytes.as_ptr(),
                length,
            );
            send.flags(FLAGS).build().user_data(at)
        }));
        results.clear();
        results.extend(self.entries.iter().map(|_| Err(ErrorKind::Interrupted.into())));
        if self.entries.is_empty() {
            return Ok(());
        }
        #[cfg(test)]
        if let Some(left) = &mut self.calls_left {
            if *left == 0 {
                return self.fail_half_way(results);
            }
            *left -= 1;
        }
        self.submit(results)
    }

    fn submit(&mut self, results: &mut [io::Result<usize>]) -> io::Result<()> {
        let fits = self.entries.len() <= self.most;
        let Some(ring) = self.ring.as_mut().filter(|_| fits) else {
            return Err(io::Error::other("the ring has failed, or is too small"));
        };
        // SAFETY: `send` holds the bytes and the sockets of its entries until it returns, and `finish`
        // returns only when the kernel has no send left that it was given here: see there. The queue
        // was empty, because every call empties it, so that either all fit or none is put in.
        if unsafe { ring.submission().push_multiple(&self.entries) }.is_err() {
            self.ring = None;
            return Err(io::Error::other("the ring is smaller than it was asked to be"));
        }
        self.finish(results)
    }

    /// Submits what is queued and waits for all of its results.
    ///
    /// It returns `Ok` when as many results have come as there were sends, so each send has its own:
    /// a send makes one result, and no earlier call left one behind. It returns an error when all
    /// that the kernel took has its result; the rest still lies in our queue, where the kernel looks
    /// only when it is called, and the queue ends here without another call.
    fn finish(&mut self, results: &mut [io::Result<usize>]) -> io::Result<()> {
        let (mut came, mut fruitless) = (0, 0);
        let Some(ring) = self.ring.as_mut() else { return Ok(()) };
        loop {
            let before = came;
            let entered = ring.submit_and_wait(results.len() - came);
            for completion in ring.completion() {
                came += 1;
                let place = usize::try_from(completion.user_data());
                if let Some(place) = place.ok().and_then(|place| results.get_mut(place)) {
                    let (number, code) = (completion.result(), completion.result().wrapping_neg());
                    *place =
                        usize::try_from(number).map_err(|_| io::Error::from_raw_os_error(code));
                }
            }
            if came == results.len() {
                return Ok(());
            }
            let error = match entered {
                Ok(taken) if taken > 0 => continue,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Ok(_) => io::Error::other("nothing is taken and nothing comes"),
                Err(error) => error,
            };
            fruitless = if came > before { 0 } else { fruitless + 1 };
            if fruitless > FRUITLESS_MAX {
                if came + ring.submission().len() != results.len() {
                    // The kernel may read bytes after their owner has given them back.
                    tracing::error!(%error, "io_uring keeps sends it was given");
                    std::process::abort();
                }
                self.ring = None;
                return Err(error);
            }
        }
    }
}

#[cfg(test)]
impl Ring {
    /// As if the kernel took half of the sends and then refused to be called.
    fn fail_half_way(&mut self, results: &mut [io::Result<usize>]) -> io::Result<()> {
        let half = self.entries.len() / 2;
        self.entries.truncate(half);
        if half > 0 {
            self.submit(&mut results[..half])?;
        }
        self.ring = None;
        Err(io::Error::other("by order of a test"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::shard::tests::flush_paths::is_there;

    fn pair() -> (UnixStream, UnixStream) {
        UnixStream::pair().unwrap()
    }

    fn told(results: &[io::Result<usize>]) -> Vec<Result<usize, ErrorKind>> {
        let kind = |error: &io::Error| error.kind();
        results.iter().map(|result| result.as_ref().copied().map_err(kind)).collect()
    }

    #[test]
    fn each_socket_fares_as_it_would_with_send() {
        if !is_there() {
            return;
        }
        let [(one, mut reader), (full, _slow), (dead, gone)] = [pair(), pair(), pair()];
        drop(gone);
        let (mut ring, mut results) = (Ring::new(4).unwrap(), Vec::new());
        let large = vec![7; 16 * 1_024 * 1_024];
        for round in 0..100_u8 {
            let bytes = [round; 3];
            let sends = [
                (Some(one.as_fd()), &bytes[..]),
                (Some(full.as_fd()), &large[..]),
                (Some(dead.as_fd()), &bytes[..]),
                (None, &bytes[..]),
            ];
            ring.send(sends.into_iter(), &mut results).unwrap();
            let told = told(&results);
            assert_eq!(told[0], Ok(3));
            match round {
                0 => assert!(told[1].is_ok_and(|sent| 0 < sent && sent < large.len())),
                _ => assert_eq!(told[1], Err(ErrorKind::WouldBlock), "at once, though it blocks"),
            }
            assert_eq!(told[2], Err(ErrorKind::BrokenPipe));
            assert_eq!(results[3].as_ref().unwrap_err().raw_os_error(), Some(9), "EBADF");
            let mut came = [0; 3];
            reader.read_exact(&mut came).unwrap();
            assert_eq!(came, bytes);
        }
    }

    #[test]
    fn a_ring_that_failed_sends_nothing_and_says_so() {
        if !is_there() {
            return;
        }
        let (one, reader) = pair();
        let (mut ring, mut results) = (Ring::new(2).unwrap(), Vec::new());
        let sends = [(Some(one.as_fd()), &b"x"[..]); 3];
        assert!(ring.send(sends.into_iter(), &mut results).is_err(), "one too many");
        assert_eq!(told(&results), [Err(ErrorKind::Interrupted); 3]);
        assert!(ring.send(sends.into_iter().take(2), &mut results).is_ok());
        ring.ring = None;
        assert!(ring.send(sends.into_iter().take(2), &mut results).is_err());
        assert_eq!(told(&results), [Err(ErrorKind::Interrupted); 2]);
        reader.set_nonblocking(true).unwrap();
        assert_eq!((&reader).read(&mut [0; 8]).unwrap(), 2, "what was sent, and no more");
    }

    #[test]
    fn nothing_to_send_is_no_call() {
        if is_there() {
            let (mut ring, mut results) = (Ring::new(2).unwrap(), Vec::new());
            ring.send(std::iter::empty(), &mut results).unwrap();
            assert!(results.is_empty());
        }
    }
}
