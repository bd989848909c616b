//! What `deploy/`, `docker-compose.yml` and `k8s/` say of the server, held against the server:
//! metrics, configuration keys, ports, images. Their form is `deploy/validate.sh`'s matter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fantail_tests::harness::client::{Client, Options};
use fantail_tests::harness::stage::{Server, Venue};
use fantail_tests::harness::{http, wait};

use super::cli::fantail;

const PATIENCE: Duration = Duration::from_secs(30);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Words of `text` that begin with `start`, made of lower-case letters, digits and `_`.
fn words<'a>(text: &'a str, start: &str) -> BTreeSet<&'a str> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with(start)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_of_dashboards_and_rules_exists() {
    let files = [
        "deploy/grafana/dashboards/fantail.json",
        "deploy/prometheus/rules.yml",
        "k8s/monitoring/rules.yaml",
        "k8s/monitoring/adapter-values.yaml",
    ];
    let texts = files.map(read);
    let mut named: BTreeSet<&str> = texts.iter().flat_map(|text| words(text, "fantail_")).collect();
    // What the autoscaler's adapter calls its own figure.
    assert!(named.remove("fantail_gateway_delivery_lag_seconds"));
    assert!(named.len() > 30, "{named:?}");

    // Kafka's figures appear with Kafka only: held against the list they are made from.
    let kafka = read("src/bus/kafka/figures.rs");
    let (of_kafka, others): (Vec<&str>, Vec<&str>) =
        named.into_iter().partition(|name| name.starts_with("fantail_bus_kafka_"));
    for name in of_kafka {
        let name = name.trim_start_matches("fantail_").trim_end_matches("_total");
        assert!(kafka.contains(&format!("\"{name}\"")), "{name} is not in figures.rs");
    }

    let server = Server::start(&[]).await.expect("a server");
    // Some families are empty until something goes wrong: let it.
    let faults = server.faults();
    faults.skip_delta(Venue::Binance, "BTC-USDT").await;
    faults.garbage(Venue::Binance).await;
    faults.drop_connection(Venue::Coinbase).await;
    drop(Client::connect(server.addr(), Options::default()).await.expect("in"));
    let mut missing = Vec::new();
    let found = wait::until(PATIENCE, async || {
        let (_, text) = http::get(server.admin(), "/metrics").await.ok()?;
        let known = words(&text, "fantail_");
        missing = others.iter().filter(|name| !known.contains(*name)).copied().collect();
        missing.is_empty().then_some(())
    });
    let found = found.await;
    assert!(found.is_some(), "named in deploy/ or k8s/, but no metric: {missing:?}");
}

/// `FANTAIL__…` names in a manifest.
fn variables(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with("FANTAIL__")).collect()
}

#[test]
fn every_configuration_key_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("jwt.pem");
    // The public half of RFC 8032's first test key.
    let pem = "-----BEGIN PUBLIC KEY-----\n\
               MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
               -----END PUBLIC KEY-----\n";
    std::fs::write(&key, pem).expect("written");
    let cases = [
        ("deploy/compose/fantail.toml", "docker-compose.yml", "run"),
        ("k8s/config/fantail.toml", "k8s/gateway.yaml", "gateway"),
        ("k8s/config/fantail.toml", "k8s/ingest.yaml", "ingest"),
        ("k8s/config/fantail.toml", "k8s/topics.yaml", "topics"),
    ];
    for (config, manifest, name) in cases {
        // What the pods mount is stood for by a file that is there.
        let mounted = ["/etc/fantail-keys/jwt.pem", "/etc/kafka-ca/ca.crt"];
        let there = |text: String, path: &&str| text.replace(*path, &key.to_string_lossy());
        let text = mounted.iter().fold(read(config), there);
        let file = folder.path().join(format!("{name}.toml"));
        std::fs::write(&file, text).expect("written");
        let manifest = read(manifest);
        let variables = variables(&manifest);
        assert!(variables.contains("FANTAIL__ADMIN__TOKEN"), "{variables:?}");
        let values: BTreeMap<&str, &str> =
            variables.into_iter().map(|name| (name, "0123456789abcdef0123456789abcdef")).collect();
        let role = if name == "ingest" { "role=ingest" } else { "role=gateway" };
        let checked = Command::new(fantail())
            .args(["check-config", "--set", role, "--config"])
            .arg(&file)
            .current_dir(folder.path())
            .env_clear()
            .envs(&values)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&checked.stderr);
        // The image is built with TLS towards Kafka; the binary of the tests may not be.
        let mistakes = said.lines().skip(1).filter(|line| !line.contains("kafka-ssl"));
        let mistakes: Vec<&str> = mistakes.filter(|line| line.contains('(')).collect();
        let good = checked.status.success() || said.contains("kafka-ssl");
        assert!(good && mistakes.is_empty(), "{config} with {name}: {said}");
    }
}

#[test]
fn ports_and_images_agree() {
    let compose = read("docker-compose.yml");
    let (config, k8s) = (read("deploy/compose/fantail.toml"), read("k8s/config/fantail.toml"));
    for text in [&config, &k8s] {
        assert!(text.contains("addr = \"0.0.0.0:8080\"") && text.contains("\"0.0.0.0:8081\""));
    }
    let gateway = read("k8s/gateway.yaml");
    assert!(gateway.contains("containerPort: 8080") && gateway.contains("containerPort: 8081"));
    assert!(read("Dockerfile").contains("EXPOSE 8080 8081"));
    assert!(read("deploy/haproxy/haproxy.cfg").contains("FANTAIL_GATEWAY_1 gateway-1:8080"));
    for target in ["ingest-1:8081", "ingest-2:8081", "gateway-1:8081", "gateway-2:8081"] {
        assert!(read("deploy/prometheus/prometheus.yml").contains(target), "{target}");
        let service = target.trim_end_matches(":8081");
        assert!(compose.contains(&format!("\n  {service}:\n")), "{service}");
    }
    // Proxies are trusted by the network's range.
    assert!(compose.contains("subnet: 172.29.0.0/24") && config.contains("\"172.29.0.0/24\""));

    let version = env!("CARGO_PKG_VERSION");
    assert!(compose.contains(&format!("image: fantail:{version}")));
    assert!(read("k8s/kustomization.yaml").contains(&format!("newTag: {version}")));
    for file in ["gateway", "ingest", "topics"] {
        assert_eq!(read(&format!("k8s/{file}.yaml")).matches("image: fantail\n").count(), 1);
    }
}

#[test]
fn a_drain_fits_into_its_grace() {
    /// The first number after `name`.
    fn number(text: &str, name: &str) -> u64 {
        let rest = text.split_once(name).unwrap_or_else(|| panic!("{name}")).1;
        let digits: String = rest.chars().skip_while(|c| !c.is_ascii_digit()).collect();
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        digits[..end].parse().expect("a number")
    }
    // What follows the drain: last frames (5 s) and last work (5 s).
    const AFTER: u64 = 10;
    let gateway = read("k8s/gateway.yaml");
    let drain = number(&read("k8s/config/fantail.toml"), "drain = ");
    let grace = number(&gateway, "terminationGracePeriodSeconds:");
    let before = number(&gateway, "command: [sleep,");
    assert!(before + drain + AFTER < grace, "{before} + {drain} + {AFTER} s, grace {grace} s");
    let compose = read("docker-compose.yml");
    let gateway = compose.split_once("x-gateway:").expect("gateway").1;
    let drain = number(&read("deploy/compose/fantail.toml"), "drain = ");
    assert!(drain + AFTER < number(gateway, "stop_grace_period:"));
}
