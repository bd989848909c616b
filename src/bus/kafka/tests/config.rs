//! What `[bus.kafka]` may say.

use fantail_ops::config::{Problems, Sources, load};
use fantail_ops::secret::Secret;

use crate::kafka::KafkaBus;
use crate::kafka::config::{KafkaConfig, KafkaSection, Sasl, SaslMechanism};

/// The keys that are wrong in a section written as overrides.
fn wrong(written: &[&str]) -> Vec<String> {
    let flags = written.iter().map(|&one| one.to_owned()).collect();
    let loaded = load::<KafkaSection>(&Sources { flags, ..Sources::default() });
    let mut problems = loaded.problems;
    loaded.raw.meaning(&mut problems);
    problems.list().iter().map(|problem| problem.key.replace("bus.kafka.", "")).collect()
}

#[test]
fn mistakes_are_told_by_key() {
    let check = |written: &[&str], expected: &[&str]| assert_eq!(wrong(written), expected);
    check(&[], &[]);
    check(&["linger=0ms"], &["linger"]);
    check(&["linger=6ms"], &["linger"]);
    check(&["linger=5ms", "replication=3"], &[]);
    check(&["replication=0"], &["replication"]);
    check(&["queue_bytes=1KiB"], &["queue_bytes"]);
    check(&["client_id="], &["client_id"]);
    check(&["brokers=[]"], &["brokers"]);
    check(&["brokers=['a:1', 'b', 'c:0', ':9092']"], &["brokers.1", "brokers.2", "brokers.3"]);
    check(&["brokers=['http://a:1']"], &["brokers.0"]);
    check(&["tls.ca_file=/nowhere"], &["tls.ca_file"]);
    check(&["sasl.username=a"], &["sasl.mechanism"]);
    check(&["sasl.mechanism=PLAIN"], &["sasl.username", "sasl.password"]);
    check(&["sasl.mechanism=PLAIN", "sasl.username=a", "sasl.password=b"], &[]);
    check(&["sasl.mechanism=MD5"], &["sasl.mechanism"]);
    check(&["broker=['a:1']"], &["broker"]);
}

#[cfg(not(feature = "kafka-ssl"))]
#[test]
fn a_build_without_tls_says_so() {
    assert_eq!(wrong(&["tls.enabled=true"]), ["tls.enabled"]);
    let scram = ["sasl.mechanism=SCRAM-SHA-512", "sasl.username=a", "sasl.password=b"];
    assert_eq!(wrong(&scram), ["sasl.mechanism"]);
}

#[test]
fn the_password_is_never_shown() {
    let mut problems = Problems::default();
    let mut config: KafkaConfig = KafkaSection::default().meaning(&mut problems);
    let password = Secret::new("canary-5c1e".to_owned());
    let mechanism = SaslMechanism::Plain;
    config.sasl = Some(Sasl { mechanism, username: "u".to_owned(), password });
    let bus = KafkaBus::open(config.clone()).unwrap();
    let shown = format!("{config:?} {bus:?}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[cfg(feature = "kafka-ssl")]
#[test]
fn a_build_with_tls_takes_its_settings() {
    let mut config = KafkaConfig::plain("127.0.0.1:9");
    config.tls = Some(crate::kafka::config::Tls { ca_file: None });
    for mechanism in [SaslMechanism::Plain, SaslMechanism::ScramSha256, SaslMechanism::ScramSha512]
    {
        let password = Secret::new("p".to_owned());
        config.sasl = Some(Sasl { mechanism, username: "u".to_owned(), password });
        assert!(KafkaBus::open(config.clone()).is_ok(), "{}", mechanism.name());
    }
    assert!(wrong(&["tls.enabled=true"]).is_empty());
    config.tls = Some(crate::kafka::config::Tls { ca_file: Some("/nowhere.pem".into()) });
    let refused = KafkaBus::open(config).unwrap_err().to_string();
    assert!(refused.contains("ssl.ca.location"), "{refused}");
}
