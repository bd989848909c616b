//! Books: the snapshot is the model's book, and only while it is the whole truth.

use fantail_model::{Bbo, Body, Book, BookChange, Event, Position, State};
use fantail_wire::client::Reply;

use super::{NOW, channel, cycle, seeded, want};
use crate::past::Past;
use crate::seed::{Part, SnapshotBody};
use crate::store::Store;
use crate::store::channel::{ChannelState, Refused};
use crate::store::resume::Start;
use crate::testing::{Seeded, book_change, event, level, status, trade, venue_gap, whole_book};
use crate::variant::Variants;

/// What a fresh subscriber's snapshot says: position (if in sync), levels, checksum.
fn snapshot(channel: &mut ChannelState) -> (Option<Position>, BookChange, u32) {
    let seed = seeded(channel, &want(None, None));
    match &seed.parts[0] {
        Part::Snapshot(snapshot) => match &snapshot.body {
            SnapshotBody::Book { position, levels, crc, .. } => (*position, levels.clone(), *crc),
            SnapshotBody::Last(event) => panic!("{event:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// The model beside the channel.
#[derive(Default)]
struct Model {
    book: Option<Book>,
    head: Position,
}

impl Model {
    fn check(&self, channel: &mut ChannelState) {
        let (position, levels, crc) = snapshot(channel);
        match &self.book {
            Some(book) => {
                assert_eq!(position, Some(self.head));
                assert_eq!((levels, crc), (book.view(), book.checksum()));
            }
            None => assert_eq!((position, levels), (None, BookChange::default())),
        }
    }

    fn take(&mut self, event: &Event) {
        let hole = event.prev != self.head.seq || event.position.epoch != self.head.epoch;
        self.head = event.position;
        match &event.body {
            Body::Book(levels) if event.reset => {
                let mut book = Book::new(0);
                book.replace(levels).unwrap();
                self.book = Some(book);
            }
            _ if hole => self.book = None,
            Body::VenueGap(_) => self.book = None,
            Body::Book(change) => {
                if let Some(book) = &mut self.book {
                    book.apply(change).unwrap();
                }
            }
            _ => {}
        }
    }
}

fn random_event(seeded_rng: &mut Seeded, head: Position) -> Event {
    let Position { epoch, seq } = head;
    let change = book_change(seeded_rng, 5);
    match seeded_rng.below(60) {
        0 => event(epoch, seq + 1, venue_gap()),
        1 => event(epoch, seq + 3, Body::Book(change)),
        2 => event(epoch + 5, 1, Body::Book(whole_book(seeded_rng, 20))),
        3 => event(epoch + 5, 1, status(State::Resync)),
        4 => event(epoch, seq + 1, status(State::Live)),
        5..=9 => {
            let whole = whole_book(seeded_rng, 20);
            Event { reset: true, ..event(epoch, seq + 1, Body::Book(whole)) }
        }
        _ => event(epoch, seq + 1, Body::Book(change)),
    }
}

#[test]
fn the_snapshot_is_the_book_and_null_while_out_of_sync() {
    let mut seeded_rng = Seeded::new(0x5eed_0003);
    let mut states = [0_u32; 2];
    for _ in 0..20 {
        let mut channel = channel("book:binance:BTC-USDT");
        let mut model = Model { head: Position::new(100, 0), ..Model::default() };
        model.check(&mut channel);
        for _ in 0..300 {
            let next = random_event(&mut seeded_rng, model.head);
            model.take(&next);
            let crc_due = next.position.seq.is_multiple_of(16)
                && matches!(next.body, Body::Book(_))
                && model.book.is_some();
            let (published, _) = channel.apply(next).unwrap();
            let crc = crc_due.then(|| model.book.as_ref().unwrap().checksum());
            assert_eq!(published.crc, crc);
            model.check(&mut channel);
            states[usize::from(model.book.is_some())] += 1;
        }
    }
    assert!(states.iter().all(|count| *count > 500), "both states were seen: {states:?}");
}

#[test]
fn a_new_epoch_that_begins_with_a_status_leaves_no_old_book_in_sync() {
    let mut channel = channel("book:binance:BTC-USDT");
    let whole = BookChange { bids: vec![level(1, 1)], asks: vec![level(2, 1)] };
    cycle(&mut channel, vec![event(1, 1, Body::Book(whole))], 10_000);
    assert_eq!(snapshot(&mut channel).0, Some(Position::new(1, 1)));
    cycle(&mut channel, vec![event(2, 1, status(State::Resync))], 10_000);
    assert_eq!(snapshot(&mut channel).0, None);
}

#[test]
fn a_change_that_is_none_leaves_the_book_out_of_sync_until_a_reset() {
    let mut channel = channel("book:binance:BTC-USDT");
    let whole = || BookChange { bids: vec![level(1, 1)], asks: vec![level(2, 1)] };
    cycle(&mut channel, vec![event(1, 1, Body::Book(whole()))], 10_000);
    let bad = BookChange { bids: vec![level(0, 1)], asks: Vec::new() };
    let refused = cycle(&mut channel, vec![event(1, 2, Body::Book(bad))], 10_000);
    assert_eq!(refused, [Refused::BadBook]);
    assert_eq!(snapshot(&mut channel).0, None);
    cycle(&mut channel, vec![event(1, 3, Body::Book(whole()))], 10_000);
    assert_eq!(snapshot(&mut channel).0, None, "a change cannot repair it");
    let reset = Event { reset: true, ..event(1, 4, Body::Book(whole())) };
    cycle(&mut channel, vec![reset], 10_000);
    assert_eq!(snapshot(&mut channel).0, Some(Position::new(1, 4)));
}

#[test]
fn trades_of_a_conflated_channel_resume_outside_the_ring_with_the_rest() {
    let interval = "trade:binance:BTC-USDT@250ms".parse::<fantail_model::Channel>().unwrap();
    let variants = Variants::new(vec![interval.interval.unwrap()]);
    let mut store = Store::new(1, variants.clone());
    let info = store.open(interval.base()).unwrap();
    let parent = store.channel_mut(info.ch).unwrap();
    for seq in 1..=20 {
        cycle(parent, vec![trade(1, seq)], 1_000);
    }
    let floor = parent.ring.floor().unwrap();
    assert!(floor.seq > 2 && floor.seq < 19, "{floor}");
    let ch = variants.number(info.ch, &interval).unwrap();
    let item = |epoch, seq| crate::link::WantItem { ch, ..want(Some((epoch, seq)), None) };
    let nothing = Past::failed(Position::new(1, 2));
    let start = store.start(&item(1, 2), Some(&nothing), 1, NOW);
    let Some(Start::Seed(seed)) = start else { panic!("no seed") };
    assert_eq!(super::gaps(&seed), [(1, 3, Some(floor.seq))]);
    let reason = seed.parts.iter().find_map(|part| match part {
        Part::Gap(Reply::Gap { reason, .. }) => Some(&reason[..]),
        _ => None,
    });
    assert_eq!(reason, Some("bus_unavailable"), "the bus may still have them");
    let seqs: Vec<u64> = super::events(&seed).iter().map(|e| e.position.seq).collect();
    assert_eq!(seqs, (floor.seq + 1..=20).collect::<Vec<_>>());
    assert_eq!(seed.position, Some(floor));
}

#[test]
fn a_conflated_last_value_resumes_with_what_was_missed() {
    let interval = "bbo:binance:BTC-USDT@100ms".parse::<fantail_model::Channel>().unwrap();
    let variants = Variants::new(vec![interval.interval.unwrap()]);
    let mut store = Store::new(1, variants.clone());
    let info = store.open(interval.base()).unwrap();
    let parent = store.channel_mut(info.ch).unwrap();
    let value = || Body::Bbo(Bbo { bid: None, ask: None });
    let bbo = |seq| event(1, seq, value());
    for seqs in [1..=5, 6..=6, 7..=8] {
        cycle(parent, seqs.map(bbo).collect(), 100_000);
    }
    let ch = variants.number(info.ch, &interval).unwrap();
    let mut resumed = |seq| {
        let item = crate::link::WantItem { ch, ..want(Some((1, seq)), None) };
        let Some(Start::Seed(seed)) = store.start(&item, None, 1, NOW) else { panic!("no seed") };
        let events = super::events(&seed);
        let prev = events.first().map(|event| event.prev);
        let last = events.last().map(|event| event.position.seq);
        (prev, last)
    };
    assert_eq!(resumed(5), (Some(5), Some(8)), "several groups, as one message");
    assert_eq!(resumed(6), (Some(6), Some(8)), "one group, as it is");
    assert_eq!(resumed(8), (None, None), "nothing was missed");
    // A new owner: what the old epoch still had is replaced by the state, and no gap is told.
    cycle(store.channel_mut(info.ch).unwrap(), vec![event(2, 1, value())], 100_000);
    let item = crate::link::WantItem { ch, ..want(Some((1, 6)), None) };
    let Some(Start::Seed(seed)) = store.start(&item, None, 1, NOW) else { panic!("no seed") };
    assert_eq!((super::gaps(&seed), seed.position), (vec![], Some(Position::new(2, 1))));
    let Part::Snapshot(state) = &seed.parts[0] else { panic!("{:?}", seed.parts) };
    assert!(matches!(&state.body, SnapshotBody::Last(last) if last.reset));
}

#[test]
fn who_comes_while_nobody_speaks_is_told_so() {
    let mut store = Store::new(1, Variants::default());
    let info = store.open("trade:binance:BTC-USDT".parse().unwrap()).unwrap();
    let notices = |store: &mut Store| match store.start(&want(None, None), None, 1, NOW) {
        Some(Start::Seed(seed)) => {
            seed.parts.iter().filter(|part| matches!(part, Part::Notice(_))).count()
        }
        other => panic!("{other:?}"),
    };
    cycle(store.channel_mut(info.ch).unwrap(), vec![event(1, 1, status(State::Live))], 1_000);
    assert_eq!(notices(&mut store), 0);
    store.channel_mut(info.ch).unwrap().mark_silent("ingest_silent", NOW);
    assert_eq!(store.channel(info.ch).unwrap().state().0, State::Stale);
    assert_eq!(notices(&mut store), 1);
    cycle(store.channel_mut(info.ch).unwrap(), vec![trade(1, 2)], 1_000);
    assert_eq!(
        store.channel(info.ch).unwrap().state().0,
        State::Stale,
        "an event may be an old one: who takes it decides whether its owner lives"
    );
    store.channel_mut(info.ch).unwrap().mark_heard();
    assert_eq!(store.channel(info.ch).unwrap().state().0, State::Live);
    assert_eq!(notices(&mut store), 0);
}
