//! Only what somebody wants is consumed: the first who wants a partition waits until it has been
//! caught up with, others do not; who leaves lets it go, and nothing stale is ever told.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fantail_bus::stable_partition;
use fantail_model::{Body, BookChange, Event, Kind, Position, State};
use fantail_wire::codes::Code;
use fantail_wire::record;

use super::faulty::Fault;
use super::{BOOK, Plan, RAW, Rig, TRADE};
use crate::limits;
use crate::link::{ToShard, ToTail, WantItem};
use crate::query::{Answer, Query};
use crate::seed::{Part, Seeds, SessionKey, SnapshotBody};
use crate::testing::{event, level, status, trade};

const PARTITIONS: u32 = 4;
const LINGER: Duration = Duration::from_secs(30);
const SECOND: i64 = 1_000_000;
/// An answer: its command, and what each of its channels begins with.
type Told = (u64, Vec<Result<Vec<Part>, Code>>);
/// Partitions of feed states: always consumed.
const STATES: u64 = PARTITIONS as u64;

fn view(price: u64) -> BookChange {
    BookChange { bids: vec![level(price, 1)], asks: vec![level(price + 10, 1)] }
}

fn book_at(seq: u64, price: u64) -> Event {
    Event { reset: true, ..event(1, seq, Body::Book(view(price))) }
}

/// The next change of a book: its best bid's size becomes `size`.
fn change(seq: u64, price: u64, size: u64) -> Event {
    let change = BookChange { bids: vec![level(price, size)], asks: Vec::new() };
    event(1, seq, Body::Book(change))
}

/// A channel whose partition is another one than that of the usual one's.
fn elsewhere(kind: &str) -> String {
    let partition = |name: &str| stable_partition(record::key(name).as_bytes(), PARTITIONS);
    let names = (0..100).map(|n| format!("{kind}:binance:S{n}-USDT"));
    let mut names = names.filter(|name| partition(name) != partition(BOOK));
    names.next().unwrap()
}

fn rig(before: impl FnOnce(&mut super::Owner)) -> Rig {
    let (ring, mailbox) = (64 * 1_024 * 1_024, 65_536);
    let plan = Plan {
        faulty: true,
        ring,
        mailbox,
        partitions: PARTITIONS,
        by_interest: Some(LINGER),
        wait: Duration::ZERO,
    };
    let rig = Rig::planned(plan, before);
    rig.turn_until(|rig| rig.readiness.is_ready());
    rig
}

/// A book with a young snapshot, an event it has seen and one it has not; and another one.
fn two_books(owner: &mut super::Owner, other: &str) {
    owner.age = 10 * SECOND;
    owner.snapshot(BOOK, &book_at(7, 500));
    owner.snapshot(other, &book_at(70, 900));
    owner.age = 5 * SECOND;
    owner.publish(BOOK, &change(7, 500, 9));
    owner.publish(BOOK, &change(8, 500, 2));
    owner.publish(other, &change(71, 900, 3));
}

impl Rig {
    /// Turns the tail, by questions that want no partition, until something holds.
    fn turn_until(&self, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            self.ask(Query::Status);
        }
    }

    /// Time goes on, and the tail looks at it: it has answered more than it does in one cycle.
    fn tick(&self) {
        self.hand.advance(limits::TICK);
        for _ in 0..=limits::QUERIES_PER_CYCLE {
            self.ask(Query::Status);
        }
    }

    /// The same, with time going on. Returns how much.
    fn pass_until(&self, holds: impl Fn(&Self) -> bool) -> Duration {
        let mut passed = Duration::ZERO;
        while !holds(self) {
            self.tick();
            passed += limits::TICK;
        }
        passed
    }

    fn consumed(&self) -> u64 {
        self.metrics.partitions[0].load(Ordering::Relaxed)
    }

    /// The number of a channel that was announced.
    fn number_of(&mut self, name: &str) -> u32 {
        loop {
            if let ToShard::Channel(info) = self.next()
                && &*info.name == name
            {
                return info.ch;
            }
        }
    }

    /// The next seeds, whatever comes before them.
    fn seeds(&mut self) -> Told {
        loop {
            if let ToShard::Seeds(seeds) = self.next() {
                return told(&seeds);
            }
        }
    }

    /// The next seeds while time goes on, no more of it than `most`, and how much did.
    fn seeds_in_time(&mut self, most: Duration) -> (Told, Duration) {
        let mut passed = Duration::ZERO;
        loop {
            if let Ok(ToShard::Seeds(seeds)) = self.mailbox.try_recv() {
                return (told(&seeds), passed);
            }
            if passed < most {
                self.tick();
                passed += limits::TICK;
            } else {
                self.ask(Query::Status);
            }
        }
    }

    /// The book a new subscriber is given.
    fn wanted_book(&mut self, ch: u32) -> (BookChange, Option<Position>) {
        self.want(ch, None);
        let (_, mut seeds) = self.seeds();
        book_of(&seeds.remove(0).unwrap())
    }

    /// Nobody of the shard wants it any more, for so long that it is given up.
    fn leave(&self, ch: u32, left: u64) {
        self.link.send(ToTail::Leave { shard: 0, ch }).unwrap();
        self.pass_until(|rig| rig.consumed() == left);
    }
}

