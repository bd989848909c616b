//! The node's configuration: every section of `fantail.toml`, and what it means.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use fantail_bus::kafka::{KafkaConfig, KafkaSection};
use fantail_bus::{Retention, TopicName, TopicSpec};
use fantail_gateway::GatewayConfig;
use fantail_gateway::auth::AuthSection;
use fantail_gateway::config::{GatewaySection, LimitsSection, ListenSection};
use fantail_ingest::config::{IngestConfig, RawVenues};
use fantail_model::Kind;
use fantail_ops::admin::AdminConfig;
use fantail_ops::config::{ByteSize, ConfigErrors, HumanDuration, Problems, Sources, load};
use fantail_ops::logging::{LogConfig, LogFormat, LogOutput, Scrubber};
use fantail_ops::secret::Secret;
use fantail_wire::record::{self, RecordFormat};
use serde::Deserialize;

use crate::cli::ConfigArgs;

/// The file read when none is named.
const DEFAULT_FILE: &str = "fantail.toml";

/// Everything that may be written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawConfig {
    /// What this process does.
    pub role: Role,
    /// The public listener.
    pub listen: ListenSection,
    /// The private listener.
    pub admin: AdminSection,
    /// Who may connect.
    pub auth: AuthSection,
    /// What one client may do.
    pub limits: LimitsSection,
    /// How this node fans out.
    pub gateway: GatewaySection,
    /// What moves records.
    pub bus: BusSection,
    /// Which markets.
    pub venues: RawVenues,
    /// Logs.
    pub log: LogSection,
}

/// What a process does. Both in one need no Kafka; apart, it is what they meet at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Ingest and gateway.
    #[default]
    All,
    /// Venues to bus.
    Ingest,
    /// Bus to clients.
    Gateway,
}

impl Role {
    /// Its word in configuration and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Ingest => "ingest",
            Self::Gateway => "gateway",
        }
    }

    /// Whether it tails venues.
    #[must_use]
    pub const fn ingests(self) -> bool {
        matches!(self, Self::All | Self::Ingest)
    }

    /// Whether clients connect to it.
    #[must_use]
    pub const fn serves(self) -> bool {
        matches!(self, Self::All | Self::Gateway)
    }
}

/// `[admin]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSection {
    /// Address and port.
    pub addr: String,
    /// Bearer token, needed beyond loopback.
    pub token: Option<Secret>,
}

/// `[bus]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusSection {
    /// `embedded`.
    pub kind: BusKind,
    /// Partitions of each topic.
    pub partitions: u32,
    /// Bytes kept per partition.
    pub retention_bytes: ByteSize,
    /// Age kept.
    pub retention: HumanDuration,
    /// How records are written; readers take both.
    pub encoding: RecordEncoding,
    /// Used with `kind = "kafka"`.
    pub kafka: KafkaSection,
}

/// Ways to write a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordEncoding {
    /// Smaller and faster.
    Protobuf,
    /// For readers that have no schema.
    Msgpack,
}

/// Homes of the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BusKind {
    /// A log in this process.
    Embedded,
    /// Apache Kafka.
    Kafka,
}

/// The bus to open.
#[derive(Debug, Clone)]
pub enum BusConfig {
    /// A log in this process.
    Embedded,
    /// Apache Kafka, at these brokers.
    Kafka(Box<KafkaConfig>),
}

/// `[log]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// Levels per target, e.g. `info,fantail_gateway=debug`.
    pub level: String,
    /// `pretty` or `json`.
    pub format: LogFormat,
}

impl Default for AdminSection {
    fn default() -> Self {
        Self { addr: "127.0.0.1:8081".into(), token: None }
    }
}

impl Default for BusSection {
    fn default() -> Self {
        Self {
            kind: BusKind::Embedded,
            partitions: 4,
            retention_bytes: ByteSize(16 * 1_024 * 1_024),
            retention: HumanDuration::from_secs(600),
            encoding: RecordEncoding::Protobuf,
            kafka: KafkaSection::default(),
        }
    }
}

impl Default for LogSection {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Pretty }
    }
}

/// What the node is to do.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// What this process does.
    pub role: Role,
    /// Bus to clients.
    pub gateway: GatewayConfig,
    /// Venues to bus.
    pub ingest: IngestConfig,
    /// The private listener.
    pub admin: AdminConfig,
    /// What moves records.
    pub bus: BusConfig,
    /// Topics of the bus.
    pub topics: Vec<TopicSpec>,
}

