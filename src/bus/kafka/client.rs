//! How our clients are set up: every setting of the client library we choose, with its reason.
//! Owns the settings and how the library's errors are told; opens nothing.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::config::KafkaConfig;
use super::limits;

/// What all clients share.
fn base(config: &KafkaConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    let statistics_ms = limits::STATISTICS_INTERVAL.as_millis().to_string();
    client
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", &config.client_id)
        .set("statistics.interval.ms", statistics_ms)
        // A paused broker holds its sockets open; nothing waits for it for a minute.
        .set("socket.timeout.ms", "4000")
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        // A moved leader is found within seconds even if the old one says nothing.
        .set("topic.metadata.refresh.interval.ms", "2000")
        .set("metadata.max.age.ms", "6000");
    let protocol = match (&config.tls, &config.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    client.set("security.protocol", protocol);
    if let Some(file) = config.tls.as_ref().and_then(|tls| tls.ca_file.as_ref()) {
        client.set("ssl.ca.location", file.to_string_lossy());
    }
    if let Some(sasl) = &config.sasl {
        client
            .set("sasl.mechanism", sasl.mechanism.name())
            .set("sasl.username", &sasl.username)
            .set("sasl.password", sasl.password.expose());
    }
    client
}

/// Stored once, in order: idempotent, every replica asked, a bounded queue.
pub(super) fn producer(config: &KafkaConfig) -> ClientConfig {
    let largest = crate::limits::RECORD_BYTES_MAX + limits::FRAMING_BYTES_MAX;
    let mut client = base(config);
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("max.in.flight.requests.per.connection", "5")
        .set("linger.ms", config.linger.as_millis().to_string())
        .set("compression.type", "lz4")
        .set("queue.buffering.max.messages", limits::QUEUE_RECORDS_MAX.to_string())
        .set("queue.buffering.max.kbytes", (config.queue_bytes / 1024).max(1).to_string())
        .set("message.max.bytes", largest.to_string())
        .set("message.timeout.ms", limits::DELIVERY_WAIT.as_millis().to_string())
        .set("request.timeout.ms", "6000")
        .set("retry.backoff.ms", "50")
        .set("retry.backoff.max.ms", "500")
        // Successes are known from the queue's length; reporting each costs a callback per record.
        .set("delivery.report.only.error", "true");
    client
}

/// Reads what it is told to, where it is told to: no group, no commits, no guessing.
pub(super) fn consumer(config: &KafkaConfig, name: &str) -> ClientConfig {
    let mut client = base(config);
    client
        // `assign` needs a name, which never reaches a broker as we neither subscribe nor commit.
        .set("group.id", name)
        .set("allow.auto.create.topics", "false")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "false")
        // The default waits a second whenever the local queue has been full.
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.error.backoff.ms", "50")
        // The broker answers as soon as it has a byte; this is how long it may hold an empty one.
        .set("fetch.min.bytes", "1")
        .set("fetch.wait.max.ms", "100")
        .set("queued.max.messages.kbytes", (config.fetch_bytes / 1024).max(1).to_string())
        .set("check.crcs", "true")
        .set("isolation.level", "read_uncommitted");
    client
}

/// Takes part in a group and reads nothing it could use: short sessions, so that the work of a dead
/// member is taken over within seconds, and as few moves as can be.
pub(super) fn member(config: &KafkaConfig, group: &str) -> ClientConfig {
    let mut client = base(config);
    client
        .set("group.id", group)
        .set("group.protocol", "classic")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", limits::SESSION_TIMEOUT.as_millis().to_string())
        .set("heartbeat.interval.ms", limits::HEARTBEAT_EVERY.as_millis().to_string())
        .set("allow.auto.create.topics", "false")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "latest")
        .set("statistics.interval.ms", "0");
    client
}

/// Asks about topics and offsets; reads and writes nothing.
pub(super) fn enquirer(config: &KafkaConfig) -> ClientConfig {
    let mut client = base(config);
    client
        .set("statistics.interval.ms", "0")
        // Topics are made by `topics::create` and nowhere else.
        .set("allow.auto.create.topics", "false");
    client
}

/// Makes topics and asks about their settings.
pub(super) fn admin(config: &KafkaConfig) -> ClientConfig {
    let mut client = base(config);
    client.set("statistics.interval.ms", "0");
    client
}

/// An error of the client library as an operator may read it: never with a setting's value, which
/// may be a password.
pub(super) fn told(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, reason, key, _) => format!("setting {key}: {reason}"),
        other => other.to_string(),
    }
}
