//! Groups on Kafka: the consumer-group protocol deals partitions to processes, and takes them from
//! one that stopped or died within a session timeout. Owns the group's settings and when what is
//! held can be trusted.
//!
//! The client beats its heart in a thread of its own, so a poll says little about the group. What
//! it can't hide is a pause of the whole process: then time jumps between two polls. From such a
//! jump on nothing is sure until a whole session timeout has passed in steady polls, because by
//! then the group has either kept this member or told it that it was put out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::context::ReadingContext;
use super::{Shared, client, limits};
use crate::OpenError;
use crate::membership::{Held, Membership, MembershipError};
use crate::topic::TopicName;

pub(super) struct KafkaMembership {
    shared: Arc<Shared>,
    client: BaseConsumer<ReadingContext>,
    /// When the last poll ended.
    polled: Duration,
    /// From when on what is held is sure.
    sure_from: Duration,
    told: Held,
}

impl KafkaMembership {
    pub(super) fn join(
        shared: Arc<Shared>,
        group: &str,
        topic: &TopicName,
    ) -> Result<Self, OpenError> {
        let context = ReadingContext::new(Arc::clone(&shared.figures));
        let away = |error: KafkaError| OpenError::Unreachable(client::told(&error));
        let client: BaseConsumer<ReadingContext> =
            client::member(&shared.config, group).create_with_context(context).map_err(away)?;
        client.subscribe(&[topic.as_str()]).map_err(away)?;
        let polled = shared.clock.monotonic();
        Ok(Self { shared, client, polled, sure_from: Duration::ZERO, told: Held::default() })
    }

    fn held(&self, now: Duration) -> Held {
        let assigned = self.client.assignment();
        let is_lost = self.client.assignment_lost();
        let mut partitions = BTreeSet::new();
        if let (Ok(assigned), false) = (&assigned, is_lost) {
            let elements = assigned.elements();
            let numbers = elements.iter().filter_map(|it| u32::try_from(it.partition()).ok());
            partitions.extend(numbers);
        }
        Held { partitions, is_sure: now >= self.sure_from }
    }

    /// Notes a pause of the whole process.
    fn look_for_a_jump(&mut self, now: Duration) {
        if now.saturating_sub(self.polled) > limits::PAUSE_NOTICED {
            self.sure_from = now + limits::SESSION_TIMEOUT + limits::HEARTBEAT_EVERY;
            tracing::warn!(
                paused_ms = (now - self.polled).as_millis(),
                "this process was paused; what it holds of the group's work is checked first"
            );
        }
        self.polled = now;
    }
}

impl Membership for KafkaMembership {
    fn poll(&mut self, timeout: Duration) -> Result<Held, MembershipError> {
        self.look_for_a_jump(self.shared.clock.monotonic());
        let until = self.polled + timeout;
        loop {
            if self.shared.is_closed() {
                return Err(MembershipError::Closed);
            }
            // Short, so that a pause is not hidden inside of a wait.
            let left = until.saturating_sub(self.polled).min(limits::MEMBER_POLL_SLICE);
            if let Some(Err(error)) = self.client.poll(left) {
                refusal(&error).map_or(Ok(()), Err)?;
            }
            let now = self.shared.clock.monotonic();
            self.look_for_a_jump(now);
            let held = self.held(now);
            if held != self.told || now >= until {
                self.told.clone_from(&held);
                return Ok(held);
            }
        }
    }
}

/// What ends a membership for good; everything else the client mends by itself.
fn refusal(error: &KafkaError) -> Option<MembershipError> {
    match error.rdkafka_error_code()? {
        RDKafkaErrorCode::InvalidSessionTimeout => {
            Some(MembershipError::SessionTimeout { asked_ms: limits::SESSION_TIMEOUT.as_millis() })
        }
        RDKafkaErrorCode::GroupAuthorizationFailed
        | RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::InconsistentGroupProtocol
        | RDKafkaErrorCode::Fatal => Some(MembershipError::Refused(error.to_string())),
        _ => None,
    }
}
