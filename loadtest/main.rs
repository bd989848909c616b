//! The binary: hands the command line to the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    fantail_loadtest::main_from_args(std::env::args_os())
}
