//! Compiles `schemas/*.proto` for this crate alone: the dump is read by the published contract, not
//! by the server's codecs.

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
