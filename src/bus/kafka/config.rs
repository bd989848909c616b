//! `[bus.kafka]`: what may be written, and what it means. Owns the checks of every value and that
//! the password is a secret; knows no client library. Partitions and retention are the bus's own
//! keys, whatever its home.

use std::path::PathBuf;
use std::time::Duration;

use fantail_ops::config::{ByteSize, HumanDuration, Problems};
use fantail_ops::secret::Secret;
use serde::Deserialize;

/// `[bus.kafka]` as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaSection {
    /// Brokers to ask first, `host:port` each; the others are learned from them.
    pub brokers: Vec<String>,
    /// How this process calls itself in the brokers' logs and quotas.
    pub client_id: String,
    /// How long a producer waits for company before it sends a batch.
    pub linger: HumanDuration,
    /// Bytes a producer may hold for a slow broker before records are refused.
    pub queue_bytes: ByteSize,
    /// Bytes a consumer fetches ahead.
    pub fetch_bytes: ByteSize,
    /// Copies of each partition, for topics we make.
    pub replication: u32,
    /// Encryption.
    pub tls: TlsSection,
    /// Who we are to the brokers.
    pub sasl: SaslSection,
}

/// `[bus.kafka.tls]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSection {
    /// Whether to speak TLS to the brokers.
    pub enabled: bool,
    /// Certificates to trust, PEM; the system's own if not given.
    pub ca_file: Option<PathBuf>,
}

/// `[bus.kafka.sasl]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SaslSection {
    /// How to authenticate; not at all if not given.
    pub mechanism: Option<SaslMechanism>,
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: Option<Secret>,
}

/// Ways to authenticate with a name and a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum SaslMechanism {
    /// The password itself.
    #[serde(rename = "PLAIN")]
    Plain,
    /// A proof of the password, SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// A proof of the password, SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

/// What was meant: checked, and enough to open a [`crate::KafkaBus`].
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// Name of this process.
    pub client_id: String,
    /// Wait before a batch is sent.
    pub linger: Duration,
    /// Bytes a producer may hold.
    pub queue_bytes: u64,
    /// Bytes a consumer fetches ahead.
    pub fetch_bytes: u64,
    /// Copies of each partition.
    pub replication: u32,
    /// Encryption, if any.
    pub tls: Option<Tls>,
    /// Authentication, if any.
    pub sasl: Option<Sasl>,
}

/// TLS to the brokers.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Certificates to trust; the system's own if not given.
    pub ca_file: Option<PathBuf>,
}

/// A name and a password.
#[derive(Debug, Clone)]
pub struct Sasl {
    /// How they are used.
    pub mechanism: SaslMechanism,
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// Whether this build can speak TLS (and SCRAM, which needs the same library).
const HAS_TLS: bool = cfg!(feature = "kafka-ssl");

impl Default for KafkaSection {
    fn default() -> Self {
        Self {
            brokers: vec!["127.0.0.1:9092".to_owned()],
            client_id: "fantail".to_owned(),
            linger: HumanDuration::from_millis(1),
            queue_bytes: ByteSize(64 * 1024 * 1024),
            fetch_bytes: ByteSize(16 * 1024 * 1024),
            replication: 1,
            tls: TlsSection::default(),
            sasl: SaslSection::default(),
        }
    }
}

impl SaslMechanism {
    /// Its registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl KafkaConfig {
    /// Plain text to these brokers, everything else at its default.
    #[must_use]
    pub fn plain(brokers: &str) -> Self {
        let mut problems = Problems::default();
        let brokers = brokers.split(',').map(|one| one.trim().to_owned()).collect();
        KafkaSection { brokers, ..KafkaSection::default() }.meaning(&mut problems)
    }
}

impl KafkaSection {
    /// What was meant; every mistake is pushed. With mistakes the result is not to be used.
    pub fn meaning(&self, problems: &mut Problems) -> KafkaConfig {
        self.check_brokers(problems);
        let linger = self.linger.get();
        if !(Duration::from_millis(1)..=Duration::from_millis(5)).contains(&linger) {
            let fix = "write 1ms to 5ms; 2ms suits most";
            problems.push("bus.kafka.linger", self.linger, "is out of range", fix);
        }
        let sizes = [("queue_bytes", self.queue_bytes), ("fetch_bytes", self.fetch_bytes)];
        for (key, size) in sizes {
            if !(1024 * 1024..=1024 * 1024 * 1024).contains(&size.bytes()) {
                let fix = "write 1MiB to 1GiB";
                problems.push(format!("bus.kafka.{key}"), size, "is out of range", fix);
            }
        }
        if !(1..=7).contains(&self.replication) {
            let fix = "write 3 for three brokers or more, 1 for one";
            problems.push("bus.kafka.replication", self.replication, "is out of range", fix);
        }
        KafkaConfig {
            brokers: self.brokers.join(","),
            client_id: self.client_id.clone(),
            linger,
            queue_bytes: self.queue_bytes.bytes(),
            fetch_bytes: self.fetch_bytes.bytes(),
            replication: self.replication,
            tls: self.tls.meaning(problems),
            sasl: self.sasl.meaning(problems),
        }
    }

