//! `fantail replay`: recordings played through the simulator, so that real bytes travel the real
//! sockets.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use fantail_ingest::simulator::{RecordedConfig, Source, Speed as PlaySpeed, StartGate};
use fantail_ops::logging::{self, LogHandle};
use fantail_ops::shutdown::Shutdown;

use crate::cli::{ReplayArgs, Speed};
use crate::config::RawConfig;
use crate::demo::{Stage, on_stage, quiet};

/// How often the audience is counted.
const LOOK: Duration = Duration::from_millis(50);
/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);
/// Time the last messages have to come through the server before `--exit` looks who waits.
const LAST_MESSAGES: Duration = Duration::from_secs(2);
/// Time slow clients have to take the rest before `--exit` ends the server all the same.
const LAST_CLIENT: Duration = Duration::from_secs(60);

/// Runs until a signal, or with `--exit` until everything is played.
///
/// # Errors
/// What could not be started, and why.
pub async fn run(args: ReplayArgs) -> anyhow::Result<ExitCode> {
    let (raw, problems) = RawConfig::load(&args.config);
    problems.into_result()?;
    let logs = logging::start(quiet(&raw, &args.config.set))?;
    let shutdown = Shutdown::new();
    shutdown.listen_for_signals()?;
    let (json, exit, start_after) = (args.json, args.exit, args.start_after);
    let (stage, gate) = start(args, raw, shutdown.clone(), logs).await?;
    stage.announcement().print("replay: waiting for the first subscriber", json);
    tokio::select! {
        () = shutdown.begun() => {}
        () = play(&stage, &gate, start_after, json) => {
            if exit {
                taken(&stage).await;
                shutdown.begin("everything is played");
            }
        }
    }
    stage.node.ended().await?;
    Ok(ExitCode::SUCCESS)
}

/// Starts the simulator, closed, and a node against it.
///
/// # Errors
/// A recording that cannot be read, or what could not be started.
pub async fn start(
    args: ReplayArgs,
    raw: RawConfig,
    shutdown: Shutdown,
    logs: LogHandle,
) -> anyhow::Result<(Stage, StartGate)> {
    let gate = StartGate::new();
    let source = Source::Recorded(RecordedConfig {
        files: args.files,
        speed: match args.speed {
            Speed::Times(times) => PlaySpeed::Times(times),
            Speed::Max => PlaySpeed::Max,
        },
        start: gate.clone(),
    });
    let stage = on_stage(source, (args.listen, args.admin), raw, shutdown, logs).await?;
    Ok((stage, gate))
}

/// Opens the gate when the audience is there, then tells progress until all is played.
pub async fn play(stage: &Stage, gate: &StartGate, audience: u64, quiet: bool) {
    let mut look = tokio::time::interval(LOOK);
    while stage.node.subscribers() < audience.max(1) {
        look.tick().await;
    }
    gate.open();
    let mut tell = tokio::time::interval(TELL);
    let on_terminal = !quiet && std::io::stderr().is_terminal();
    while let Some(progress) = stage.simulator.progress() {
        if on_terminal {
            eprint!("\r  played {} of {} messages ", progress.played, progress.total);
        }
        if progress.finished {
            break;
        }
        tell.tick().await;
    }
    if on_terminal {
        eprintln!("- done");
    }
}

/// Waits, within bounds, until every session was sent all it is due.
async fn taken(stage: &Stage) {
    tokio::time::sleep(LAST_MESSAGES).await;
    let all = async {
        let mut look = tokio::time::interval(LOOK);
        while stage.node.waiting() > 0 {
            look.tick().await;
        }
    };
    if tokio::time::timeout(LAST_CLIENT, all).await.is_err() {
        tracing::warn!(waiting = stage.node.waiting(), "ending although clients wait");
    }
}
