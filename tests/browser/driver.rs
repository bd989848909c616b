//! The chromedriver process: found, started on a port of its own choosing, ended by its id.
//!
//! It leads a process group of its own, which the browser it starts belongs to; ending the group
//! ends both, and no process that somebody else started.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command as Ending, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A cold disk takes seconds; a minute means that it will never start.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running chromedriver.
#[derive(Debug)]
pub(super) struct Driver {
    child: Child,
    group: u32,
    address: SocketAddr,
    profile: TempDir,
}

/// The browser in `PATH`, if there is one.
pub(super) fn chromium() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(in_path)
}

/// The driver in `PATH`, if there is one.
pub(super) fn chromedriver() -> Option<PathBuf> {
    in_path("chromedriver")
}

impl Driver {
    /// Starts it and waits until it says where it listens.
    pub(super) async fn start(program: &Path) -> anyhow::Result<Self> {
        let profile = tempfile::tempdir().context("a folder for the profile")?;
        let mut child = Command::new(program)
            .args(["--port=0", "--allowed-ips=127.0.0.1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| program.display().to_string())?;
        let group = child.id().context("it ended at once")?;
        let output = child.stdout.take().context("no output")?;
        let mut driver =
            Self { child, group, address: SocketAddr::from(([127, 0, 0, 1], 0)), profile };
        let said = tokio::time::timeout(START_LIMIT, port_said(BufReader::new(output))).await;
        driver.address.set_port(said.context("it never said its port")??);
        Ok(driver)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder for the browser's profile.
    pub(super) fn profile(&self) -> &Path {
        self.profile.path()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A negative id names the group, and this one holds only what we started. Nobody could be
        // told of a failure here, and the child itself is killed in any case.
        let group = format!("-{}", self.group);
        let _ = Ending::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.start_kill();
    }
}

/// Reads `ChromeDriver was started successfully on port 12345.` and goes on draining the rest.
async fn port_said<R>(mut output: BufReader<R>) -> anyhow::Result<u16>
where
    R: tokio::io::AsyncRead + Unpin + Send + 'static,
{
    let mut line = String::new();
    while output.read_line(&mut line).await? > 0 {
        let after = line.split_once("successfully on port ").map(|(_, after)| after);
        if let Some(port) = after {
            let port = port.trim().trim_end_matches('.').parse().context(line.clone())?;
            // A full pipe would stop the driver.
            tokio::spawn(async move { tokio::io::copy(&mut output, &mut tokio::io::sink()).await });
            return Ok(port);
        }
        line.clear();
    }
    bail!("it ended before it listened")
}

fn in_path(program: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}
