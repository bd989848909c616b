//! Answers REST's questions out of the store.

use fantail_model::{Channel, Event, Kind, State};

use super::Tail;
use crate::limits;
use crate::query::{Answer, Asked, BookAnswer, Meta, Query, StatusAnswer};
use crate::store::channel::{ChannelState, Value};

impl Tail {
    /// Answers what waits in the mailbox, bounded per cycle.
    pub(super) fn answer_queries(&mut self) {
        for _ in 0..limits::QUERIES_PER_CYCLE {
            let Ok(asked) = self.queries.try_recv() else { return };
            self.answer_query(asked);
        }
    }

    /// Answers at once, or once the partition asked about is consumed.
    pub(super) fn answer_query(&mut self, asked: Asked) {
        let channel = match &asked.0 {
            Query::Book { channel, .. } | Query::Recent { channel, .. } => Some(channel),
            Query::Instruments | Query::Status => None,
        };
        let ch = channel.and_then(|channel| self.store.number(&channel.to_string()));
        let (answer, answer_to) = match ch {
            Some(ch) if !self.is_answerable(ch) => match self.hold_question(asked) {
                Some((_, answer_to)) => (Answer::Later, answer_to),
                None => return,
            },
            _ => (self.answer(&asked.0), asked.1),
        };
        // Who no longer waits has timed out or gone: nothing to do.
        let _ = answer_to.send(answer);
    }

    fn answer(&self, query: &Query) -> Answer {
        match query {
            Query::Instruments => self.instruments(),
            Query::Status => self.status(),
            Query::Book { channel, depth } => self.find(channel).map_or(Answer::Unknown, |state| {
                let Value::Book { book, in_sync } = &state.value else { return Answer::Unknown };
                let depth = if *depth == 0 { usize::MAX } else { *depth };
                let view = if *in_sync { book.top(depth) } else { Default::default() };
                Answer::Book(BookAnswer { view, meta: self.meta(state) })
            }),
            Query::Recent { channel, limit } => {
                self.find(channel).map_or(Answer::Unknown, |state| {
                    let limit = (*limit).min(limits::HISTORY_MAX as usize);
                    Answer::Recent { events: recent(state, limit), meta: self.meta(state) }
                })
            }
        }
    }

    /// State and place of a channel; before its first event the state is its symbol's.
    fn meta(&self, channel: &ChannelState) -> Meta {
        let (ts, rx) = channel.times();
        let named = &channel.info.channel;
        let symbol_state = || {
            let status = Channel::status(named.venue.clone()?, named.symbol.clone());
            Some(self.find(&status)?.state().0)
        };
        let own = channel.state().0;
        let state = match channel.position() {
            Some(_) => own,
            None => symbol_state().unwrap_or(own),
        };
        Meta { state, position: channel.position(), ts, rx }
    }

    fn find(&self, channel: &Channel) -> Option<&ChannelState> {
        self.store.number(&channel.to_string()).and_then(|ch| self.store.channel(ch))
    }

    fn instruments(&self) -> Answer {
        let with_state = |instrument: &fantail_model::Instrument| {
            let symbol = Some(instrument.symbol.clone());
            let status = Channel::status(instrument.venue.clone(), symbol);
            let state = self.find(&status).map_or(State::Down, |state| state.state().0);
            (instrument.clone(), state)
        };
        let mut all: Vec<_> = self.store.instruments().iter().map(with_state).collect();
        let place = |i: &fantail_model::Instrument| (i.venue.clone(), i.symbol.clone());
        all.sort_by_key(|(instrument, _)| place(instrument));
        Answer::Instruments(all)
    }

    fn status(&self) -> Answer {
        let answer = |channel: &ChannelState| {
            let (state, reason, since) = channel.state();
            let venue = channel.info.channel.venue.clone()?;
            let symbol = channel.info.channel.symbol.clone();
            Some(StatusAnswer { venue, symbol, state, reason: reason.to_owned(), since })
        };
        Answer::Status(self.store.status_channels().filter_map(answer).collect())
    }
}

/// The newest facts of the channel's own kind: states told inside it are not among them.
fn recent(channel: &ChannelState, limit: usize) -> Vec<Event> {
    use fantail_model::Body;
    let kind = channel.info.channel.kind;
    let own = |event: &Event| {
        matches!(
            (&event.body, kind),
            (Body::Trade(_), Kind::Trade) | (Body::Candle(_), Kind::Candle)
        )
    };
    let events = channel.ring.newest(usize::MAX);
    let mut newest: Vec<Event> =
        events.iter().rev().map(|p| &p.event).filter(|e| own(e)).take(limit).cloned().collect();
    newest.reverse();
    newest
}
