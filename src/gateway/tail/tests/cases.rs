//! What the tail must do, on a running one.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fantail_model::{
    Body, BookChange, Instrument, InstrumentState, Kind, Position, State, Symbol, VenueId,
};
use fantail_wire::client::Reply;
use fantail_wire::codes::Code;
use fantail_wire::record::{self, RecordRef};

use super::{BOOK, RAW, Rig, TRADE};
use crate::limits;
use crate::link::{ToShard, ToTail};
use crate::query::{Answer, Query};
use crate::seed::{Part, Seed, Seeds};
use crate::testing::{event, level, trade};

fn only(seeds: &Seeds) -> &Seed {
    assert_eq!(seeds.seeds.len(), 1);
    seeds.seeds[0].as_ref().unwrap()
}

#[test]
fn the_seed_stands_exactly_before_the_events_that_follow_it() {
    let (mut rig, ch) = Rig::with_trades(1_024, 3);
    let token = rig.want(ch, None);
    let seeds = rig.next_seeds();
    assert_eq!((seeds.token, seeds.session.slot), (token, 5));
    assert_eq!(only(&seeds).position, Some(Position::new(1, 3)));
    let mut expected = 4;
    for seq in 4..=500 {
        rig.publish(TRADE, &trade(1, seq));
        // Asking while events flow: each answer stands at its own place.
        if seq % 50 == 0 {
            rig.want(ch, None);
        }
    }
    let mut asked = 10;
    while expected <= 500 || asked > 0 {
        match rig.next() {
            ToShard::Batch(batch) => {
                for published in batch.groups.iter().flat_map(|group| &group.events) {
                    assert_eq!(published.event.position.seq, expected);
                    expected += 1;
                }
            }
            ToShard::Seeds(seeds) => {
                assert_eq!(only(&seeds).position, Some(Position::new(1, expected - 1)));
                asked -= 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(rig.readiness.is_ready(), "it has caught up");
}

#[test]
fn nothing_comes_without_interest_and_nothing_after_it_ended() {
    let (mut rig, ch) = Rig::with_trades(1_024, 5);
    rig.want(ch, Some((1, 2)));
    let seeds = rig.next_seeds();
    assert!(only(&seeds).resumed);
    rig.publish(TRADE, &trade(1, 6));
    assert_eq!(rig.next_seqs(), [6]);
    rig.link.send(ToTail::Leave { shard: 0, ch }).unwrap();
    // The tail takes requests after records: an answer means that the leave is done.
    rig.want(u32::MAX - 63, None);
    let unknown = rig.next_seeds();
    assert_eq!(unknown.seeds[0].as_ref().unwrap_err().1, Code::UnknownChannel);
    rig.publish(TRADE, &trade(1, 7));
    while rig.position() != Some(Position::new(1, 7)) {}
    assert!(rig.mailbox.try_recv().is_err(), "nobody wanted it");
}

#[test]
fn a_position_ahead_is_waited_for() {
    let (mut rig, ch) = Rig::with_trades(1_024, 2);
    let ahead = rig.want(ch, Some((1, 4)));
    let plain = rig.want(ch, None);
    assert_eq!(rig.next_seeds().token, plain, "nobody else waits with it");
    rig.publish(TRADE, &trade(1, 3));
    assert_eq!(rig.next_seqs(), [3]);
    rig.publish(TRADE, &trade(1, 4));
    assert_eq!(rig.next_seqs(), [4]);
    rig.hand.advance(limits::TICK);
    let seeds = rig.next_seeds();
    assert_eq!(seeds.token, ahead);
    let seed = only(&seeds);
    assert!(seed.resumed && seed.parts.is_empty());
    assert_eq!(seed.position, Some(Position::new(1, 4)));
}

#[test]
fn a_position_nobody_reaches_is_unknown_after_its_time() {
    let (mut rig, ch) = Rig::with_trades(1_024, 2);
    let token = rig.want(ch, Some((2, 1)));
    // Requests are taken in order: its answer says that the other one waits since now.
    let plain = rig.want(ch, None);
    assert_eq!(rig.next_seeds().token, plain);
    rig.hand.advance(limits::AHEAD_WAIT - Duration::from_millis(1));
    assert!(matches!(rig.ask(Query::Status), Answer::Status(_)));
    assert!(matches!(rig.ask(Query::Status), Answer::Status(_)));
    assert!(rig.mailbox.try_recv().is_err(), "not yet");
    rig.hand.advance(limits::TICK);
    let seeds = rig.next_seeds();
    assert_eq!(seeds.token, token);
    assert_eq!(seeds.seeds[0].as_ref().unwrap_err(), &(ch, Code::PositionUnknown));
}

#[test]
fn a_silent_owner_is_told_to_everybody_and_to_those_who_come_later() {
    let (mut rig, ch) = Rig::with_trades(1_024, 1);
    rig.heartbeat();
    while rig.metrics.records.load(Ordering::Relaxed) < 2 {
        assert!(matches!(rig.ask(Query::Status), Answer::Status(_)));
    }
    rig.publish(BOOK, &event(1, 1, Body::Book(BookChange::default())));
    rig.channel();
    // Requests are taken after records: the heartbeat was heard before the clock moves.
    rig.want(ch, None);
    rig.next_seeds();
    rig.hand.advance(limits::OWNER_SILENCE);
    match rig.next() {
        ToShard::Stale { channels, reason } => {
            assert_eq!((channels.len(), reason), (2, "ingest_silent"));
        }
        other => panic!("{other:?}"),
    }
    rig.want(ch, None);
    let seeds = rig.next_seeds();
    let notice = |part: &Part| matches!(part, Part::Notice(Reply::Stale { .. }));
    assert!(only(&seeds).parts.iter().any(notice));
    assert_eq!(state_of(&rig), State::Stale);
    rig.heartbeat();
    while state_of(&rig) == State::Stale {}
}

fn state_of(rig: &Rig) -> State {
    match rig.ask(Query::Recent { channel: TRADE.parse().unwrap(), limit: 1 }) {
        Answer::Recent { meta, .. } => meta.state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn poison_duplicates_and_old_owners_are_counted_and_skipped() {
    let (mut rig, ch) = Rig::with_trades(1_024, 2);
    rig.want(ch, None);
    rig.next_seeds();
    rig.send_raw(RAW, vec![0xff, 1, 2]);
    rig.send_raw(RAW, Vec::new());
    rig.send(record::topic(Kind::Trade), RecordRef::Event { channel: "no", event: &trade(1, 9) });
    rig.publish(TRADE, &trade(1, 2));
    rig.publish(TRADE, &trade(0, 3));
    rig.publish(TRADE, &trade(1, 3));
    assert_eq!(rig.next_seqs(), [3]);
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let metrics = &rig.metrics;
    assert_eq!(
        [count(&metrics.poison), count(&metrics.duplicates), count(&metrics.fenced)],
        [3, 1, 1]
    );
}

#[test]
fn a_shard_that_takes_nothing_is_given_up_and_its_channels_stay_known() {
    let (mut rig, ch) = Rig::with_trades(1, 1);
    rig.want(ch, None);
    rig.next_seeds();
    let long = "x".repeat(200_000);
    let body = |reason: &str| Body::VenueGap(fantail_model::VenueGap { reason: reason.into() });
    // One cycle's bytes may lie in the mailbox already: they are not among what waits.
    let most = (limits::SHARD_LAG_BYTES_MAX + 2 * limits::CYCLE_BYTES_MAX) / long.len();
    for seq in 2..2 + most as u64 {
        rig.publish(TRADE, &event(1, seq, body(&long)));
    }
    rig.publish(BOOK, &event(1, 1, Body::Book(BookChange::default())));
    while rig.position() != Some(Position::new(1, 1 + most as u64)) {}
    let (mut lost, mut channels) = (0, 0);
    while lost == 0 || channels == 0 {
        match rig.next() {
            ToShard::Lost => lost += 1,
            ToShard::Channel(_) => channels += 1,
            _ => {}
        }
    }
    assert_eq!((lost, channels), (1, 1));
}

#[test]
fn questions_are_answered_out_of_the_store() {
    let (mut rig, _) = Rig::with_trades(1_024, 30);
    let whole = BookChange { bids: vec![level(2, 1), level(1, 1)], asks: vec![level(3, 1)] };
    rig.publish(BOOK, &event(4, 1, Body::Book(whole.clone())));
    rig.channel();
    let (venue, symbol) = (VenueId::new("binance").unwrap(), Symbol::new("BTC-USDT").unwrap());
    let instrument = Instrument {
        venue,
        symbol,
        native: "BTCUSDT".into(),
        tick: None,
        lot: None,
        state: InstrumentState::Trading,
        channels: vec![TRADE.parse().unwrap(), BOOK.parse().unwrap()],
    };
    rig.send(record::INSTRUMENT, RecordRef::Instrument(&instrument));
    rig.channel();
    match rig.ask(Query::Recent { channel: TRADE.parse().unwrap(), limit: 3 }) {
        Answer::Recent { events, meta } => {
            assert_eq!(events, (28..=30).map(|seq| trade(1, seq)).collect::<Vec<_>>());
            assert_eq!(meta.position, Some(Position::new(1, 30)));
        }
        other => panic!("{other:?}"),
    }
    match rig.ask(Query::Book { channel: BOOK.parse().unwrap(), depth: 1 }) {
        Answer::Book(book) => {
            assert_eq!((book.view.bids, book.view.asks), (vec![level(2, 1)], vec![level(3, 1)]));
        }
        other => panic!("{other:?}"),
    }
    match rig.ask(Query::Instruments) {
        Answer::Instruments(all) => assert_eq!(all, [(instrument, State::Down)]),
        other => panic!("{other:?}"),
    }
    let unknown = Query::Book { channel: "book:x:A-B".parse().unwrap(), depth: 1 };
    assert_eq!(rig.ask(unknown), Answer::Unknown);
}
