//! How late messages are, and what a thread counts.
//!
//! Coordinated omission: a generator that waits for an answer before it asks again asks less while
//! the server is slow, and so leaves out the very moments that matter. Here arrivals are the
//! market's own schedule (the simulator's or a recording's), whatever the server or this program
//! does; each message carries when the venue made it (`ts`), when it arrived at ingest (`rx`) and when
//! the tail published it (`tx`), and is timed from each of them. A stall of
//! the server delays every message that arrived during it, and each of them is recorded with its
//! full delay. Nothing has to be corrected afterwards. Readers that are slow on purpose are left
//! out: their delay is theirs.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::chain::Losses;
use crate::limits::LATENCY_MICROS_MAX;

/// What one thread has counted since the measurement began.
pub(crate) struct Counts {
    /// Messages with a place, over all sockets.
    pub(crate) deliveries: u64,
    /// Of those, on sockets that read slowly on purpose.
    pub(crate) slow_deliveries: u64,
    /// Bytes from the kernel, frames included.
    pub(crate) wire_bytes: u64,
    /// Bytes of messages, inflated.
    pub(crate) message_bytes: u64,
    pub(crate) losses: Losses,
    /// Messages that could not be read at all.
    pub(crate) unreadable: u64,
    /// Messages decoded in full to check the scan.
    pub(crate) sampled: u64,
    /// Of those, the ones it had read wrongly.
    pub(crate) mismatches: u64,
    /// Sockets the server ended, by close code; 0 where it gave none.
    pub(crate) closed: BTreeMap<u16, u64>,
    /// Of those, slow ones.
    pub(crate) slow_closed: u64,
    /// Connections made again.
    pub(crate) reconnects: u64,
    /// Reconnections that were refused.
    pub(crate) refused: u64,
    /// From leaving to the last acknowledgement, µs.
    pub(crate) back: Histogram<u64>,
    pub(crate) from_venue: Histogram<u64>,
    pub(crate) from_ingest: Histogram<u64>,
    pub(crate) from_tail: Histogram<u64>,
    /// Time spent outside the poll set, µs.
    pub(crate) handled_micros: u64,
    /// The time axis.
    pub(crate) rows: Rows,
}

/// When a message was at each place, µs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamps {
    /// At the venue, by the venue's clock, where it says so.
    pub(crate) ts: Option<i64>,
    /// At ingest.
    pub(crate) rx: i64,
    /// At the gateway's tail.
    pub(crate) tx: i64,
}

/// Latency from ingest, cut into equal stretches of time.
pub(crate) struct Rows {
    pub(crate) stretch: Duration,
    pub(crate) done: Vec<Histogram<u64>>,
    current: Histogram<u64>,
}

/// A histogram of microseconds. Bounds that are constants make one or none at all.
fn micros(digits: u8) -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, digits)?)
}

impl Counts {
    pub(crate) fn new(stretch: Duration) -> anyhow::Result<Self> {
        Ok(Self {
            deliveries: 0,
            slow_deliveries: 0,
            wire_bytes: 0,
            message_bytes: 0,
            losses: Losses::default(),
            unreadable: 0,
            sampled: 0,
            mismatches: 0,
            closed: BTreeMap::new(),
            slow_closed: 0,
            reconnects: 0,
            refused: 0,
            back: micros(3)?,
            from_venue: micros(3)?,
            from_ingest: micros(3)?,
            from_tail: micros(3)?,
            handled_micros: 0,
            rows: Rows { stretch, done: Vec::new(), current: micros(2)? },
        })
    }

    /// Times one message. A venue's time that is not of these minutes is a recording's, or a clock
    /// that disagrees: neither says how late the message is.
    pub(crate) fn time(&mut self, now: i64, Stamps { ts, rx, tx }: Stamps) {
        let since = |start: i64| {
            u64::try_from(now.saturating_sub(start)).unwrap_or(0).clamp(1, LATENCY_MICROS_MAX)
        };
        let is_of_today =
            |ts: &i64| (0..LATENCY_MICROS_MAX as i64).contains(&now.saturating_sub(*ts));
        if let Some(ts) = ts.filter(is_of_today) {
            self.from_venue.saturating_record(since(ts));
        }
        let from_ingest = since(rx);
        self.from_ingest.saturating_record(from_ingest);
        self.rows.current.saturating_record(from_ingest);
        self.from_tail.saturating_record(since(tx));
    }

