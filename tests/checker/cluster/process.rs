//! One process of the cluster: started, signalled and ended by its own id, never by name.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long a process may take to end by itself before it is killed.
const END: Duration = Duration::from_secs(30);

/// What can be sent to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Kill,
    Term,
    Stop,
    Cont,
    Int,
}

/// A process that can be started again as it was.
#[derive(Debug)]
pub(crate) struct Process {
    program: PathBuf,
    args: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Starts it; what it says goes to the end of `log`.
    pub(crate) fn start(program: PathBuf, args: Vec<String>, log: PathBuf) -> anyhow::Result<Self> {
        let mut process = Self { program, args, log, child: None };
        process.again()?;
        Ok(process)
    }

    /// The same with its standard input and output in our hands.
    pub(super) fn start_piped(
        program: PathBuf,
        args: Vec<String>,
        log: PathBuf,
    ) -> anyhow::Result<(Self, ChildStdin, ChildStdout)> {
        let mut process = Self { program, args, log, child: None };
        let mut command = process.command()?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.context("no pipes to the process")?;
        process.child = Some(child);
        Ok((process, stdin, stdout))
    }

    /// Starts it again with the same arguments.
    pub(crate) fn again(&mut self) -> anyhow::Result<()> {
        let child = self.command()?.spawn();
        self.child = Some(child.with_context(|| format!("starting {}", self.program.display()))?);
        Ok(())
    }

    fn command(&self) -> anyhow::Result<Command> {
        let log = open(&self.log)?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            // A Ctrl-C in the terminal is ours to hear; they are ended in order.
            .process_group(0);
        Ok(command)
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Its id, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        let Some(child) = &mut self.child else { return true };
        !matches!(child.try_wait(), Ok(None))
    }

    /// Sends a signal, if it runs.
    pub(crate) async fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let Some(id) = self.id() else { return Ok(()) };
        let name = match signal {
            Signal::Kill => "-KILL",
            Signal::Term => "-TERM",
            Signal::Stop => "-STOP",
            Signal::Cont => "-CONT",
            Signal::Int => "-INT",
        };
        let status = Command::new("kill").args([name, &id.to_string()]).status().await?;
        anyhow::ensure!(status.success(), "kill {name} {id} failed");
        Ok(())
    }

    /// Waits until it is gone; kills it when that takes too long. True if it ended by itself.
    pub(crate) async fn gone(&mut self) -> bool {
        self.exit().await.is_some()
    }

    /// The same; how it ended, if it ended by itself.
    pub(crate) async fn exit(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut()?;
        let by_itself = timeout(END, child.wait()).await.ok().and_then(Result::ok);
        if by_itself.is_none() {
            let _ = child.kill().await;
        }
        self.child = None;
        by_itself
    }

    /// Ends it: a request first, force if that is not heard.
    pub(crate) async fn end(&mut self) {
        let _ = self.signal(Signal::Cont).await;
        let _ = self.signal(Signal::Term).await;
        self.gone().await;
    }
}

fn open(log: &Path) -> anyhow::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(log);
    file.with_context(|| format!("the log {}", log.display()))
}
