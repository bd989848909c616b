//! Twelve planted mistakes are all caught, each by the property that is about it; ten clean runs
//! raise nothing.

use super::model::run;
use super::server::Mutant;
use crate::check::Property;

/// Seeds a mistake is tried with.
const SEEDS: std::ops::Range<u64> = 100..105;

#[track_caller]
fn caught(mutant: Mutant, by: &[Property]) {
    for seed in SEEDS {
        let (verdict, fired) = run(seed, Some(mutant));
        assert!(fired > 0, "{mutant:?} seed {seed}: the mistake was never made");
        let found = by.iter().any(|property| verdict.count(*property) > 0);
        assert!(found, "{mutant:?} seed {seed}, made {fired} times:\n{verdict}");
        assert!(!verdict.clean);
    }
}

#[test]
fn ten_clean_runs_raise_nothing() {
    for seed in 1..=10 {
        let (verdict, _) = run(seed, None);
        assert!(verdict.clean, "seed {seed}:\n{verdict}");
        // A model in which nothing goes wrong would prove nothing.
        let totals = &verdict.totals;
        assert!(totals.gaps > 0 && totals.merged > 0 && totals.resumes > 100, "{verdict}");
        assert!(totals.deliveries > 3_000 && verdict.bus.epochs > 12, "{verdict}");
    }
}

#[test]
fn mutant_01_drop() {
    caught(Mutant::Drop, &[Property::Lost]);
}

#[test]
fn mutant_02_swap() {
    caught(Mutant::Swap, &[Property::Nonmonotonic]);
}

#[test]
fn mutant_03_duplicate() {
    caught(Mutant::Duplicate, &[Property::Duplicate]);
}

#[test]
fn mutant_04_off_by_one_resume() {
    caught(Mutant::OffByOneResume, &[Property::Skip, Property::Duplicate]);
}

#[test]
fn mutant_05_silent_gap() {
    caught(Mutant::SilentGap, &[Property::Lost]);
}

#[test]
fn mutant_06_wrong_channel() {
    caught(Mutant::WrongChannel, &[Property::Inconsistent, Property::Phantom]);
}

#[test]
fn mutant_07_stale_snapshot() {
    caught(Mutant::StaleSnapshot, &[Property::SnapshotMismatch]);
}

#[test]
fn mutant_08_truncation_ignored() {
    caught(Mutant::TruncationIgnored, &[Property::Inconsistent]);
}

#[test]
fn mutant_09_lost_on_drain() {
    caught(Mutant::LostOnDrain, &[Property::Lost]);
}

#[test]
fn mutant_10_reorder_on_the_slow_path() {
    caught(Mutant::SlowReorder, &[Property::Nonmonotonic]);
}

#[test]
fn mutant_11_duplicate_on_retry() {
    caught(Mutant::DuplicateOnRetry, &[Property::Duplicate]);
}

#[test]
fn mutant_12_gap_with_a_wrong_range() {
    caught(Mutant::WrongGap, &[Property::FalseGap, Property::Skip]);
}
