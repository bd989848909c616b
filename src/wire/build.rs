//! Compiles `schemas/*.proto` to Rust with protox, so that no `protoc` is needed.
//!
//! Output: one module for package `fantail.v1` in `OUT_DIR`, included by `generated.rs`.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let files = ["client.proto", "market.proto"];
    for file in files {
        println!("cargo::rerun-if-changed={}", schemas.join(file).display());
    }
    let descriptors = protox::compile(files, [&schemas])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
