//! The `fantail` binary: reads the command line and calls the command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use fantail_node::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Run(args) => fantail_node::run::run(args).await,
            Command::Demo(args) => fantail_node::demo::run(args).await,
            Command::Replay(args) => fantail_node::replay::run(args).await,
            Command::Tap(args) => fantail_node::tap::run(args).await,
            Command::Token(args) => fantail_node::token::run(&args),
            Command::CheckConfig(args) => fantail_node::run::check(&args),
            Command::Simulate(args) => fantail_node::simulate::run(args).await,
            Command::Topics(args) => fantail_node::topics::run(args).await,
        }
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
