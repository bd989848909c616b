//! Cutting what was read back to one client's needs.

use std::sync::Arc;

use fantail_model::{Micros, Position};

use super::{Past, Piece, Verdict};
use crate::group::{ChannelInfo, Group, Published};
use crate::testing::trade;

fn group(events: impl IntoIterator<Item = (u64, u64)>) -> Piece {
    let channel: fantail_model::Channel = "trade:binance:BTC-USDT".parse().unwrap();
    let info = Arc::new(ChannelInfo { ch: 0, name: channel.to_string().into(), channel });
    let published = |(epoch, seq)| Published { event: trade(epoch, seq), crc: None, n: None };
    let events = events.into_iter().map(published).collect();
    Piece::Events(Arc::new(Group::new(info, Micros(0), events)))
}

fn told(past: &Past, from: (u64, u64), to: (u64, u64)) -> Vec<String> {
    let pieces = past.between(Position::new(from.0, from.1), Position::new(to.0, to.1));
    let text = |piece: &Piece| match piece {
        Piece::Events(group) => {
            let places = group.events.iter().map(|p| p.event.position.to_string());
            places.collect::<Vec<_>>().join(" ")
        }
        Piece::Hole { epoch, from, to } => format!("{epoch}/{from}..{to:?}"),
    };
    pieces.iter().map(text).collect()
}

#[test]
fn everyone_gets_what_lies_between_its_position_and_the_ring() {
    let pieces = vec![
        Piece::Hole { epoch: 1, from: 3, to: Some(5) },
        group((6..=8).map(|seq| (1, seq))),
        Piece::Hole { epoch: 1, from: 9, to: None },
        group((1..=3).map(|seq| (2, seq))),
    ];
    let (from, reached) = (Position::new(1, 2), Position::new(2, 3));
    let past = Past { from, reached, pieces, verdict: Verdict::Read };
    let all = ["1/3..Some(5)", "1/6 1/7 1/8", "1/9..None", "2/1 2/2 2/3"];
    assert_eq!(told(&past, (1, 2), (2, 3)), all);
    assert_eq!(told(&past, (1, 4), (2, 1)), ["1/5..Some(5)", all[1], all[2], "2/1"]);
    assert_eq!(told(&past, (1, 7), (1, 8)), ["1/8"]);
    assert_eq!(told(&past, (1, 8), (2, 3)), ["1/9..None", all[3]]);
    assert!(told(&past, (2, 3), (2, 3)).is_empty());
    assert!(past.covers(Position::new(1, 7), reached));
    assert!(!past.covers(Position::new(1, 7), Position::new(2, 4)), "not read so far");
    assert!(!past.covers(Position::new(1, 1), reached), "not read from there");
    assert!(!past.covers(Position::new(2, 1), reached), "read for another epoch");
    assert!(!Past::failed(from).covers(from, from));
}
