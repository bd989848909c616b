//! The judge of the recording tests can itself be trusted.

use std::path::Path;
use std::process::Command;

use fantail_tests::harness::require;

/// Right histories pass and planted mistakes are caught, as the oracle's own test says.
#[test]
fn the_oracle_catches_planted_mistakes() {
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle/selftest.py");
    let Ok(run) = Command::new("python3").arg("-B").arg(&oracle).output() else {
        require::skip("python3", "python3 does not start");
        return;
    };
    let said = String::from_utf8_lossy(&run.stdout);
    let failed = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}{failed}");
}