    /// Adds another thread's.
    pub(crate) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.deliveries += other.deliveries;
        self.slow_deliveries += other.slow_deliveries;
        self.wire_bytes += other.wire_bytes;
        self.message_bytes += other.message_bytes;
        self.losses.add(other.losses);
        self.unreadable += other.unreadable;
        self.sampled += other.sampled;
        self.mismatches += other.mismatches;
        for (code, count) in &other.closed {
            *self.closed.entry(*code).or_default() += count;
        }
        self.slow_closed += other.slow_closed;
        self.reconnects += other.reconnects;
        self.refused += other.refused;
        self.back.add(&other.back)?;
        self.from_venue.add(&other.from_venue)?;
        self.from_ingest.add(&other.from_ingest)?;
        self.from_tail.add(&other.from_tail)?;
        self.handled_micros = self.handled_micros.max(other.handled_micros);
        for (at, row) in other.rows.done.iter().enumerate() {
            match self.rows.done.get_mut(at) {
                Some(mine) => mine.add(row)?,
                None => self.rows.done.push(row.clone()),
            }
        }
        Ok(())
    }
}

impl Rows {
    /// Ends the stretches that are over, `elapsed` after the beginning.
    pub(crate) fn turn_to(&mut self, elapsed: Duration) {
        while self.stretch * (self.done.len() as u32 + 1) <= elapsed {
            self.done.push(self.current.clone());
            self.current.reset();
        }
    }

    /// The end: a last stretch that is half over or more counts as one. Threads that end a moment
    /// apart then have equally many.
    pub(crate) fn finish(&mut self, elapsed: Duration) {
        self.turn_to(elapsed + self.stretch / 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        Counts::new(Duration::from_secs(1)).expect("constants")
    }

    #[test]
    fn every_message_of_a_stall_has_its_own_delay() {
        // 1,000 arrivals, one a millisecond, all delivered at the end of the second.
        let mut counts = counts();
        for arrival in 0..1_000_i64 {
            let (rx, tx) = (arrival * 1_000, 900_000);
            counts.time(1_000_000, Stamps { ts: Some(rx - 50), rx, tx });
        }
        let at = |quantile| counts.from_ingest.value_at_quantile(quantile);
        assert!(at(0.5).abs_diff(500_000) < 2_000, "{}", at(0.5));
        assert!(at(0.99).abs_diff(990_000) < 2_000, "{}", at(0.99));
        assert!(counts.from_tail.max().abs_diff(100_000) < 100);
        assert_eq!(counts.from_venue.len(), 1_000);
        assert!(counts.from_venue.max().abs_diff(1_000_050) < 1_000);
    }

    #[test]
    fn clocks_that_disagree_and_endless_waits_stay_in_bounds() {
        let mut counts = counts();
        counts.time(5, Stamps { ts: Some(6), rx: 10, tx: i64::MAX });
        counts.time(i64::MAX, Stamps { ts: Some(i64::MIN), rx: i64::MIN, tx: 0 });
        assert_eq!(counts.from_ingest.min(), 1);
        assert_eq!(counts.from_venue.len(), 0, "no time of a venue's was one");
        assert!(counts.from_ingest.max() >= LATENCY_MICROS_MAX);
    }

    #[test]
    fn threads_and_stretches_add_up() {
        let (mut first, mut second) = (counts(), counts());
        first.time(100, Stamps { ts: None, rx: 0, tx: 0 });
        first.rows.turn_to(Duration::from_millis(2_100));
        second.rows.turn_to(Duration::from_millis(1_000));
        second.time(300, Stamps { ts: None, rx: 0, tx: 0 });
        second.rows.turn_to(Duration::from_millis(2_400));
        second.rows.finish(Duration::from_millis(2_600));
        first.add(&second).expect("same bounds");
        let lengths: Vec<u64> = first.rows.done.iter().map(Histogram::len).collect();
        assert_eq!(lengths, [1, 1, 0]);
        assert_eq!(first.from_ingest.len(), 2);
    }
}
