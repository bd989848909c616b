//! More to replay than a node could send in time: each client is told everything it missed, or exactly
//! what it will not be sent; nothing is lost in silence, and the stream goes on for all.

use fantail_node::testing::demo_args;
use fantail_tests::harness::client::{Client, Next, Options, events};
use fantail_tests::harness::http;
use fantail_tests::harness::stage::Server;
use fantail_wire::client::{Command, From, Reply, ServerMessage, SubscribeItem};

const TRADES: &str = "trade:binance:BTC-USDT";
/// Who comes back at once.
const CROWD: usize = 16;
/// Trades each of them missed: over a megabyte.
const MISSED: u64 = 6_000;
/// So little time for a replay that the crowd's cannot all fit into it.
const LATE: [&str; 2] = ["gateway.shards=1", "gateway.slow_after=40ms"];

/// How a resume ended.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Every missed event came.
    Whole,
    /// What was missed was told as a gap, and the stream went on behind it.
    Cut,
    /// Closed as too slow on the way.
    Closed,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_replayed_in_time_is_told_exactly_and_the_stream_goes_on() {
    let mut args = demo_args();
    (args.markets.symbols, args.markets.trades_per_s) = (1, 3_000.0);
    let server = Server::play(args, &LATE).await.expect("a server");
    let mut outcomes = Vec::new();
    // The crowd's backlogs are more than may be owed, whoever is served first.
    while !outcomes.contains(&Outcome::Cut) {
        assert!(outcomes.len() < 20 * CROWD, "nobody was ever told a gap: {outcomes:?}");
        outcomes.extend(round(&server).await);
    }
    let (_, metrics) = http::get(server.admin(), "/metrics").await.expect("metrics");
    let counted =
        metrics.lines().find_map(|line| line.strip_prefix("fantail_gateway_resumes_cut_total "));
    let counted: usize = counted.and_then(|count| count.parse().ok()).expect("a count");
    let cut = outcomes.iter().filter(|outcome| **outcome == Outcome::Cut).count();
    assert!(counted >= cut && cut > 0, "{counted} counted, {cut} told");
}

/// A crowd that has missed the same resumes together.
async fn round(server: &Server) -> Vec<Outcome> {
    let (from, head) = missed(server).await;
    let small = Options { receive_buffer: Some(16_384), ..Options::default() };
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(Client::connect(server.addr(), small.clone()).await.expect("in"));
    }
    for client in &mut crowd {
        let item = SubscribeItem { channel: TRADES.into(), from: Some(from), history: None };
        let command = Command::Subscribe { id: None, channels: vec![item] };
        client.send(&command).await.expect("it resumes");
    }
    let mut outcomes = Vec::new();
    for client in crowd {
        outcomes.push(resumed(client, from, head).await);
    }
    outcomes
}

/// A place on the stream, and the head when this many trades have passed it.
async fn missed(server: &Server) -> (From, u64) {
    loop {
        let mut witness = Client::connect(server.addr(), Options::default()).await.expect("in");
        let reply = witness.follow(&[TRADES]).await.expect("ack");
        let Reply::Subscribed { channels, .. } = reply else { panic!("{reply:?}") };
        let (Some(epoch), Some(seq)) = (channels[0].epoch, channels[0].seq) else { continue };
        // It may be closed as too slow itself.
        while let Ok(Next::Message(_)) = witness.next().await {
            let head = witness.seq(TRADES).unwrap_or(seq);
            if head >= seq + MISSED {
                assert_eq!(witness.holes, Vec::<String>::new());
                return (From { epoch, seq, rx: None }, head);
            }
        }
    }
}

/// Reads until the channel has passed `head`; every event has to continue what came before.
async fn resumed(mut client: Client, from: From, head: u64) -> Outcome {
    let (mut last, mut cut) = (from.seq, false);
    while last < head {
        let message = match client.next().await.expect("messages in time") {
            Next::Message(message) => message,
            Next::Closed(frame) => {
                assert!(frame.is_none_or(|frame| u16::from(frame.code) == 4409));
                return Outcome::Closed;
            }
        };
        match &*message {
            ServerMessage::Reply(Reply::Subscribed { channels, errors, .. }) => {
                assert!(errors.is_empty(), "{errors:?}");
                assert!(!channels[0].resumed || channels[0].seq == Some(from.seq));
            }
            ServerMessage::Reply(Reply::Gap { epoch, from: first, to, reason, .. }) => {
                assert_eq!((*epoch, *first), (from.epoch, last + 1));
                assert_eq!(reason, "overload");
                (last, cut) = (to.expect("its end is known"), true);
            }
            message => {
                for event in events(message).iter().map(|data| &data.event) {
                    assert_eq!(event.prev, last, "nothing is missing in silence");
                    last = event.position.seq;
                }
            }
        }
    }
    if cut { Outcome::Cut } else { Outcome::Whole }
}
