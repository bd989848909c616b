//! bin.
fn main() {}
