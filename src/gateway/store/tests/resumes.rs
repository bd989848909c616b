//! Random streams over several epochs, random ring sizes, random positions.

use fantail_model::{Body, Event, Position, State};

use super::{channel, cycle, events, gaps, seeded, started, want};
use crate::seed::{Part, Seed, SnapshotBody};
use crate::store::channel::{ChannelState, Refused};
use crate::store::resume::Start;
use crate::testing::{Seeded, bbo, event, status, trade};

/// A random stream and everything of it that had to be taken.
struct Stream {
    make: fn(u64, u64) -> Event,
    head: Position,
    epochs: u64,
    taken: Vec<Event>,
}

impl Stream {
    fn new(make: fn(u64, u64) -> Event) -> Self {
        Self { make, head: Position::new(1_000, 0), epochs: 0, taken: Vec::new() }
    }

    /// The next event, and why it must be refused, if it must.
    fn next(&mut self, seeded: &mut Seeded) -> (Event, Option<Refused>) {
        let Position { epoch, seq } = self.head;
        match seeded.below(40) {
            0 if seq > 0 => ((self.make)(epoch, 1 + seeded.below(seq)), Some(Refused::Duplicate)),
            1 if seq > 0 => {
                let old = epoch - 1 - seeded.below(900);
                ((self.make)(old, 1 + seeded.below(99)), Some(Refused::LowerEpoch))
            }
            2 if seq > 0 && self.epochs < 7 => {
                self.epochs += 1;
                self.take((self.make)(epoch + 1 + seeded.below(50), 1))
            }
            3 if seq > 0 => {
                let at = seq + 2 + seeded.below(3);
                self.take((self.make)(epoch, at))
            }
            4 => self.take(event(epoch, seq + 1, status(State::Lag))),
            _ => self.take((self.make)(epoch, seq + 1)),
        }
    }

    fn take(&mut self, event: Event) -> (Event, Option<Refused>) {
        self.head = event.position;
        self.taken.push(event.clone());
        (event, None)
    }

    /// Last seq of an epoch; `None` for one that never was.
    fn end(&self, epoch: u64) -> Option<u64> {
        let of = self.taken.iter().filter(|event| event.position.epoch == epoch);
        of.map(|event| event.position.seq).max()
    }

    fn after(&self, from: Position) -> Vec<Event> {
        self.taken.iter().filter(|event| event.position > from).cloned().collect()
    }

    /// Any position: a real one, one before, beyond or beside the stream.
    fn position(&self, seeded: &mut Seeded) -> Position {
        let some = &self.taken[seeded.below(self.taken.len() as u64) as usize];
        let Position { epoch, seq } = some.position;
        match seeded.below(10) {
            0 => Position::new(epoch, 0),
            1 => Position::new(epoch, seq + 1 + seeded.below(50)),
            2 => Position::new(epoch + 1, seeded.below(9)),
            3 => Position::new(epoch - 1, seeded.below(9)),
            4 => Position::new(self.head.epoch + seeded.below(2), u64::MAX),
            5 => self.head,
            _ => some.position,
        }
    }
}

/// Feeds a random stream, then asks for random positions; `check` gets the channel's floor too.
fn run(
    seed: u64,
    name: &str,
    make: fn(u64, u64) -> Event,
    check: fn(&Stream, Position, Option<Position>, &Seed),
) {
    let mut seeded_rng = Seeded::new(seed);
    for _ in 0..60 {
        let mut channel = channel(name);
        let mut stream = Stream::new(make);
        let ring_bytes = 300 + seeded_rng.below(20_000) as usize;
        for _ in 0..40 {
            let (mut given, mut refusals) = (Vec::new(), Vec::new());
            for _ in 0..=seeded_rng.below(6) {
                let (event, refusal) = stream.next(&mut seeded_rng);
                given.push(event);
                refusals.extend(refusal);
            }
            assert_eq!(cycle(&mut channel, given, ring_bytes), refusals);
            assert_eq!(channel.position(), Some(stream.head));
        }
        for _ in 0..60 {
            let from = stream.position(&mut seeded_rng);
            let floor = channel.ring.floor();
            match started(&mut channel, &want(Some((from.epoch, from.seq)), None)) {
                Start::Ahead => assert!(from > stream.head, "{from} is not ahead"),
                Start::Older => panic!("reading back has failed already"),
                Start::Foreign => {
                    let real = stream.end(from.epoch).is_some_and(|end| from.seq <= end);
                    assert!(!real && from.epoch != stream.head.epoch, "{from} was told");
                }
                Start::Seed(seed) => {
                    assert!(from <= stream.head, "{from} is ahead of {}", stream.head);
                    check(&stream, from, floor, &seed);
                }
            }
        }
        check_history(&mut channel, &stream, &mut seeded_rng);
    }
}

/// `history: n` equals resuming from n events before the head.
fn check_history(channel: &mut ChannelState, stream: &Stream, seeded_rng: &mut Seeded) {
    let count = 1 + seeded_rng.below(80) as usize;
    let kept = channel.ring.newest(usize::MAX).len();
    let seed = seeded(channel, &want(None, Some(count as u32)));
    let wanted = &stream.taken[stream.taken.len() - count.min(kept)..];
    assert_eq!(events(&seed), wanted);
    let first = &wanted[0];
    assert_eq!(seed.position, Some(Position::new(first.position.epoch, first.prev)));
    assert!(!seed.resumed);
}

