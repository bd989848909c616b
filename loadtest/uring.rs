//! Many sends submitted together through io_uring: the yardstick's second way of writing.
//!
//! One [`Ring`] owns registered sockets and the bytes that go to all of them; `send` gives the
//! kernel a chunk of sends in one call and waits for all of their results. It decides nothing about
//! schedules, and the server has a ring of its own: this one measures what io_uring alone gains.
//!
//! Why `unsafe`: the kernel reads a submission's buffer after the call that queued it, so the crate
//! cannot know how long the buffer must live. Here the ring owns the buffer, changes it only while
//! no submission is under way, and gives it up to the kernel for good if a wait should fail.
#![allow(unsafe_code, reason = "io_uring reads buffers behind the compiler's back; see the header")]

use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::Context;
use io_uring::types::Fixed;
use io_uring::{IoUring, opcode};

/// `MSG_DONTWAIT | MSG_NOSIGNAL` of Linux: a full socket fails at once, as it does for `send(2)`.
const FLAGS: i32 = 0x40 | 0x4000;

/// A ring over a fixed set of sockets.
pub(crate) struct Ring {
    ring: IoUring,
    /// Sockets, by their place in the registered table.
    count: u32,
    /// Sends in one call to the kernel.
    chunk: u32,
    /// What every socket is sent.
    bytes: Vec<u8>,
}

impl Ring {
    /// Registers the sockets, so that the kernel looks none up per send.
    ///
    /// # Errors
    /// A kernel without io_uring, or one that forbids it.
    pub(crate) fn new(sockets: &[TcpStream], chunk: u32) -> anyhow::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .build(chunk)
            .context("io_uring is missing or forbidden here")?;
        let files: Vec<RawFd> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
        ring.submitter().register_files(&files).context("registering the sockets")?;
        let count = u32::try_from(files.len()).context("too many sockets")?;
        Ok(Self { ring, count, chunk, bytes: Vec::new() })
    }

    /// Sends `bytes` to every socket once; how many did not take all of it.
    ///
    /// # Errors
    /// The ring itself failed.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> anyhow::Result<usize> {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        let mut short = 0;
        let mut first = 0;
        while first < self.count {
            let end = self.count.min(first + self.chunk);
            self.submit(first, end)?;
            short += self.finish((end - first) as usize)?;
            first = end;
        }
        Ok(short)
    }

    fn submit(&mut self, first: u32, end: u32) -> anyhow::Result<()> {
        let length = u32::try_from(self.bytes.len()).context("too many bytes")?;
        let mut queue = self.ring.submission();
        for socket in first..end {
            let send = opcode::Send::new(Fixed(socket), self.bytes.as_ptr(), length).flags(FLAGS);
            // SAFETY: `bytes` is owned by the ring and neither changed nor freed before `finish` has
            // seen every result of this chunk, or has leaked it.
            unsafe { queue.push(&send.build()) }.context("the ring is smaller than its chunk")?;
        }
        Ok(())
    }

    /// Waits for every result of the chunk that was submitted.
    fn finish(&mut self, wanted: usize) -> anyhow::Result<usize> {
        let (mut came, mut short) = (0, 0);
        while came < wanted {
            match self.ring.submit_and_wait(wanted - came) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // The kernel may still read it: it is the kernel's now.
                    std::mem::forget(std::mem::take(&mut self.bytes));
                    return Err(error).context("io_uring");
                }
                Ok(_) => {}
            }
            for result in self.ring.completion() {
                came += 1;
                short += usize::from(result.result() != self.bytes.len() as i32);
            }
        }
        Ok(short)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn every_socket_gets_the_bytes_over_several_chunks() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let mut readers = Vec::new();
        let mut writers = Vec::new();
        for _ in 0..5 {
            readers.push(TcpStream::connect(address).expect("connect"));
            writers.push(listener.accept().expect("accept").0);
        }
        let mut ring = match Ring::new(&writers, 2) {
            Ok(ring) => ring,
            Err(error) => {
                eprintln!("SKIPPED: {error:#}");
                return;
            }
        };
        assert_eq!(ring.send(b"one").expect("sent"), 0);
        assert_eq!(ring.send(b"three").expect("sent"), 0);
        for reader in &mut readers {
            let mut came = [0; 8];
            reader.read_exact(&mut came).expect("read");
            assert_eq!(&came, b"onethree");
        }
        // A socket that has gone is a short send, not an end.
        drop(readers);
        let gone = (0..100).map(|_| ring.send(b"x").expect("sent")).max();
        assert_eq!(gone, Some(5));
    }
}
