//! Making topics, and checking at start that they are what the configuration says. Owns what a
//! specification means in Kafka's settings and the wording of what is wrong. Both calls block for
//! as long as the brokers take, bounded: call them at start, outside of async code.

use std::fmt;

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::MetadataTopic;

use super::config::KafkaConfig;
use super::context::AskingContext;
use super::wait::wait_for;
use super::{client, limits, places};
use crate::limits::{RECORD_BYTES_MAX, TOMBSTONE_KEEP_MICROS};
use crate::topic::{Retention, TopicError, TopicName, TopicSpec};

/// Makes the topics that are missing and checks those that are there. Returns the names of the
/// ones it made.
///
/// # Errors
/// Every topic that could not be made or is not what was specified.
pub fn create(config: &KafkaConfig, specs: &[TopicSpec]) -> Result<Vec<TopicName>, TopicsError> {
    for spec in specs {
        spec.check().map_err(TopicsError::Specification)?;
    }
    let admin = admin(config)?;
    let settings: Vec<_> = specs.iter().map(|spec| settings(spec, config.replication)).collect();
    let copies = i32::try_from(config.replication).unwrap_or(i32::MAX);
    let wanted: Vec<_> = specs
        .iter()
        .zip(&settings)
        .map(|(spec, settings)| {
            let copies = TopicReplication::Fixed(copies);
            let topic = NewTopic::new(spec.name.as_str(), places::signed(spec.partitions), copies);
            settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
        })
        .collect();
    let options = AdminOptions::new()
        .request_timeout(Some(limits::CREATE_WAIT))
        .operation_timeout(Some(limits::CREATE_WAIT));
    let told = wait_for(admin.create_topics(&wanted, &options));
    let told = told.map_err(|error| TopicsError::Unreachable(client::told(&error)))?;
    let (mut made, mut there, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for (spec, told) in specs.iter().zip(told) {
        match told {
            Ok(_) => made.push(spec.name.clone()),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => there.push(spec.clone()),
            Err((_, error)) => {
                let fault = Fault::Refused(refusal(error, config.replication));
                faults.push(TopicFault { topic: spec.name.clone(), fault });
            }
        }
    }
    if !there.is_empty() {
        let has_grown = grow(&admin, &there, &options)?;
        faults.extend(if has_grown {
            settled(&admin, &there)?
        } else {
            faults_of(&admin, &there)?
        });
    }
    if faults.is_empty() { Ok(made) } else { Err(TopicsError::Wrong(faults)) }
}

/// What is wrong with topics that have just grown, once the brokers tell of it: the one asked may
/// hear of its controller's decision later.
fn settled(
    admin: &AdminClient<AskingContext>,
    specs: &[TopicSpec],
) -> Result<Vec<TopicFault>, TopicsError> {
    let mut faults = faults_of(admin, specs)?;
    for _ in 0..limits::GROWN_LOOKS {
        if !faults.iter().any(|it| matches!(it.fault, Fault::Partitions { .. })) {
            break;
        }
        std::thread::park_timeout(limits::GROWN_LOOK_EVERY);
        faults = faults_of(admin, specs)?;
    }
    Ok(faults)
}

/// Adds partitions to topics that may have more and have too few; true if there were any. What is
/// refused is found by the check that follows.
fn grow(
    admin: &AdminClient<AskingContext>,
    specs: &[TopicSpec],
    options: &AdminOptions,
) -> Result<bool, TopicsError> {
    let away = |error| TopicsError::Unreachable(client::told(&error));
    let metadata = admin.inner().fetch_metadata(None, limits::ANSWER_WAIT).map_err(away)?;
    let few = |spec: &&TopicSpec| {
        let told = metadata.topics().iter().find(|told| told.name() == spec.name.as_str());
        spec.at_least && told.is_some_and(|told| told.partitions().len() < spec.partitions as usize)
    };
    let count = |spec: &TopicSpec| usize::try_from(spec.partitions).unwrap_or(usize::MAX);
    let wanted: Vec<_> = specs
        .iter()
        .filter(few)
        .map(|spec| NewPartitions::new(spec.name.as_str(), count(spec)))
        .collect();
    if !wanted.is_empty() {
        wait_for(admin.create_partitions(&wanted, options)).map_err(away)?;
    }
    Ok(!wanted.is_empty())
}

/// Checks that every topic is there, with the partitions and the cleanup policy specified.
///
/// # Errors
/// Every topic that is not, with what is wrong; or that no broker answered.
pub fn check(config: &KafkaConfig, specs: &[TopicSpec]) -> Result<(), TopicsError> {
    let faults = faults_of(&admin(config)?, specs)?;
    if faults.is_empty() { Ok(()) } else { Err(TopicsError::Wrong(faults)) }
}

/// Why topics are not as they should be: the operator's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicsError {
    /// No broker answered.
    #[error("the Kafka brokers can't be used: {0}")]
    Unreachable(String),
    /// A specification that can't be met anywhere.
    #[error(transparent)]
    Specification(TopicError),
    /// Topics that are wrong, all of them.
    #[error("{} of the Kafka topics are not as configured:{}", .0.len(), lines(.0))]
    Wrong(Vec<TopicFault>),
}

/// One topic and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFault {
    /// The topic.
    pub topic: TopicName,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong with a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// There is none.
    Missing,
    /// It has another number of partitions.
    Partitions {
        /// As configured.
        wanted: u32,
        /// As it is.
        found: u32,
    },
    /// It is compacted and shouldn't be, or the other way round.
    Cleanup {
        /// As configured.
        wanted: &'static str,
        /// As it is.
        found: String,
    },
    /// The brokers refused to make it or to tell about it.
    Refused(String),
}