    fn check_brokers(&self, problems: &mut Problems) {
        let fix = "write host:port, e.g. [\"kafka-1:9092\", \"kafka-2:9092\"]";
        if self.brokers.is_empty() {
            problems.push("bus.kafka.brokers", "[]", "names no broker", fix);
        }
        for (index, broker) in self.brokers.iter().enumerate() {
            let parts = broker.rsplit_once(':');
            let port = parts.and_then(|(_, port)| port.parse::<u16>().ok());
            let host = parts.map_or("", |(host, _)| host);
            let odd = |c: char| c.is_whitespace() || matches!(c, ',' | '/' | '@');
            if port.is_none_or(|port| port == 0) || host.is_empty() || host.contains(odd) {
                let key = format!("bus.kafka.brokers.{index}");
                problems.push(key, broker, "is not a host with a port", fix);
            }
        }
        if self.client_id.is_empty() || self.client_id.len() > 249 {
            let fix = "write a name of 1 to 249 letters";
            problems.push("bus.kafka.client_id", &self.client_id, "is not a name", fix);
        }
    }
}

impl TlsSection {
    fn meaning(&self, problems: &mut Problems) -> Option<Tls> {
        if !self.enabled {
            if let Some(file) = &self.ca_file {
                let fix = "set bus.kafka.tls.enabled = true, or leave ca_file out";
                let reason = "is given but TLS is off";
                problems.push("bus.kafka.tls.ca_file", file.display(), reason, fix);
            }
            return None;
        }
        if !HAS_TLS {
            let fix = "build with the feature `kafka-ssl`";
            problems.push("bus.kafka.tls.enabled", true, "this build has no TLS for Kafka", fix);
        }
        if let Some(file) = self.ca_file.as_ref().filter(|file| !file.is_file()) {
            problems.push("bus.kafka.tls.ca_file", file.display(), "is no file", "");
        }
        Some(Tls { ca_file: self.ca_file.clone() })
    }
}

impl SaslSection {
    fn meaning(&self, problems: &mut Problems) -> Option<Sasl> {
        let password = self.password.as_ref().filter(|password| !password.is_empty());
        let Some(mechanism) = self.mechanism else {
            if password.is_some() || !self.username.is_empty() {
                let fix = "write PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512";
                let reason = "is required with a username or password";
                problems.push("bus.kafka.sasl.mechanism", "", reason, fix);
            }
            return None;
        };
        if mechanism != SaslMechanism::Plain && !HAS_TLS {
            let fix = "build with the feature `kafka-ssl`, or use PLAIN";
            let reason = "this build has no SCRAM for Kafka";
            problems.push("bus.kafka.sasl.mechanism", mechanism.name(), reason, fix);
        }
        if self.username.is_empty() {
            let reason = "is required with a mechanism";
            problems.push("bus.kafka.sasl.username", "", reason, "");
        }
        let Some(password) = password else {
            let fix = "set it in the environment: FANTAIL__BUS__KAFKA__SASL__PASSWORD";
            problems.push("bus.kafka.sasl.password", "", "is required with a mechanism", fix);
            return None;
        };
        Some(Sasl { mechanism, username: self.username.clone(), password: password.clone() })
    }
}
