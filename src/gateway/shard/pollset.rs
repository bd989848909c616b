//! The shard's own edge-triggered poll set over its established sockets, nested in the runtime.

use std::io;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use tokio::io::unix::AsyncFd;

/// Events taken from the kernel at once.
const EVENTS: usize = 1_024;

/// One socket's news.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) slot: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// Sockets by slab slot.
pub(crate) struct Pollset {
    poll: AsyncFd<Poll>,
    events: Events,
}

impl Pollset {
    /// Must be made inside the shard's runtime.
    pub(crate) fn new() -> io::Result<Self> {
        // `Poll` owns its descriptor for as long as it lives, which is all the checked-by-`unsafe`
        // successor of this constructor would have us promise.
        #[expect(deprecated, reason = "its successor needs unsafe for a promise `Poll` keeps")]
        let poll = AsyncFd::new(Poll::new()?)?;
        Ok(Self { poll, events: Events::with_capacity(EVENTS) })
    }

    pub(crate) fn add(&self, socket: &mut TcpStream, slot: usize) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.get_ref().registry().register(socket, Token(slot), interest)
    }

    pub(crate) fn remove(&self, socket: &mut TcpStream) {
        // A socket the kernel already dropped from the set needs no more removing.
        let _ = self.poll.get_ref().registry().deregister(socket);
    }

    /// Waits until some socket has news. Cancel-safe: news stay until [`Pollset::take`].
    pub(crate) async fn wait(&mut self, ready: &mut Vec<Ready>) -> io::Result<()> {
        let mut guard = self.poll.readable_mut().await?;
        guard.get_inner_mut().poll(&mut self.events, Some(Duration::ZERO))?;
        let count = push(&self.events, ready);
        if count < EVENTS {
            guard.clear_ready();
        }
        Ok(())
    }

    /// Takes what is there, without waiting.
    pub(crate) fn take(&mut self, ready: &mut Vec<Ready>) -> io::Result<()> {
        loop {
            self.poll.get_mut().poll(&mut self.events, Some(Duration::ZERO))?;
            // What did not fit makes no news for the runtime: nobody else would ask for it.
            if push(&self.events, ready) < EVENTS {
                return Ok(());
            }
        }
    }
}

fn push(events: &Events, ready: &mut Vec<Ready>) -> usize {
    let mut count = 0;
    for event in events {
        count += 1;
        ready.push(Ready {
            slot: event.token().0,
            readable: event.is_readable() || event.is_read_closed() || event.is_error(),
            writable: event.is_writable() || event.is_write_closed(),
        });
    }
    count
}
