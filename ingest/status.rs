//! How well a feed and each of its symbols are doing, and which change is worth an event.
//!
//! A pure ledger: [`Condition`] collects what is known of a symbol, and says the status of its
//! channels; [`Told`] remembers what a channel last heard, so that only transitions are published.

use std::time::Duration;

use fantail_model::{State, Status};

use crate::limits;

/// State of a connection, as its symbols see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Not tried to the end yet.
    Connecting,
    /// Subscribed.
    Up,
    /// Lost or refused, with the reason.
    Down(String),
}

/// What is known of one symbol.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// The venue doesn't list it: why it will stay silent.
    pub(crate) unlisted: Option<String>,
    pub(crate) link: Link,
    pub(crate) quiet: bool,
    /// The book is being rebuilt, and why.
    pub(crate) book_waits: Option<String>,
}

/// What a channel was last told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Option<Status>);

/// When messages come and how long the usual pause is.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    stale_after: Duration,
    last: Duration,
    usual_pause: Duration,
}

impl Condition {
    pub(crate) fn new() -> Self {
        let book_waits = Some("waiting for the first snapshot".to_owned());
        Self { unlisted: None, link: Link::Connecting, quiet: false, book_waits }
    }

    /// Of every channel but the book.
    pub(crate) fn stream(&self) -> Status {
        let (state, reason) = if let Some(reason) = &self.unlisted {
            (State::Down, reason.as_str())
        } else {
            match &self.link {
                Link::Connecting => (State::Down, "connecting"),
                Link::Down(reason) => (State::Down, reason.as_str()),
                Link::Up if self.quiet => (State::Stale, "no message from the venue"),
                Link::Up => (State::Live, ""),
            }
        };
        Status { state, reason: reason.to_owned() }
    }

    /// Of the book, and of the symbol as a whole.
    pub(crate) fn book(&self) -> Status {
        let stream = self.stream();
        match &self.book_waits {
            Some(reason) if stream.state == State::Live => {
                Status { state: State::Resync, reason: reason.clone() }
            }
            _ => stream,
        }
    }

    /// Nothing has failed yet: the symbol is only starting.
    fn is_starting(&self) -> bool {
        self.unlisted.is_none() && self.link == Link::Connecting
    }
}

impl Told {
    /// For a `status` channel: every change, reasons included.
    pub(crate) fn status(&mut self, now: Status) -> Option<Status> {
        if self.0.as_ref() == Some(&now) {
            return None;
        }
        self.0 = Some(now.clone());
        Some(now)
    }

    /// For a market channel: changes of state only, and nothing while all is as it should be from
    /// the start; its first event says that by itself.
    pub(crate) fn market(&mut self, now: Status, condition: &Condition) -> Option<Status> {
        let waiting = now.state == State::Resync || condition.is_starting();
        match &self.0 {
            Some(told) if told.state == now.state => None,
            None if waiting => None,
            None if now.state == State::Live => {
                self.0 = Some(now);
                None
            }
            _ => {
                self.0 = Some(now.clone());
                Some(now)
            }
        }
    }
}

impl Pulse {
    pub(crate) fn new(stale_after: Duration, now: Duration) -> Self {
        Self { stale_after, last: now, usual_pause: Duration::ZERO }
    }

    /// A message came.
    pub(crate) fn beat(&mut self, now: Duration) {
        let pause = now.saturating_sub(self.last);
        self.last = now;
        self.usual_pause = self.usual_pause * 15 / 16 + pause / 16;
    }

    /// A new connection: what came before is no measure of its silence.
    pub(crate) fn restart(&mut self, now: Duration) {
        self.last = now;
    }

    /// Whether the silence is longer than this symbol's pauses explain.
    pub(crate) fn is_quiet(&self, now: Duration) -> bool {
        let most = self.stale_after.max(self.usual_pause * limits::STALE_PAUSES);
        now.saturating_sub(self.last) > most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_worst_known_is_the_status() {
        let mut condition = Condition::new();
        assert_eq!(condition.book().reason, "connecting");
        condition.link = Link::Up;
        assert_eq!(condition.stream().state, State::Live);
        assert_eq!(condition.book().state, State::Resync);
        condition.book_waits = None;
        assert_eq!(condition.book().state, State::Live);
        condition.quiet = true;
        assert_eq!(condition.book().state, State::Stale);
        condition.link = Link::Down("refused".to_owned());
        assert_eq!(condition.book(), condition.stream());
        condition.unlisted = Some("not listed".to_owned());
        assert_eq!(condition.stream().reason, "not listed");
    }

    #[test]
    fn market_channels_hear_transitions_only() {
        let mut condition = Condition::new();
        let mut told = Told::default();
        assert_eq!(told.market(condition.book(), &condition), None, "starting says nothing");
        condition.link = Link::Up;
        assert_eq!(told.market(condition.book(), &condition), None);
        condition.link = Link::Down("cut".to_owned());
        let down = told.market(condition.book(), &condition).unwrap();
        assert_eq!((down.state, down.reason.as_str()), (State::Down, "cut"));
        condition.link = Link::Down("still".to_owned());
        assert_eq!(told.market(condition.book(), &condition), None);
        condition.link = Link::Up;
        assert_eq!(told.market(condition.book(), &condition).unwrap().state, State::Resync);
        condition.book_waits = None;
        assert_eq!(told.market(condition.book(), &condition).unwrap().state, State::Live);

        let mut fresh = Told::default();
        assert_eq!(fresh.market(condition.book(), &condition), None, "live from the start");
        condition.book_waits = Some("sequence".to_owned());
        assert_eq!(fresh.market(condition.book(), &condition).unwrap().state, State::Resync);
    }

    #[test]
    fn a_quiet_market_is_not_stale() {
        let mut busy = Pulse::new(5 * SECOND, Duration::ZERO);
        assert!(!busy.is_quiet(5 * SECOND));
        assert!(busy.is_quiet(6 * SECOND));
        let mut now = Duration::ZERO;
        for _ in 0..200 {
            now += 4 * SECOND;
            busy.beat(now);
        }
        assert!(!busy.is_quiet(now + 20 * SECOND));
        assert!(busy.is_quiet(now + 40 * SECOND));
        busy.restart(now + 40 * SECOND);
        assert!(!busy.is_quiet(now + 41 * SECOND));
    }
}