impl RawConfig {
    /// Reads all sources; a default file that does not exist is no mistake.
    #[must_use]
    pub fn load(args: &ConfigArgs) -> (Self, Problems) {
        let default = PathBuf::from(DEFAULT_FILE);
        let file = args.config.clone().or_else(|| default.exists().then_some(default));
        let loaded = load::<Self>(&Sources::from_process(file, args.set.clone()));
        (loaded.raw, loaded.problems)
    }

    /// Checks everything at once.
    ///
    /// # Errors
    /// Every mistake, with its key, value, place and fix.
    pub fn meaning(&self, mut problems: Problems) -> Result<NodeConfig, ConfigErrors> {
        let gateway = GatewayConfig::meaning(
            &self.listen,
            &self.auth,
            &self.limits,
            &self.gateway,
            &mut problems,
        );
        let mut ingest = IngestConfig::from_raw(&self.venues, &mut problems);
        ingest.format = match self.bus.encoding {
            RecordEncoding::Protobuf => RecordFormat::Protobuf,
            RecordEncoding::Msgpack => RecordFormat::MsgPack,
        };
        let admin = self.admin.meaning(&mut problems);
        let topics = self.bus.topics(ingest.units(), &mut problems);
        let bus = match self.bus.kind {
            BusKind::Embedded => BusConfig::Embedded,
            BusKind::Kafka => BusConfig::Kafka(Box::new(self.bus.kafka.meaning(&mut problems))),
        };
        if self.role != Role::All && self.bus.kind == BusKind::Embedded {
            let reason = "alone: an embedded bus ends at its process";
            let fix = "write bus.kind = \"kafka\", or role = \"all\"";
            problems.push("role", self.role.as_str(), reason, fix);
        }
        problems.into_result()?;
        Ok(NodeConfig { role: self.role, gateway, ingest, admin, bus, topics })
    }

    /// How to log, with everything secret registered so that no line shows it.
    #[must_use]
    pub fn logging(&self) -> LogConfig {
        let scrubber = Scrubber::default();
        let keys = self.auth.keys.iter().filter_map(|key| key.secret.as_ref());
        let password = self.bus.kafka.sasl.password.as_ref();
        for secret in keys.chain(self.admin.token.as_ref()).chain(password) {
            scrubber.learn(secret);
        }
        LogConfig {
            filter: self.log.level.clone(),
            format: self.log.format,
            output: LogOutput::stderr(),
            scrubber,
        }
    }
}

impl AdminSection {
    fn meaning(&self, problems: &mut Problems) -> AdminConfig {
        let addr = self.addr.parse::<SocketAddr>().unwrap_or_else(|_| {
            let fix = "write ip:port, e.g. 127.0.0.1:8081";
            problems.push("admin.addr", &self.addr, "not an address with a port", fix);
            SocketAddr::from(([127, 0, 0, 1], 8081))
        });
        if !addr.ip().is_loopback() && self.token.as_ref().is_none_or(Secret::is_empty) {
            let fix = "set admin.token, or listen on 127.0.0.1";
            problems.push("admin.addr", &self.addr, "reachable from elsewhere, no token", fix);
        }
        AdminConfig { addr, token: self.token.clone() }
    }
}

impl BusSection {
    /// The control topic has a partition for each unit of ingest's work: whoever holds it owns the
    /// unit.
    fn topics(&self, units: u32, problems: &mut Problems) -> Vec<TopicSpec> {
        if !(1..=1_024).contains(&self.partitions) {
            let fix = "write 1 to 1024; 4 suits a single process";
            problems.push("bus.partitions", self.partitions, "is out of range", fix);
        }
        if self.retention.get() < Duration::from_secs(1) {
            let fix = "write at least 1s; 10m suits most";
            problems.push("bus.retention", self.retention, "is too short", fix);
        }
        let micros = i64::try_from(self.retention.get().as_micros()).unwrap_or(i64::MAX);
        let retention = Retention { bytes: self.retention_bytes.bytes(), time_micros: micros };
        let events = Kind::ALL.into_iter().map(record::topic).map(|name| (name, false));
        let others =
            [(record::CONTROL, false), (record::INSTRUMENT, true), (record::SNAPSHOT, true)];
        let spec = |(name, compacted)| TopicSpec {
            name: TopicName::from_static(name),
            partitions: if name == record::CONTROL {
                units
            } else {
                self.partitions.clamp(1, 1_024)
            },
            retention,
            compacted,
            at_least: name == record::CONTROL,
        };
        events.chain(others).map(spec).collect()
    }
}