impl fmt::Display for TopicFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic {}: ", self.topic)?;
        match &self.fault {
            Fault::Missing => f.write_str("is missing; make it with `fantail topics create`"),
            Fault::Partitions { wanted, found } => {
                write!(f, "has {found} partitions, the configuration says {wanted}")
            }
            Fault::Cleanup { wanted, found } => {
                write!(f, "has cleanup.policy={found}, but needs {wanted}")
            }
            Fault::Refused(why) => f.write_str(why),
        }
    }
}

fn lines(faults: &[TopicFault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

fn admin(config: &KafkaConfig) -> Result<AdminClient<AskingContext>, TopicsError> {
    let made = client::admin(config).create_with_context(AskingContext);
    made.map_err(|error| TopicsError::Unreachable(client::told(&error)))
}

/// What the brokers' refusal means to an operator.
fn refusal(error: RDKafkaErrorCode, replication: u32) -> String {
    match error {
        RDKafkaErrorCode::InvalidReplicationFactor => format!(
            "can't be made with bus.kafka.replication = {replication}: there are fewer brokers"
        ),
        other => format!("can't be made: {other}"),
    }
}

fn cleanup_policy(spec: &TopicSpec) -> &'static str {
    if spec.compacted { "compact" } else { "delete" }
}

/// A specification in Kafka's settings.
fn settings(spec: &TopicSpec, replication: u32) -> Vec<(&'static str, String)> {
    let Retention { bytes, time_micros } = spec.retention;
    let largest = RECORD_BYTES_MAX + limits::FRAMING_BYTES_MAX;
    let mut all = vec![
        ("cleanup.policy", cleanup_policy(spec).to_owned()),
        ("max.message.bytes", largest.to_string()),
        // All copies but one: a lost broker stops nothing, two lost brokers lose nothing silently.
        ("min.insync.replicas", replication.saturating_sub(1).max(1).to_string()),
    ];
    if spec.compacted {
        all.extend([
            ("segment.ms", limits::COMPACTION_LAG_MS.to_string()),
            ("max.compaction.lag.ms", limits::COMPACTION_LAG_MS.to_string()),
            ("delete.retention.ms", (TOMBSTONE_KEEP_MICROS / 1000).to_string()),
        ]);
        return all;
    }
    // Only whole closed segments are deleted, so they are small beside what is kept.
    let segment_bytes = (bytes / 4).clamp(limits::SEGMENT_BYTES_MIN, limits::SEGMENT_BYTES_MAX);
    let kept_ms = time_micros / 1000;
    let segment_ms = (kept_ms / 4).clamp(limits::SEGMENT_TIME_MIN_MS, limits::SEGMENT_TIME_MAX_MS);
    let no_limit = time_micros == Retention::NO_TIME_LIMIT;
    all.extend([
        ("retention.bytes", i64::try_from(bytes).unwrap_or(i64::MAX).to_string()),
        ("retention.ms", if no_limit { "-1".to_owned() } else { kept_ms.max(1).to_string() }),
        ("segment.bytes", segment_bytes.to_string()),
        ("segment.ms", segment_ms.to_string()),
    ]);
    all
}

fn faults_of(
    admin: &AdminClient<AskingContext>,
    specs: &[TopicSpec],
) -> Result<Vec<TopicFault>, TopicsError> {
    let away = |error| TopicsError::Unreachable(client::told(&error));
    // All topics: asking for one by name would make it where brokers make topics by themselves.
    let metadata = admin.inner().fetch_metadata(None, limits::ANSWER_WAIT).map_err(away)?;
    let resources = specs.iter().map(|spec| ResourceSpecifier::Topic(spec.name.as_str()));
    let resources: Vec<_> = resources.collect();
    let options = AdminOptions::new().request_timeout(Some(limits::ANSWER_WAIT));
    let configs = wait_for(admin.describe_configs(&resources, &options)).map_err(away)?;
    let mut faults = Vec::new();
    for (spec, config) in specs.iter().zip(configs) {
        let told = metadata.topics().iter().find(|told| told.name() == spec.name.as_str());
        let found = shape_faults(spec, told, config);
        faults
            .extend(found.into_iter().map(|fault| TopicFault { topic: spec.name.clone(), fault }));
    }
    Ok(faults)
}

fn shape_faults(
    spec: &TopicSpec,
    told: Option<&MetadataTopic>,
    config: Result<ConfigResource, RDKafkaErrorCode>,
) -> Vec<Fault> {
    let Some(told) = told else { return vec![Fault::Missing] };
    let mut faults = Vec::new();
    let found = u32::try_from(told.partitions().len()).unwrap_or(u32::MAX);
    let suits = found == spec.partitions || (spec.at_least && found > spec.partitions);
    if !suits {
        faults.push(Fault::Partitions { wanted: spec.partitions, found });
    }
    match config {
        Ok(config) => {
            let entry = config.get("cleanup.policy").and_then(|entry| entry.value.clone());
            let found = entry.unwrap_or_default();
            let wanted = cleanup_policy(spec);
            if found != wanted {
                faults.push(Fault::Cleanup { wanted, found });
            }
        }
        Err(error) => faults.push(Fault::Refused(format!("its settings can't be read: {error}"))),
    }
    faults
}
