//! Integration: the real feed against the simulator.
