//! Integration: the real feed against the simulator over loopback sockets, read back from the
//! embedded bus. Every test also checks, on every channel, that positions form one unbroken chain.

mod harness;
mod recorded;
mod seeded;
mod takeover;
