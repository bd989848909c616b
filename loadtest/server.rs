//! Servers as children of this program: a floor or a Fantail, started on a core, its threads moved
//! where they belong, and ended by its id. Input: what to start and where; output: an address.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use crate::host;
use crate::machine::watch;
use crate::plan::Plan;

/// Seconds a floor lives beyond its measurement, for connecting and settling.
const SPARE_SECONDS: f64 = 60.0;

/// Which core does what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pins {
    /// The floor, and Fantail's tail and first shard.
    pub(crate) server: usize,
    /// The swarm, every second shard, and the server's other threads.
    pub(crate) client: usize,
    /// Leave the server's other threads (simulator, ingest) on its core.
    pub(crate) whole_process: bool,
}

/// A child process, ended by its id when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where clients connect.
    pub(crate) target: String,
    /// Its admin listener, if it has one.
    pub(crate) admin: Option<String>,
    /// How busy its core was before it was started. Watched then and not later, so that what a server
    /// does while nobody listens is its cost and not the machine's.
    pub(crate) baseline: f64,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The yardstick at the plan's rate.
    pub(crate) fn floor(
        plan: &Plan,
        io_uring: bool,
        seconds: f64,
        pins: Pins,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program")?;
        let numbers = [
            plan.sockets().to_string(),
            plan.rate.to_string(),
            plan.burst.to_string(),
            (seconds + SPARE_SECONDS).to_string(),
        ];
        let [sockets, rate, burst, seconds] = &numbers;
        let mut words =
            vec!["floor", "--sockets", sockets, "--rate", rate, "--burst", burst, "--seconds"];
        words.push(seconds);
        words.extend(io_uring.then_some("--io-uring"));
        let baseline = watch(pins.server)?;
        let (child, line) = start(&program, &words, pins.server)?;
        Ok(Self { child, target: line.trim().to_owned(), admin: None, baseline })
    }

    /// A Fantail that says in its first line where it is.
    pub(crate) fn fantail(
        program: &Path,
        given: &[String],
        shards: usize,
        pins: Pins,
    ) -> anyhow::Result<Self> {
        let shards = format!("gateway.shards={shards}");
        let mut words: Vec<&str> = given.iter().map(String::as_str).collect();
        let has = |flag: &str| given.iter().any(|word| word == flag);
        if !has("--listen") {
            words.extend(["--listen", "127.0.0.1:0"]);
        }
        if !has("--json") {
            words.push("--json");
        }
        if !given.iter().any(|word| word.starts_with("gateway.shards=")) {
            words.extend(["--set", &shards]);
        }
        let baseline = watch(pins.server)?;
        let (child, line) = start(program, &words, pins.server)?;
        // From here on the child is ended whatever goes wrong.
        let mut server = Self { child, target: String::new(), admin: None, baseline };
        let said: serde_json::Value =
            serde_json::from_str(&line).context("the server's first line")?;
        let ws = said["ws"].as_str().context("no address in the server's first line")?;
        ws.clone_into(&mut server.target);
        server.admin = said["admin"].as_str().map(str::to_owned);
        server.separate(pins)?;
        Ok(server)
    }

    /// Every second shard, and unless they are to stay, all threads that are not fan-out, move to
    /// the other core.
    fn separate(&self, pins: Pins) -> anyhow::Result<()> {
        for (thread, name) in host::threads(self.pid()) {
            let moves = match name.strip_prefix("shard-") {
                Some(number) => number.parse().unwrap_or(0) % 2 == 1,
                None => name != "tail" && !pins.whole_process,
            };
            if moves {
                let status = Command::new("taskset")
                    .args(["-pc", &pins.client.to_string(), &thread.to_string()])
                    .stdout(Stdio::null())
                    .status()
                    .context("taskset (util-linux) is needed")?;
                anyhow::ensure!(status.success(), "a thread could not be pinned");
            }
        }
        Ok(())
    }
}

/// Starts a program on a core and takes its first line.
fn start(program: &Path, words: &[&str], core: usize) -> anyhow::Result<(Child, String)> {
    let mut child = Command::new("taskset")
        .args(["-c", &core.to_string()])
        .arg(program)
        .args(words)
        .stdout(Stdio::piped())
        .spawn()
        .context("taskset (util-linux) is needed")?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line).context("no first line")?;
    }
    if line.is_empty() {
        // It has ended, or soon will: its output is closed.
        let _ = child.kill();
        let _ = child.wait();
        bail!("{} said nothing and ended", program.display());
    }
    Ok((child, line))
}
