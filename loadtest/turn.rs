//! One run of one side: its server is started, the swarm runs against it as a program of its own on
//! the other core, the server is ended. Input: a plan and where; output: the swarm's report.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::contest::{Serves, Side};
use crate::plan::Plan;
use crate::report::Report;
use crate::server::{Pins, Server};

/// What a run needs.
pub(crate) struct Turn<'a> {
    /// The plan, at the rate of this run.
    pub(crate) plan: &'a Plan,
    /// Where the swarm reads it.
    pub(crate) file: &'a Path,
    /// The server's program and its arguments.
    pub(crate) fantail: &'a Path,
    pub(crate) words: &'a [String],
    pub(crate) seconds: f64,
    pub(crate) pins: Pins,
    /// How often the swarm reads, ms; 0 = at each arrival.
    pub(crate) read_every_ms: u64,
}

impl Turn<'_> {
    /// Runs it for one side.
    ///
    /// # Errors
    /// Something does not start, or the swarm could not run.
    pub(crate) fn run(&self, side: Side) -> anyhow::Result<Report> {
        let Self { plan, seconds, pins, .. } = *self;
        let server = match side.serves {
            Serves::Floor { io_uring } => Server::floor(plan, io_uring, seconds, pins)?,
            Serves::Fantail { shards, set } => {
                let mut words = self.words.to_vec();
                words.extend(set.iter().flat_map(|set| ["--set".to_owned(), (*set).to_owned()]));
                Server::fantail(self.fantail, &words, shards, pins)?
            }
        };
        let program = std::env::current_exe().context("this program")?;
        let mut swarm = Command::new("taskset");
        swarm
            .args(["-c", &pins.client.to_string()])
            .arg(program)
            .arg("plan")
            .arg(self.file)
            .args(["--target", &server.target, "--server-cores", &pins.server.to_string()])
            .args(["--pid", &server.pid().to_string()])
            .args(["--baseline", &server.baseline.to_string()])
            .args(["--rate", &plan.rate.to_string()])
            .args(["--read-every-ms", &self.read_every_ms.to_string()])
            .args(["--duration", &seconds.to_string(), "--json"])
            .args(side.swarm);
        if let Some(admin) = &server.admin {
            swarm.args(["--admin", admin]);
        }
        let output = swarm.stderr(Stdio::inherit()).output().context("starting the swarm")?;
        serde_json::from_slice(&output.stdout).context("the swarm's report")
    }
}

/// A server's program and its arguments: as given, else as the plan wants them.
pub(crate) fn command(plan: &Plan, given: Option<&str>, fantail: &Path) -> (PathBuf, Vec<String>) {
    let mut words = given.unwrap_or_default().split_whitespace().map(str::to_owned);
    let program = words.next().map_or_else(|| fantail.to_owned(), Into::into);
    let mut words: Vec<String> = words.collect();
    if words.is_empty() {
        words.extend(plan.server.iter().cloned());
    }
    (program, words)
}
