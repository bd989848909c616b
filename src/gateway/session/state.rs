//! One session as a value: identity, limits, channels, and what it waits for.

use std::sync::Arc;
use std::time::Duration;

use fantail_model::{Micros, Pattern};
use fantail_wire::client::{Id, Limits, Refusal, Reply};
use fantail_wire::codes::Code;

use super::bucket::Bucket;
use super::subscriptions::Subscriptions;
use crate::auth::Identity;
use crate::limits;
use crate::link::WantItem;

/// What the shard is to do.
#[derive(Debug)]
pub(crate) enum Action {
    /// Send this.
    Reply(Reply),
    /// Ask the tail to seed these.
    Want { token: u64, items: Vec<WantItem> },
    /// Out of the index, if it is in.
    Leave(u32, super::subscriptions::Phase),
    /// Close, with the code's name and this explanation.
    Close(Code, String),
}

/// A subscribe command whose seeds are on the way.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) token: u64,
    pub(crate) id: Option<Id>,
    pub(crate) errors: Vec<Refusal>,
    /// Nobody asked for it: the session starts again after losing its place.
    pub(crate) silent: bool,
}

/// A session.
#[derive(Debug)]
pub(crate) struct SessionState {
    pub(crate) id: String,
    /// Shared by all who come without credentials.
    pub(crate) identity: Arc<Identity>,
    pub(crate) limits: Limits,
    pub(crate) held: Subscriptions,
    pub(crate) patterns: Vec<Pattern>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) next_token: u64,
    pub(super) commands: Bucket,
    abuse: Bucket,
    pings: Bucket,
    heartbeats: u64,
    expiry_told: bool,
}

impl SessionState {
    pub(crate) fn new(id: String, identity: Arc<Identity>, node: Limits, now: Duration) -> Self {
        let limits = identity.limits.apply(node);
        Self {
            id,
            identity,
            limits,
            held: Subscriptions::default(),
            patterns: Vec::new(),
            waiting: Vec::new(),
            next_token: 0,
            commands: Bucket::new(limits.commands_per_s, limits.commands_burst, now),
            abuse: Bucket::new(limits::ABUSE_PER_S, limits::ABUSE_BURST, now),
            pings: Bucket::new(limits::PINGS_PER_S, limits::PINGS_PER_S, now),
            heartbeats: 0,
            expiry_told: false,
        }
    }

    /// The first message.
    pub(crate) fn welcome(&self, node: &str, heartbeat: Duration, wall: Micros) -> Reply {
        Reply::Welcome {
            session: self.id.clone(),
            node: node.to_owned(),
            protocol: 1,
            time: wall,
            heartbeat_ms: u32::try_from(heartbeat.as_millis()).unwrap_or(u32::MAX),
            limits: self.limits,
            user: self.identity.user.clone(),
            expires: self.identity.expires(),
        }
    }

    /// The next heartbeat message.
    pub(crate) fn heartbeat(&mut self, wall: Micros) -> Reply {
        self.heartbeats += 1;
        Reply::Heartbeat { n: self.heartbeats, time: wall }
    }

    /// A ping came in; false when it was one too many.
    pub(crate) fn ping_allowed(&mut self, now: Duration) -> bool {
        self.pings.take(now)
    }

    /// Counts a refused command; after too many the session ends.
    pub(super) fn abused(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if !self.abuse.take(now) {
            let reason = format!(
                "more than {} refused commands a second (burst {})",
                limits::ABUSE_PER_S,
                limits::ABUSE_BURST
            );
            actions.push(Action::Close(Code::RateExceeded, reason));
        }
    }

    /// Timers: the end of the credentials, and a notice before it.
    pub(crate) fn tick(&mut self, now: Duration) -> Option<Action> {
        let expiry = self.identity.expiry?;
        if now >= expiry.deadline {
            let reason = "the credentials have ended; connect with new ones".to_owned();
            return Some(Action::Close(Code::CredentialsExpired, reason));
        }
        if !self.expiry_told && now + limits::EXPIRY_NOTICE >= expiry.deadline {
            self.expiry_told = true;
            let message = format!(
                "the credentials end at {} µs; send {{\"op\":\"auth\",\"token\":…}} to go on",
                expiry.wall.0
            );
            let (id, details) = (None, Default::default());
            let code = Code::CredentialsExpired;
            return Some(Action::Reply(Reply::Error { id, code, message, details }));
        }
        None
    }

    /// New credentials in band.
    pub(super) fn renew(&mut self, identity: Identity) {
        self.expiry_told = false;
        self.identity = Arc::new(identity);
    }
}
