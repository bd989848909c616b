//! The protocol as a client meets it: acknowledgements, errors, wildcards, resume, drain.

use fantail_tests::harness::client::{Client, Options, events};
use fantail_tests::harness::stage::Server;
use fantail_wire::client::{Command, Encoding, From, Id, Reply, ServerMessage, SubscribeItem};
use fantail_wire::codes::Code;

const TRADES: &str = "trade:binance:BTC-USDT";

fn from(channel: &str, epoch: u64, seq: u64) -> SubscribeItem {
    let from = Some(From { epoch, seq, rx: None });
    SubscribeItem { channel: channel.to_owned(), from, history: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_channel_of_a_command_is_answered() {
    let server = Server::start(&[]).await.expect("a server");
    let mut client = Client::connect(server.addr(), Options::default()).await.expect("in");
    let names = [
        TRADES,
        "trade:binance:NO-SUCH",
        "Trade:binance:BTC-USDT",
        "cbbo:BTC-USDT",
        "ticker:binance:BTC-USDT@300ms",
        "book:binance:BTC-USDT:10",
    ];
    let Reply::Subscribed { channels, errors, .. } = client.follow(&names).await.expect("ack")
    else {
        panic!("not an acknowledgement")
    };
    let held: Vec<&str> = channels.iter().map(|ack| ack.channel.as_str()).collect();
    assert_eq!(held, [TRADES, "book:binance:BTC-USDT:10"]);
    let codes: Vec<Code> = errors.iter().map(|refusal| refusal.code).collect();
    let wanted = [Code::UnknownChannel, Code::InvalidChannel, Code::Unsupported, Code::Unsupported];
    assert_eq!(codes, wanted);
    assert!(errors[1].message.contains("kinds are"), "{}", errors[1].message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_ping_unsubscribe_and_mistakes() {
    let server = Server::start(&[]).await.expect("a server");
    let mut client = Client::connect(server.addr(), Options::default()).await.expect("in");
    client.follow(&["ticker:*:*", TRADES]).await.expect("ack");
    client.send(&Command::Ping { id: Some(Id::Text("p".into())) }).await.expect("sent");
    let pong = client.reply(|reply| matches!(reply, Reply::Pong { .. })).await.expect("a pong");
    assert!(matches!(pong, Reply::Pong { id: Some(Id::Text(id)), .. } if id == "p"));
    let channels = vec![TRADES.to_owned(), "bbo:binance:BTC-USDT".to_owned()];
    client.send(&Command::Unsubscribe { id: None, channels }).await.expect("sent");
    let gone =
        client.reply(|reply| matches!(reply, Reply::Unsubscribed { .. })).await.expect("ack");
    let Reply::Unsubscribed { channels, errors, .. } = gone else { unreachable!() };
    assert_eq!((channels.len(), errors[0].code), (1, Code::NotSubscribed));
    client.send(&Command::List { id: None }).await.expect("sent");
    let list = client.until(|message| match message {
        ServerMessage::Data(data) if data.channel == TRADES => panic!("data after unsubscribed"),
        ServerMessage::Reply(Reply::Subscriptions { channels, patterns, .. }) => {
            Some((channels.len(), patterns.clone()))
        }
        _ => None,
    });
    assert_eq!(list.await.expect("a list"), (4, vec!["ticker:*:*".to_owned()]));
    for text in ["{", "{\"op\":\"fly\"}", "{\"op\":\"list\",\"x\":1}", "[]"] {
        client.send_text(text).await.expect("sent");
        let error = client.reply(|reply| matches!(reply, Reply::Error { .. })).await.expect("told");
        assert!(matches!(error, Reply::Error { code: Code::BadRequest, .. }), "{text}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_was_cut_resumes_without_a_hole() {
    let server = Server::start(&[]).await.expect("a server");
    let addr = server.addr();
    for encoding in Encoding::ALL {
        for channel in [TRADES, "book:binance:BTC-USDT", "bbo:coinbase:BTC-USD"] {
            let options = Options { encoding, ..Options::default() };
            let mut first = Client::connect(addr, options.clone()).await.expect("in");
            let Reply::Subscribed { channels, .. } = first.follow(&[channel]).await.expect("ack")
            else {
                panic!("not an acknowledgement")
            };
            let epoch = channels[0].epoch.expect("it has begun");
            first.until(|message| events(message).last().map(drop)).await.expect("an event");
            let seq = first.seq(channel).expect("a place");
            drop(first);
            let mut second = Client::connect(addr, options).await.expect("in again");
            let ack = second.subscribe(vec![from(channel, epoch, seq)]).await.expect("ack");
            let Reply::Subscribed { channels, .. } = ack else { panic!("not an acknowledgement") };
            assert_eq!((channels[0].resumed, channels[0].seq), (true, Some(seq)));
            let next = second.until(|message| events(message).first().map(|d| d.event.prev));
            assert_eq!(next.await.expect("an event"), seq, "{channel}");
            assert_eq!(second.holes, Vec::<String>::new());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_ahead_is_waited_for_and_an_old_epoch_is_told() {
    let server = Server::start(&[]).await.expect("a server");
    let mut client = Client::connect(server.addr(), Options::default()).await.expect("in");
    let Reply::Subscribed { channels, .. } = client.follow(&[TRADES]).await.expect("ack") else {
        panic!("not an acknowledgement")
    };
    let (epoch, seq) = (channels[0].epoch.expect("begun"), channels[0].seq.expect("begun"));
    let mut second = Client::connect(server.addr(), Options::default()).await.expect("in");
    // A little ahead: it comes, and nothing in between is sent.
    let ack = second.subscribe(vec![from(TRADES, epoch, seq + 15)]).await.expect("ack");
    assert!(matches!(&ack, Reply::Subscribed { channels, .. } if channels[0].resumed), "{ack:?}");
    let mut third = Client::connect(server.addr(), Options::default()).await.expect("in");
    let ack = third.subscribe(vec![from(TRADES, epoch + 1, 1)]).await.expect("ack");
    let Reply::Subscribed { errors, .. } = ack else { panic!("not an acknowledgement") };
    assert_eq!(errors[0].code, Code::PositionUnknown);
    let ack = third.subscribe(vec![from("bbo:binance:BTC-USDT", epoch - 1, 4)]).await.expect("ack");
    assert!(matches!(&ack, Reply::Subscribed { channels, .. } if !channels[0].resumed), "{ack:?}");
    let gap = third.reply(|reply| matches!(reply, Reply::Gap { .. })).await.expect("a gap");
    assert!(matches!(gap, Reply::Gap { from: 5, reason, .. } if reason == "retention"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_narrow_token_sees_what_it_permits_and_nothing_else() {
    let server = Server::start(&[]).await.expect("a server");
    let token = Some(server.stage.token.clone());
    let options = Options { token, ..Options::default() };
    let mut client = Client::connect(server.addr(), options).await.expect("in");
    assert!(client.follow(&["book:*:*"]).await.is_ok());
    let wrong = Options { token: Some("a.b.c".into()), ..Options::default() };
    let refused = Client::connect(server.addr(), wrong).await.expect_err("refused");
    assert!(refused.to_string().contains("TOKEN_INVALID"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_says_goodbye_with_1012() {
    let server = Server::start(&[]).await.expect("a server");
    let mut client = Client::connect(server.addr(), Options::default()).await.expect("in");
    client.follow(&[TRADES]).await.expect("ack");
    server.begin_end();
    let bye = client.reply(|reply| matches!(reply, Reply::Goodbye { .. })).await.expect("goodbye");
    assert!(matches!(bye, Reply::Goodbye { code: Code::Restart, retry_after_ms: Some(_) }));
    let frame = client.closed().await.expect("closed").expect("a close frame");
    assert_eq!(u16::from(frame.code), 1012);
    let drained = server.drained().await;
    drained.expect("everybody let go");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn derived_channels_follow_their_parent() {
    let server = Server::start(&[]).await.expect("a server");
    let mut client = Client::connect(server.addr(), Options::default()).await.expect("in");
    let conflated = "bbo:binance:BTC-USDT@250ms";
    client
        .follow(&[conflated, "book:binance:BTC-USDT:5@100ms", "trade:*:*@500ms"])
        .await
        .expect("ack");
    let (mut merged, mut tops, mut trades) = (0, 0, 0);
    while merged < 3 || tops < 10 || trades < 3 {
        match client.message().await.expect("messages") {
            ServerMessage::Data(data) if data.channel == conflated && !data.snapshot => {
                assert!(data.n.is_some());
                merged += 1;
            }
            ServerMessage::Data(data) if data.channel.starts_with("book:") => {
                assert!(data.crc.is_some() || data.snapshot, "{data:?}");
                tops += 1;
            }
            ServerMessage::Batch(batch) => trades += usize::from(!batch.is_empty()),
            _ => {}
        }
    }
    assert_eq!(client.holes, Vec::<String>::new());
}
