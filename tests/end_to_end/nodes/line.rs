//! One client's line through the trades of a market, over all its sessions: what it was sent, in
//! order, to be compared with what others were sent.

use std::net::SocketAddr;

use fantail_model::Body;
use fantail_tests::harness::client::{Client, Next, Options, events};
use fantail_tests::harness::wait;
use fantail_wire::client::{From, Reply, ServerMessage, SubscribeItem};

use super::PATIENCE;

/// A trade at its place; an event that is no trade has its kind instead of an id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step {
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) what: String,
}

/// How a session ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    /// The server's close code.
    pub(super) code: Option<u16>,
    /// A goodbye came before, with a time to stay away.
    pub(super) goodbye: bool,
}

/// A client and its memory.
pub(super) struct Line {
    client: Client,
    channel: String,
    epoch: u64,
    /// Everything, in order.
    pub(super) steps: Vec<Step>,
    /// Receive time of the last event, µs.
    pub(super) rx: i64,
    /// How often it was told that nobody speaks for the market.
    pub(super) stale: usize,
    goodbye: bool,
}

async fn connect(addr: SocketAddr) -> Client {
    let inside =
        wait::until(PATIENCE, async || Client::connect(addr, Options::default()).await.ok());
    inside.await.expect("it is let in")
}

impl Line {
    /// Begins at the present.
    pub(super) async fn join(addr: SocketAddr, market: &str) -> Self {
        let (channel, mut client) = (format!("trade:{market}"), connect(addr).await);
        let Reply::Subscribed { channels, .. } = client.follow(&[&channel]).await.expect("ack")
        else {
            panic!("not an acknowledgement")
        };
        let epoch = channels[0].epoch.expect("it has begun");
        let (steps, rx, stale, goodbye) = (Vec::new(), 0, 0, false);
        Self { client, channel, epoch, steps, rx, stale, goodbye }
    }

    /// Goes on at another node from where it is.
    pub(super) async fn resume(&mut self, addr: SocketAddr) {
        let last = self.steps.last().expect("it has begun");
        let from = From { epoch: last.epoch, seq: last.seq, rx: Some(self.rx) };
        let channel = self.channel.clone();
        let item = SubscribeItem { channel, from: Some(from), history: None };
        self.client = connect(addr).await;
        let ack = self.client.subscribe(vec![item]).await.expect("ack");
        let Reply::Subscribed { channels, errors, .. } = ack else { panic!("{ack:?}") };
        assert_eq!(errors, Vec::new());
        assert!(channels[0].resumed, "{channels:?}");
    }

    /// Takes the next message; how the session ended, if it did.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        let message = match self.client.next().await.expect("a message in time") {
            Next::Message(message) => message,
            Next::Closed(frame) => {
                let code = frame.map(|frame| frame.code.into());
                return Some(Ended { code, goodbye: std::mem::take(&mut self.goodbye) });
            }
        };
        match &*message {
            ServerMessage::Reply(Reply::Stale { .. }) => self.stale += 1,
            ServerMessage::Reply(Reply::Goodbye { retry_after_ms, .. }) => {
                self.goodbye = retry_after_ms.is_some();
            }
            ServerMessage::Reply(Reply::Gap { .. }) => panic!("{message:?}"),
            _ => {}
        }
        for data in events(&message).iter().filter(|data| !data.snapshot) {
            if data.event.reset {
                self.epoch = data.event.position.epoch;
            }
            let what = match &data.event.body {
                Body::Trade(trade) => trade.id.clone(),
                Body::Status(status) => status.state.as_str().to_owned(),
                Body::VenueGap(gap) => format!("venue_gap {}", gap.reason),
                other => panic!("not of a trade channel: {other:?}"),
            };
            let step = Step { epoch: self.epoch, seq: data.event.position.seq, what };
            let last = self.steps.last();
            let follows = last.is_none_or(|last| (last.epoch, last.seq) < (step.epoch, step.seq));
            assert!(follows, "{last:?}, then {step:?}");
            self.steps.push(step);
            self.rx = data.event.rx.0;
        }
        assert_eq!(self.client.holes, Vec::<String>::new());
        None
    }

    /// Reads until there are so many more steps; the session must not end.
    pub(super) async fn advance(&mut self, by: usize) {
        let wanted = self.steps.len() + by;
        self.until(|line| line.steps.len() >= wanted).await;
    }

    /// Reads until something holds; the session must not end.
    pub(super) async fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            let ended = self.next().await;
            assert_eq!(ended, None, "{}", self.channel);
        }
    }

    /// Reads until the session ends.
    pub(super) async fn ended(&mut self) -> Ended {
        loop {
            if let Some(ended) = self.next().await {
                return ended;
            }
        }
    }

    /// Reads until it has everything the other has, and compares: between the first step both have
    /// and the last one of the other, they were sent the same.
    pub(super) async fn is_level_with(&mut self, other: &Line) {
        let last = other.steps.last().expect("the other has begun").clone();
        self.until(|line| line.steps.last().is_some_and(|mine| *mine >= last)).await;
        let first = self.steps[0].clone().max(other.steps[0].clone());
        let between = |steps: &[Step]| -> Vec<Step> {
            steps.iter().filter(|step| (&first..=&last).contains(step)).cloned().collect()
        };
        assert_eq!(between(&self.steps), between(&other.steps));
    }
}
