//! A client's history: everything it was told, in order, as an append-only file.
//!
//! One file for each logical client, over all its sessions. `entry` is what is remembered, `writer`
//! and `reader` are its bytes. A file cut short (its writer was killed) reads up to the cut.

mod bytes;
mod entry;
mod reader;
mod told;
mod writer;

pub use entry::{Entry, Shown};
pub use reader::{HistoryError, Reader};
pub(crate) use told::told;
pub use writer::Writer;