fn resumed_exactly(stream: &Stream, from: Position, seed: &Seed) {
    assert!(seed.resumed);
    assert_eq!(seed.position, Some(from));
    assert_eq!(events(seed), stream.after(from), "from {from}");
    assert_eq!(seed.parts.len(), seed.parts.iter().filter_map(Part::group).count());
}

/// Every gap is exact: it begins where the client stood (or the epoch began) and ends where the
/// epoch ended or `reached` stands; an epoch nobody here saw has no end.
fn gaps_are_exact(stream: &Stream, from: Position, reached: Position, seed: &Seed) {
    for (epoch, first, last) in gaps(seed) {
        let wanted = if epoch == from.epoch { from.seq + 1 } else { 1 };
        assert_eq!(first, wanted, "from {from}");
        let end = if epoch == reached.epoch { Some(reached.seq) } else { stream.end(epoch) };
        assert_eq!(last, end, "from {from}");
        assert!(last.is_none_or(|last| last >= first), "an empty gap from {from}");
    }
}

#[test]
fn trades_resume_with_everything_or_an_exact_gap_and_the_rest() {
    run(0x5eed_0001, "trade:binance:BTC-USDT", trade, |stream, from, floor, seed| {
        let floor = floor.unwrap();
        if from >= floor {
            return resumed_exactly(stream, from, seed);
        }
        assert_eq!((seed.resumed, seed.position), (false, Some(floor)));
        gaps_are_exact(stream, from, floor, seed);
        assert_eq!(events(seed), stream.after(floor), "from {from}");
        // Each missed event is either delivered or inside exactly one gap.
        for missed in stream.after(from).iter().map(|event| event.position) {
            let inside = |(epoch, first, last): &(u64, u64, Option<u64>)| {
                *epoch == missed.epoch && (*first..=last.unwrap_or(u64::MAX)).contains(&missed.seq)
            };
            let told = gaps(seed).iter().filter(|gap| inside(gap)).count();
            assert_eq!(told, usize::from(missed <= floor), "{missed} from {from}, floor {floor}");
        }
    });
}

#[test]
fn states_resume_with_everything_or_an_exact_gap_and_the_state() {
    run(0x5eed_0002, "bbo:binance:BTC-USDT", bbo, |stream, from, floor, seed| {
        if floor.is_some_and(|floor| from >= floor) {
            return resumed_exactly(stream, from, seed);
        }
        assert_eq!((seed.resumed, seed.position), (false, Some(stream.head)));
        gaps_are_exact(stream, from, stream.head, seed);
        let lost = stream.after(from).iter().any(|event| event.position.epoch == from.epoch);
        let known = stream.end(from.epoch).is_some();
        assert_eq!(gaps(seed).len(), usize::from(lost || !known), "from {from}");
        let last = stream.taken.iter().rev().find(|event| matches!(event.body, Body::Bbo(_)));
        let states: Vec<&Event> = seed.parts.iter().filter_map(state).collect();
        assert_eq!(states[0].body, last.unwrap().body);
        assert!(states.iter().all(|state| state.position == stream.head && !state.reset));
    });
}

fn state(part: &Part) -> Option<&Event> {
    match part {
        Part::Snapshot(snapshot) => match &snapshot.body {
            SnapshotBody::Last(event) => Some(event),
            SnapshotBody::Book { .. } => None,
        },
        _ => None,
    }
}

#[test]
fn a_start_without_position_tells_the_state_at_the_head() {
    let mut last = channel("bbo:binance:BTC-USDT");
    assert_eq!(seeded(&mut last, &want(None, None)).position, None);
    cycle(&mut last, (1..=5).map(|seq| bbo(7, seq)).collect(), 10_000);
    cycle(&mut last, vec![event(7, 6, status(State::Stale))], 10_000);
    let seed = seeded(&mut last, &want(None, None));
    let states: Vec<&Event> = seed.parts.iter().filter_map(state).collect();
    assert_eq!(states.len(), 2, "the value, and the state of the feed");
    assert_eq!(states[0].body, bbo(7, 5).body);
    assert!(states.iter().all(|state| state.position == Position::new(7, 6)));
    assert_eq!(seed.position, Some(Position::new(7, 6)));

    let mut trades = channel("trade:binance:BTC-USDT");
    cycle(&mut trades, vec![trade(7, 1)], 10_000);
    let seed = seeded(&mut trades, &want(None, None));
    assert_eq!((seed.parts.len(), seed.position), (0, Some(Position::new(7, 1))));
}

#[test]
fn seeds_of_one_state_share_their_frames() {
    let mut last = channel("bbo:binance:BTC-USDT");
    cycle(&mut last, vec![bbo(7, 1)], 10_000);
    let snapshot = |seed: &Seed| match &seed.parts[0] {
        Part::Snapshot(snapshot) => std::sync::Arc::as_ptr(snapshot),
        other => panic!("{other:?}"),
    };
    let first = seeded(&mut last, &want(None, None));
    assert_eq!(snapshot(&first), snapshot(&seeded(&mut last, &want(None, None))));
    cycle(&mut last, vec![bbo(7, 2)], 10_000);
    assert_ne!(snapshot(&first), snapshot(&seeded(&mut last, &want(None, None))));
}
