//! One WebSocket connection of a venue, kept up for as long as the process runs.
//!
//! Owns connecting (with jittered backoff, the venue's attempt limit and its `Retry-After`),
//! subscribing at the venue's pace, the silence watchdog, and the planned replacement before the
//! venue's own cut. Output: [`Inbound`] in a bounded queue; when the feed is behind, the connection
//! stops reading. It reads no frame's meaning.

use std::collections::VecDeque;
use std::time::Duration;

use fantail_model::Micros;
use fantail_ops::clock::Clock;
use fantail_ops::shutdown::Shutdown;
use rand::Rng;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

mod line;
mod pace;

use crate::limits;
use crate::venue::Policy;
use line::{Line, LineEvent, Refusal};
pub(crate) use pace::{Pace, SharedPace};

/// What a connection tells its feed.
#[derive(Debug)]
pub(crate) enum Inbound {
    /// Subscribed; what came before is not continued.
    Up { connection: usize },
    /// A frame.
    Frame { connection: usize, text: Utf8Bytes, rx: Micros },
    /// A binary frame, which no venue sends.
    Binary,
    /// Lost or refused.
    Down { connection: usize, cause: &'static str, reason: String },
    /// Another socket took over without a break.
    Renewed,
}

/// What a feed asks of a connection.
#[derive(Debug)]
pub(crate) enum Order {
    /// Send these messages, at the venue's pace.
    Send(Vec<String>),
    /// Replace the socket now; subscribe to these from now on, if given.
    Renew(Option<Vec<String>>),
}

/// Everything a connection needs.
pub(crate) struct Connection {
    pub(crate) index: usize,
    pub(crate) url: String,
    pub(crate) subscribe: Vec<String>,
    pub(crate) policy: Policy,
    pub(crate) attempts: SharedPace,
    pub(crate) clock: Clock,
    pub(crate) shutdown: Shutdown,
    pub(crate) feed: mpsc::Sender<Inbound>,
    pub(crate) orders: mpsc::Receiver<Order>,
}

/// How a session on one socket ended.
enum End {
    Lost(&'static str, String),
    /// The next socket is subscribed already; these frames it has received.
    Replaced(Box<Line>, VecDeque<(Utf8Bytes, Micros)>),
    Shutdown,
}

impl Connection {
    /// Runs until shutdown or until the feed is gone.
    pub(crate) async fn run(mut self) {
        let shutdown = self.shutdown.clone();
        tokio::select! {
            () = shutdown.begun() => {}
            () = self.keep_up() => {}
        }
    }

    async fn keep_up(&mut self) {
        let mut failures = 0;
        loop {
            let line = match self.connect().await {
                Ok(line) => line,
                Err(refusal) => {
                    if !self.tell_down("connect", refusal.reason).await {
                        return;
                    }
                    failures += 1;
                    self.pause(failures, refusal.retry_after).await;
                    continue;
                }
            };
            let started = self.clock.monotonic();
            match self.sessions(line).await {
                End::Shutdown => return,
                End::Lost(cause, reason) => {
                    if !self.tell_down(cause, reason).await {
                        return;
                    }
                }
                End::Replaced(..) => {}
            }
            let lived = self.clock.monotonic().saturating_sub(started);
            failures = if lived >= limits::HEALTHY_AFTER { 1 } else { failures + 1 };
            self.pause(failures, None).await;
        }
    }

    async fn connect(&self) -> Result<Line, Refusal> {
        let wait = self.attempts.reserve(1, self.clock.monotonic());
        tokio::time::sleep(wait).await;
        Line::open(&self.url, &self.subscribe, self.policy.send_every).await
    }

    /// One socket after another, as long as each takes over from the last without a break.
    async fn sessions(&mut self, line: Line) -> End {
        let mut line = line;
        if !self.tell_subscribed(&mut line).await {
            return End::Shutdown;
        }
        loop {
            match self.session(line).await {
                End::Replaced(next, frames) => {
                    for (text, rx) in frames {
                        if !self.tell_frame(text, rx).await {
                            return End::Shutdown;
                        }
                    }
                    if self.feed.send(Inbound::Renewed).await.is_err() {
                        return End::Shutdown;
                    }
                    line = *next;
                }
                end => return end,
            }
        }
    }

    /// Sends all subscriptions; frames that come meanwhile are passed on after the news.
    async fn tell_subscribed(&mut self, line: &mut Line) -> bool {
        self.feed.send(Inbound::Up { connection: self.index }).await.is_ok() && {
            line.start_watch(self.clock.monotonic());
            true
        }
    }

