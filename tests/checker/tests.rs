//! The checker judged: a small model of a fan-out server, clean and with planted mistakes.

mod market;
mod model;
mod mutants;
mod server;
mod single;
