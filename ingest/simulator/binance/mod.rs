//! Binance spot as the simulator plays it: what it says ([`frames`]), what it answers to control
//! messages ([`control`]). Pure text in, text out; the engines decide when.

pub(super) mod control;
pub(super) mod frames;
