//! The brokers, through the script that starts them for every test.

use std::path::PathBuf;

use anyhow::{Context, bail};
use tokio::process::Command;

use super::Settings;

/// A running Kafka.
#[derive(Clone, Debug)]
pub(crate) struct Brokers {
    script: PathBuf,
    port: u16,
    /// `host:port,…`
    pub(crate) addresses: String,
}

impl Brokers {
    /// The brokers of these settings, running or not.
    pub(crate) fn of(settings: &Settings) -> Self {
        let (script, port) = (settings.brokers_script.clone(), settings.kafka_port);
        Self { script, port, addresses: String::new() }
    }

    pub(super) async fn start(settings: &Settings) -> anyhow::Result<Self> {
        let mut brokers = Self::of(settings);
        brokers.tell(&["start", "3"]).await?;
        let addresses = brokers.tell(&["brokers"]).await?;
        brokers.addresses = addresses.trim().to_owned();
        Ok(brokers)
    }

    pub(crate) async fn kill(&self, broker: i32) -> anyhow::Result<()> {
        self.tell(&["kill", &broker.to_string()]).await.map(drop)
    }

    pub(crate) async fn restart(&self, broker: i32) -> anyhow::Result<()> {
        self.tell(&["restart", &broker.to_string()]).await.map(drop)
    }

    pub(crate) async fn pause(&self, broker: i32) -> anyhow::Result<()> {
        self.tell(&["pause", &broker.to_string()]).await.map(drop)
    }

    pub(crate) async fn resume(&self, broker: i32) -> anyhow::Result<()> {
        self.tell(&["resume", &broker.to_string()]).await.map(drop)
    }

    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        self.tell(&["stop"]).await.map(drop)
    }

    async fn tell(&self, args: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.script);
        command.args(args).env("FANTAIL_KAFKA_PORT", self.port.to_string());
        let output = command.output().await.context("the brokers' script")?;
        if !output.status.success() {
            bail!("broker.sh {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
