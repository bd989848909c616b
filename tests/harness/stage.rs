//! A server for a test: the demo's own, calm, on free ports, with every feed live.

use std::time::Duration;

use anyhow::Context;
use fantail_node::cli::DemoArgs;
use fantail_node::demo::Stage;
use fantail_node::testing;
pub use fantail_node::testing::{Faults, Venue};
use serde_json::Value;

use super::{http, wait};

/// How long feeds may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server and the means to end it.
pub struct Server {
    /// The server.
    pub stage: Stage,
    shutdown: fantail_node::testing::Shutdown,
}

impl Server {
    /// Starts one with configuration overrides (`gateway.shards=1`) and waits until all is live.
    ///
    /// # Errors
    /// What could not be started, or did not come up.
    pub async fn start(set: &[&str]) -> anyhow::Result<Self> {
        Self::play(testing::demo_args(), set).await
    }

    /// The same with a market of the test's own.
    ///
    /// # Errors
    /// What could not be started, or did not come up.
    pub async fn play(args: DemoArgs, set: &[&str]) -> anyhow::Result<Self> {
        let (stage, shutdown) = testing::demo(args, set).await?;
        let addr = stage.addr;
        let live = wait::until(PATIENCE, async || {
            let (_, body) = http::get(addr, "/v1/status").await.ok()?;
            let answer: Value = serde_json::from_str(&body).ok()?;
            let feeds = answer["feeds"].as_array()?;
            feeds.iter().all(|feed| feed["state"] == "live").then_some(())
        });
        live.await.context("not every feed came up")?;
        Ok(Self { stage, shutdown })
    }

    /// The same without waiting for feeds: for a public port that does not speak plain HTTP.
    ///
    /// # Errors
    /// What could not be started.
    pub async fn start_at_once(set: &[&str]) -> anyhow::Result<Self> {
        let (stage, shutdown) = testing::demo(testing::demo_args(), set).await?;
        Ok(Self { stage, shutdown })
    }

    /// The public address.
    #[must_use]
    pub fn addr(&self) -> std::net::SocketAddr {
        self.stage.addr
    }

    /// The admin address.
    #[must_use]
    pub fn admin(&self) -> std::net::SocketAddr {
        self.stage.node.admin()
    }

    /// The venues' troublemaker.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.stage.simulator.faults()
    }

    /// Waits until every part of it has let go.
    ///
    /// # Errors
    /// Who did not, in time.
    pub async fn drained(&self) -> Result<(), Vec<&'static str>> {
        self.shutdown.drained(PATIENCE).await
    }

    /// Begins the end.
    pub fn begin_end(&self) {
        self.shutdown.begin("the test is over");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.begin_end();
    }
}
