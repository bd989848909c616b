//! A connection against a small venue of our own: it hands over without a break, and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

use super::*;

/// Sends the numbers of one common counter on every socket that has subscribed; `cut` ends them.
async fn serve(listener: TcpListener, numbers: watch::Receiver<u64>, cut: watch::Receiver<u64>) {
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(session(socket, numbers.clone(), cut.clone()));
    }
}

async fn session(
    socket: TcpStream,
    mut numbers: watch::Receiver<u64>,
    mut cut: watch::Receiver<u64>,
) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(socket).await else { return };
    let _ = socket.next().await;
    let mut last = *numbers.borrow_and_update();
    cut.mark_unchanged();
    loop {
        tokio::select! {
            _ = cut.changed() => return,
            changed = numbers.changed() => {
                let now = *numbers.borrow_and_update();
                for number in last + 1..=now {
                    if changed.is_err() || socket.send(Message::text(number.to_string())).await.is_err() {
                        return;
                    }
                }
                last = now;
            }
        }
    }
}

fn policy(overlap: bool) -> Policy {
    Policy {
        symbols_per_connection: 1,
        send_every: Duration::from_millis(1),
        attempts: (1_000, Duration::from_secs(1)),
        renew_after: Duration::from_secs(100_000),
        overlap,
    }
}

#[tokio::test]
async fn a_planned_replacement_loses_nothing_and_a_cut_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (numbers, numbers_seen) = watch::channel(0);
    let (cut, cut_seen) = watch::channel(0);
    tokio::spawn(serve(listener, numbers_seen, cut_seen));
    let (feed, mut inbound) = mpsc::channel(10_000);
    let (orders, orders_taken) = mpsc::channel(4);
    let shutdown = Shutdown::new();
    let connection = Connection {
        index: 0,
        url,
        subscribe: vec!["subscribe".to_owned()],
        policy: policy(true),
        attempts: SharedPace::new(Pace::new(1_000, Duration::from_secs(1))),
        clock: Clock::system(),
        shutdown: shutdown.clone(),
        feed,
        orders: orders_taken,
    };
    let running = tokio::spawn(connection.run());
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let ticking = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(2));
        while numbers.send(counter.fetch_add(1, Ordering::SeqCst)).is_ok() {
            ticks.tick().await;
        }
    });
    let (mut seen, mut ups, mut after) = (Vec::new(), 0, 0);
    while after < 20 {
        match inbound.recv().await.unwrap() {
            Inbound::Up { .. } => ups += 1,
            Inbound::Frame { text, .. } => {
                let number: u64 = text.parse().unwrap();
                if seen.is_empty() {
                    orders.send(Order::Renew(None)).await.unwrap();
                }
                if seen.last().is_none_or(|last| number > *last) {
                    seen.push(number);
                    after += u64::from(after > 0);
                }
            }
            Inbound::Renewed => after = 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ups, 1, "the feed hears of no break");
    assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "every number once: {seen:?}");
    cut.send(1).unwrap();
    while !matches!(inbound.recv().await.unwrap(), Inbound::Down { .. }) {}
    while !matches!(inbound.recv().await.unwrap(), Inbound::Up { .. }) {}
    shutdown.begin("test");
    running.await.unwrap();
    ticking.abort();
}

#[tokio::test]
async fn a_venue_that_is_away_is_told_with_the_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    drop(listener);
    let (feed, mut inbound) = mpsc::channel(4);
    let (_orders, orders_taken) = mpsc::channel(4);
    let shutdown = Shutdown::new();
    let connection = Connection {
        index: 3,
        url,
        subscribe: vec![],
        policy: policy(false),
        attempts: SharedPace::new(Pace::new(1_000, Duration::from_secs(1))),
        clock: Clock::system(),
        shutdown: shutdown.clone(),
        feed,
        orders: orders_taken,
    };
    let running = tokio::spawn(connection.run());
    for _ in 0..2 {
        let told = inbound.recv().await.unwrap();
        let Inbound::Down { connection, cause, reason } = told else { panic!("{told:?}") };
        assert_eq!((connection, cause), (3, "connect"));
        assert!(reason.contains("refused"), "{reason}");
    }
    shutdown.begin("test");
    running.await.unwrap();
}
