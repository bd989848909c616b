//! What goes wrong at a venue stays where it went wrong, and is told.

use std::collections::HashSet;

use fantail_model::{Body, Book, State};
use fantail_tests::harness::client::{Client, Options, events, is_venue_gap};
use fantail_tests::harness::stage::{Server, Venue};
use fantail_wire::client::{DataMessage, ServerMessage};

const BOOK: &str = "book:binance:BTC-USDT";

fn state(data: &DataMessage) -> Option<State> {
    match &data.event.body {
        Body::Status(status) => Some(status.state),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_delta_resyncs_exactly_that_symbol() {
    let server = Server::start(&[]).await.expect("a server");
    let mut client = Client::connect(server.addr(), Options::default()).await.expect("in");
    client.follow(&["book:*:*", "trade:*:*", "bbo:*:*", "status:*:*"]).await.expect("followed");
    server.faults().skip_delta(Venue::Binance, "BTC-USDT").await;
    let (mut told, mut whole) = (Vec::new(), false);
    while !(whole && told.contains(&"live")) {
        let message = client.message().await.expect("messages");
        for data in events(&message) {
            if data.channel != BOOK {
                let own_status = data.channel.starts_with("status:binance") || data.snapshot;
                assert!(!is_venue_gap(data), "{data:?}");
                assert!(!data.event.reset || data.snapshot, "{data:?}");
                assert!(own_status || state(data).is_none(), "{data:?}");
                continue;
            }
            match &data.event.body {
                Body::VenueGap(gap) => {
                    assert_eq!(gap.reason, "sequence");
                    told.push("gap");
                }
                Body::Status(status) => told.push(status.state.as_str()),
                Body::Book(_) if data.event.reset => whole = true,
                _ => {}
            }
        }
    }
    assert_eq!(told, ["gap", "resync", "live"]);
    assert_eq!(client.holes, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_connection_is_told_and_every_book_starts_again() {
    let server = Server::start(&[]).await.expect("a server");
    let mut client = Client::connect(server.addr(), Options::default()).await.expect("in");
    client.follow(&["book:coinbase:*", "status:coinbase"]).await.expect("followed");
    server.faults().drop_connection(Venue::Coinbase).await;
    let (mut whole, mut venue_states) = (HashSet::new(), Vec::new());
    while whole.len() < 2 || venue_states.last() != Some(&State::Live) {
        let message = client.message().await.expect("messages");
        for data in events(&message) {
            if data.channel == "status:coinbase" && !data.snapshot {
                venue_states.extend(state(data));
            }
            if matches!(data.event.body, Body::Book(_)) && data.event.reset {
                whole.insert(data.channel.clone());
            }
        }
    }
    assert!(venue_states.contains(&State::Down), "{venue_states:?}");
    assert_eq!(client.holes, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_from_a_venue_changes_nothing() {
    let server = Server::start(&[]).await.expect("a server");
    let mut client = Client::connect(server.addr(), Options::default()).await.expect("in");
    client.follow(&["book:*:*", "trade:*:*"]).await.expect("followed");
    server.faults().garbage(Venue::Binance).await;
    server.faults().garbage(Venue::Coinbase).await;
    let mut after = 0;
    while after < 200 {
        let message = client.message().await.expect("messages");
        for data in events(&message) {
            assert!(!is_venue_gap(data) && state(data).is_none(), "{data:?}");
            after += 1;
        }
    }
    assert_eq!(client.holes, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_book_equals_the_servers_checksum_for_long() {
    let server = Server::start(&[]).await.expect("a server");
    let mut client = Client::connect(server.addr(), Options::default()).await.expect("in");
    client.follow(&[BOOK]).await.expect("followed");
    let (mut book, mut checked) = (Book::new(0), 0);
    while checked < 5 {
        let (levels, reset, crc) = match client.message().await.expect("messages") {
            ServerMessage::Snapshot(snapshot) => (snapshot.levels, true, Some(snapshot.crc)),
            ServerMessage::Data(DataMessage { event, crc, .. }) => match event.body {
                Body::Book(levels) => (levels, event.reset, crc),
                _ => continue,
            },
            _ => continue,
        };
        if reset {
            book.replace(&levels).expect("a good book");
        } else {
            book.apply(&levels).expect("a good change");
        }
        if let Some(crc) = crc {
            assert_eq!(book.checksum(), crc);
            checked += 1;
        }
    }
}
