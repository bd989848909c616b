//! Answers what shards want: seeds made at one place in the stream.
//!
//! Interest is set in the same step that queues the seed, so the shard sees the seed at S, then
//! S+1, S+2 … in its mailbox. Commands that resume ahead of this node wait here, bounded in time
//! and number.

use std::sync::Arc;
use std::time::Duration;

use fantail_model::Micros;
use fantail_wire::codes::Code;

use super::Tail;
use crate::limits;
use crate::link::{ToShard, ToTail, WantItem};
use crate::seed::{Seed, Seeds, SessionKey};
use crate::store::resume::Start;

/// A command that waits for a position.
pub(crate) struct Ahead {
    shard: usize,
    session: SessionKey,
    token: u64,
    items: Vec<WantItem>,
    since: Duration,
}

impl Tail {
    /// Answers what waits in the mailbox, bounded per cycle.
    pub(super) fn answer_requests(&mut self, now: Micros) {
        for _ in 0..limits::REQUESTS_PER_CYCLE {
            let Ok(request) = self.requests.try_recv() else { return };
            match request {
                ToTail::Want { shard, session, token, items } => {
                    let since = self.clock.monotonic();
                    self.want(Ahead { shard, session, token, items, since }, now, false);
                }
                ToTail::Leave { shard, ch } => {
                    self.store.leave(ch, 1 << shard);
                }
            }
        }
    }

    /// Retries commands that wait for a position; gives up on those that waited long enough.
    pub(super) fn retry_ahead(&mut self, now: Micros, elapsed: Duration) {
        for waiting in std::mem::take(&mut self.ahead) {
            let give_up = elapsed.saturating_sub(waiting.since) >= limits::AHEAD_WAIT;
            self.want(waiting, now, give_up);
        }
    }

    fn want(&mut self, want: Ahead, now: Micros, give_up: bool) {
        let must_wait = |item: &WantItem| {
            let head = self.store.channel(item.ch).and_then(|channel| channel.position());
            !item.repeat
                && item.from.is_some_and(|from| {
                    head.is_none_or(|head| (from.epoch, from.seq) > (head.epoch, head.seq))
                })
        };
        if !give_up && self.ahead.len() < limits::AHEAD_MAX && want.items.iter().any(must_wait) {
            self.ahead.push(want);
            return;
        }
        let seeds = want.items.iter().map(|item| self.seed(want.shard, item, now)).collect();
        let seeds = Seeds { session: want.session, token: want.token, seeds };
        if let Some(lag) = self.shards.get_mut(want.shard) {
            lag.push(ToShard::Seeds(Arc::new(seeds)), 0);
        }
    }

    fn seed(&mut self, shard: usize, item: &WantItem, now: Micros) -> Result<Seed, (u32, Code)> {
        match self.store.start(item, 1 << shard, now) {
            Some(Start::Seed(seed)) => Ok(seed),
            Some(Start::Ahead) => Err((item.ch, Code::PositionUnknown)),
            None => Err((item.ch, Code::UnknownChannel)),
        }
    }
}
