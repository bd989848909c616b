//! The binary: reads the command line and calls the command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use fantail_loadtest::cli::{Cli, run};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