/// What seeds say, without notices of silent owners: time passes here, and nobody beats.
fn told(seeds: &Seeds) -> Told {
    let is_told = |part: &&Part| !matches!(part, Part::Notice(_));
    let parts = seeds.seeds.iter().map(|seed| match seed {
        Ok(seed) => Ok(seed.parts.iter().filter(is_told).cloned().collect()),
        Err((_, code)) => Err(*code),
    });
    (seeds.token, parts.collect())
}

fn book_of(parts: &[Part]) -> (BookChange, Option<Position>) {
    match parts {
        [Part::Snapshot(snapshot)] => match &snapshot.body {
            SnapshotBody::Book { position, levels, .. } => (levels.clone(), *position),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn changed(price: u64, size: u64) -> BookChange {
    BookChange { bids: vec![level(price, size)], ..view(price) }
}

#[test]
fn the_first_want_reads_its_partition_from_the_snapshot_on_and_no_other() {
    let other = elsewhere("book");
    let mut rig = rig(|owner| two_books(owner, &other));
    let records = rig.metrics.records.load(Ordering::Relaxed);
    assert_eq!(records, 0, "ready without an event read");
    rig.pass_until(|rig| rig.consumed() == STATES);
    let total = rig.metrics.partitions[1].load(Ordering::Relaxed);
    assert_eq!(total, Kind::ALL.len() as u64 * STATES);
    let [ch, _] = rig.number_of_both(&other);
    assert_eq!(rig.wanted_book(ch), (changed(500, 2), Some(Position::new(1, 8))));
    rig.pass_until(|rig| rig.consumed() == STATES + 1);
    // Live from here on; the other one's events stay where they are.
    rig.publish(&other, &change(72, 900, 4));
    rig.publish(BOOK, &change(9, 500, 5));
    assert_eq!(rig.next_seqs(), [9]);
    let figures = &rig.metrics;
    let counts = [&figures.records, &figures.holes, &figures.duplicates, &figures.woken];
    assert_eq!(counts.map(|count| count.load(Ordering::Relaxed)), [3, 0, 0, 1]);
}

impl Rig {
    /// The numbers of both books, in whatever order they were announced.
    fn number_of_both(&mut self, other: &str) -> [u32; 2] {
        let mut numbers = [None; 2];
        while numbers.iter().any(Option::is_none) {
            if let ToShard::Channel(info) = self.next() {
                let at = usize::from(&*info.name == other);
                numbers[at] = Some(info.ch);
            }
        }
        numbers.map(|number| number.unwrap())
    }
}

#[test]
fn a_partition_is_given_up_after_a_while_and_begins_afresh() {
    let other = elsewhere("book");
    let mut rig = rig(|owner| two_books(owner, &other));
    let [ch, _] = rig.number_of_both(&other);
    rig.wanted_book(ch);
    rig.publish(BOOK, &change(9, 500, 5));
    assert_eq!(rig.next_seqs(), [9]);
    // Back within the time it lingers, it is still there, ring and all.
    rig.link.send(ToTail::Leave { shard: 0, ch }).unwrap();
    rig.hand.advance(LINGER / 2);
    rig.publish(BOOK, &change(10, 500, 6));
    rig.want(ch, Some((1, 9)));
    let (_, seeds) = rig.seeds();
    let [Ok(parts)] = &seeds[..] else { panic!("{seeds:?}") };
    assert!(matches!(&parts[..], [Part::Group(_)] | []), "{parts:?}");
    assert_eq!(rig.metrics.woken.load(Ordering::Relaxed), 1);
    rig.leave(ch, STATES);
    // While nobody reads, the feed goes on and rewrites its snapshot.
    for seq in 11..=20 {
        rig.publish(BOOK, &change(seq, 500, seq));
    }
    rig.owner.snapshot(BOOK, &Event { body: Body::Book(changed(500, 20)), ..book_at(20, 500) });
    rig.publish(BOOK, &change(21, 500, 21));
    rig.publish(BOOK, &change(22, 500, 22));
    let before = rig.metrics.publications.load(Ordering::Relaxed);
    assert_eq!(rig.wanted_book(ch), (changed(500, 22), Some(Position::new(1, 22))));
    let after = rig.metrics.publications.load(Ordering::Relaxed);
    assert_eq!(after - before, 2, "what the snapshot has seen is not told again");
    assert_eq!(rig.metrics.woken.load(Ordering::Relaxed), 2);
    assert_eq!(rig.metrics.holes.load(Ordering::Relaxed), 0);
}

#[test]
fn who_resumes_into_a_partition_that_slept_misses_nothing() {
    let mut rig = rig(|owner| {
        owner.age = 10 * SECOND;
        for seq in 1..=5 {
            owner.publish(TRADE, &trade(1, seq));
        }
        owner.state(TRADE, &event(1, 3, status(State::Live)));
    });
    rig.publish(TRADE, &trade(1, 6));
    let ch = rig.number_of(TRADE);
    // Older than everything the partition is read from.
    rig.want(ch, Some((1, 1)));
    let (_, seeds) = rig.seeds();
    assert_eq!(seqs(&seeds), [2, 3, 4, 5, 6]);
    rig.leave(ch, STATES);
    for seq in 7..=9 {
        rig.publish(TRADE, &trade(1, seq));
    }
    rig.want(ch, Some((1, 6)));
    let (_, seeds) = rig.seeds();
    assert_eq!(seqs(&seeds), [7, 8, 9], "a ring with a hole would have told less");
}

/// Events told by the only seed, which must be whole.
fn seqs(seeds: &[Result<Vec<Part>, Code>]) -> Vec<u64> {
    let [Ok(parts)] = seeds else { panic!("{seeds:?}") };
    let groups = parts.iter().map(|part| part.group().unwrap_or_else(|| panic!("{part:?}")));
    groups.flat_map(|group| &group.events).map(|p| p.event.position.seq).collect()
}

#[test]
fn a_bus_that_does_not_answer_holds_up_only_who_waits_for_it_and_not_for_ever() {
    let other = elsewhere("book");
    let mut rig = rig(|owner| two_books(owner, &other));
    let [ch, late] = rig.number_of_both(&other);
    rig.wanted_book(ch);
    rig.doubts.away(true);
    let refused = rig.want(late, None);
    // What is live goes on meanwhile, events and answers.
    rig.publish(BOOK, &change(9, 500, 5));
    assert_eq!(rig.next_seqs(), [9]);
    assert_eq!(rig.wanted_book(ch).1, Some(Position::new(1, 9)));
    // Both in one command: one answer, in which only what could not be begun is refused.
    rig.token += 1;
    let both = rig.token;
    let item = |ch| WantItem { ch, from: None, history: None, repeat: false, reset: false };
    let (session, items) = (SessionKey { slot: 5, generation: 9 }, vec![item(ch), item(late)]);
    rig.link.send(ToTail::Want { shard: 0, session, token: both, items }).unwrap();
    let (one, first) = rig.seeds_in_time(Duration::MAX);
    let (two, second) = rig.seeds_in_time(Duration::MAX);
    assert!(first + second >= limits::WAKE_WAIT - limits::TICK, "{first:?}, {second:?}");
    let mut answers = [one, two];
    answers.sort_by_key(|(token, _)| *token);
    let [(first, one), (second, two)] = answers;
    assert_eq!((first, second), (refused, both));
    assert!(matches!(one[..], [Err(Code::Overloaded)]), "{one:?}");
    assert!(matches!(two[..], [Ok(_), Err(Code::Overloaded)]), "{two:?}");
    // It comes back: who waits then is served, without asking again.
    rig.want(late, None);
    rig.doubts.away(false);
    // A question may just have failed, and is asked once more.
    let ((_, mut seeds), _) = rig.seeds_in_time(limits::LOAD_RETRY * 2);
    let told = book_of(&seeds.remove(0).unwrap());
    assert_eq!(told, (changed(900, 3), Some(Position::new(1, 71))));
}

#[test]
fn records_lost_while_catching_up_are_told_as_ever() {
    let mut rig = rig(|owner| {
        owner.age = 10 * SECOND;
        owner.state(TRADE, &event(1, 3, status(State::Live)));
        for seq in 4..=8 {
            owner.publish(TRADE, &trade(1, seq));
        }
    });
    let ch = rig.number_of(TRADE);
    rig.faults.order(Fault::Retention(RAW, 2));
    rig.want(ch, Some((1, 3)));
    let (_, seeds) = rig.seeds();
    let [Ok(parts)] = &seeds[..] else { panic!("{seeds:?}") };
    // The reader of the past finds what this one lost: the hole is its reading's, not the bus's.
    let told: Vec<u64> = parts
        .iter()
        .filter_map(Part::group)
        .flat_map(|group| &group.events)
        .map(|published| published.event.position.seq)
        .collect();
    assert_eq!(told, [4, 5, 6, 7, 8]);
    assert_eq!(rig.metrics.holes.load(Ordering::Relaxed), 1);
}

#[test]
fn a_question_waits_for_its_partition_and_keeps_it_for_a_while() {
    let other = elsewhere("book");
    let rig = rig(|owner| two_books(owner, &other));
    let query = || Query::Book { channel: BOOK.parse().unwrap(), depth: 0 };
    let Answer::Book(book) = rig.ask(query()) else { panic!("a book") };
    assert_eq!((book.view, book.meta.position), (changed(500, 2), Some(Position::new(1, 8))));
    // The figure is the tail's next tick's; until then time goes on as well.
    let told = rig.pass_until(|rig| rig.consumed() == STATES + 1);
    let passed = told + rig.pass_until(|rig| rig.consumed() == STATES);
    assert!(passed >= LINGER - 2 * limits::TICK, "{passed:?}");
}