    async fn session(&mut self, mut line: Line) -> End {
        let jitter = rand::rng().random_range(Duration::ZERO..limits::RENEW_JITTER);
        let mut renew_at = self.clock.monotonic() + self.policy.renew_after - jitter;
        loop {
            let now = self.clock.monotonic();
            if now >= renew_at {
                if !self.policy.overlap {
                    return End::Lost("planned", "planned reconnect".to_owned());
                }
                match self.replace(&mut line).await {
                    Ok(end) => return end,
                    // The old socket still works: try again a little later.
                    Err(_) => renew_at = self.clock.monotonic() + limits::BACKOFF_MAX,
                }
                continue;
            }
            tokio::select! {
                event = line.next(&self.clock, renew_at) => match event {
                    LineEvent::Frame(text, rx) => {
                        if !self.tell_frame(text, rx).await {
                            return End::Shutdown;
                        }
                    }
                    LineEvent::Binary => {
                        if self.feed.send(Inbound::Binary).await.is_err() {
                            return End::Shutdown;
                        }
                    }
                    LineEvent::Nothing => {}
                    LineEvent::Lost(cause, reason) => return End::Lost(cause, reason),
                },
                order = self.orders.recv() => match order {
                    Some(Order::Send(messages)) => line.queue(messages),
                    Some(Order::Renew(subscribe)) => {
                        if let Some(subscribe) = subscribe {
                            self.subscribe = subscribe;
                        }
                        renew_at = now;
                    }
                    None => return End::Shutdown,
                },
            }
        }
    }

    /// Opens the next socket beside this one, lets both run for a while, and hands over. While
    /// they overlap the old one's frames are told and the new one's kept; the feed knows by their
    /// ids which it has seen.
    async fn replace(&mut self, old: &mut Line) -> Result<End, Refusal> {
        let mut next = {
            let connecting = self.connect();
            tokio::pin!(connecting);
            loop {
                let far = self.clock.monotonic() + limits::CONNECT_TIMEOUT;
                tokio::select! {
                    line = &mut connecting => break line?,
                    event = old.next(&self.clock, far) => if let Some(end) = self.pass(event).await {
                        return Ok(end);
                    },
                }
            }
        };
        next.start_watch(self.clock.monotonic());
        let mut kept = VecDeque::new();
        let mut overlap_ends: Option<Duration> = None;
        loop {
            let now = self.clock.monotonic();
            if next.has_sent_all() && overlap_ends.is_none() {
                overlap_ends = Some(now + limits::TAKEOVER_OVERLAP);
            }
            let until = overlap_ends.unwrap_or(now + limits::CONNECT_TIMEOUT);
            if now >= until {
                return Ok(End::Replaced(Box::new(next), kept));
            }
            tokio::select! {
                event = old.next(&self.clock, until) => match event {
                    // The old socket ended early: the new one has what matters already.
                    LineEvent::Lost(..) => return Ok(End::Replaced(Box::new(next), kept)),
                    event => if let Some(end) = self.pass(event).await {
                        return Ok(end);
                    },
                },
                event = next.next(&self.clock, until) => match event {
                    LineEvent::Frame(..) if kept.len() >= limits::TAKEOVER_FRAMES_MAX => {
                        return Err(Refusal::new("the new connection outran the old one"));
                    }
                    LineEvent::Frame(text, rx) => kept.push_back((text, rx)),
                    LineEvent::Lost(_, reason) => return Err(Refusal::new(reason)),
                    LineEvent::Binary | LineEvent::Nothing => {}
                },
            }
        }
    }

    /// Passes an event of the old socket on; `Some` ends everything.
    async fn pass(&self, event: LineEvent) -> Option<End> {
        match event {
            LineEvent::Frame(text, rx) => {
                (!self.tell_frame(text, rx).await).then_some(End::Shutdown)
            }
            LineEvent::Lost(cause, reason) => Some(End::Lost(cause, reason)),
            LineEvent::Binary | LineEvent::Nothing => None,
        }
    }

    async fn tell_frame(&self, text: Utf8Bytes, rx: Micros) -> bool {
        let connection = self.index;
        self.feed.send(Inbound::Frame { connection, text, rx }).await.is_ok()
    }

    async fn tell_down(&self, cause: &'static str, reason: String) -> bool {
        let connection = self.index;
        self.feed.send(Inbound::Down { connection, cause, reason }).await.is_ok()
    }

    async fn pause(&mut self, failures: u32, retry_after: Option<Duration>) {
        let doubled = limits::BACKOFF_MIN * 2_u32.saturating_pow(failures.saturating_sub(1).min(8));
        let most = doubled.min(limits::BACKOFF_MAX);
        let jittered = rand::rng().random_range(most / 2..=most);
        let wait = jittered.max(retry_after.unwrap_or_default().min(limits::RETRY_AFTER_MAX));
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests;
