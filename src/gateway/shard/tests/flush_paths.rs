//! The same tests by both ways of writing: `send(2)` unless a test is run again by io_uring.

use std::cell::Cell;

use crate::config::Flush;
use crate::shard::Shard;
use crate::shard::together::Ring;

thread_local! {
    /// How the shards write that tests on this thread make.
    pub(super) static FLUSH: Cell<Flush> = const { Cell::new(Flush::Send) };
    /// The call of their rings that fails, if any is to.
    pub(super) static FAILING_CALL: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Runs the named tests of a file again, by io_uring.
macro_rules! also_by_io_uring {
    ($($test:ident),+ $(,)?) => {
        mod by_io_uring {
            $(#[test]
            fn $test() {
                crate::shard::tests::flush_paths::by_io_uring(super::$test);
            })+
        }
    };
}
pub(super) use also_by_io_uring;

/// Runs a test by io_uring, or says that it cannot.
pub(super) fn by_io_uring(test: fn()) {
    /// Whatever the test does: the thread may run others.
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            FLUSH.set(Flush::Send);
            FAILING_CALL.set(None);
        }
    }
    if is_there() {
        FLUSH.set(Flush::IoUring);
        let _back = Back;
        test();
    }
}

/// Breaks the ring of a shard that is to have one that fails.
pub(super) fn break_ring(shard: &mut Shard, failing_call: Option<usize>) {
    #[cfg(target_os = "linux")]
    if let Some(ring) = &mut shard.ring {
        ring.calls_left = failing_call;
    }
}

/// Whether there is io_uring, told if not; a failure if it is required.
pub(in crate::shard) fn is_there() -> bool {
    // On a thread of its own: the end of a ring interrupts what the thread that made it waits for.
    let tried = std::thread::spawn(|| Ring::new(1).map(drop)).join().unwrap();
    let Err(error) = tried else { return true };
    let required = std::env::var("FANTAIL_REQUIRE").unwrap_or_default();
    assert!(!required.contains("io_uring"), "io_uring is required by FANTAIL_REQUIRE: {error}");
    eprintln!("SKIPPED by io_uring: {error}");
    false
}
