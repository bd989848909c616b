//! How fast the tail takes records when nobody is subscribed, printed; it judges nothing. The
//! figure means something in a release build on a quiet machine.

use std::time::Duration;

use fantail_ops::clock::Clock;

use super::{Plan, Rig};
use crate::testing::trade;

const RECORDS: u64 = 600_000;
const CHANNELS: u64 = 200;

#[test]
fn records_a_second_with_nobody_subscribed() {
    let count = if cfg!(debug_assertions) { RECORDS / 20 } else { RECORDS };
    let clock = Clock::system();
    let mut began = None;
    let (ring, mailbox, wait) = (64 * 1_024 * 1_024, 65_536, Duration::ZERO);
    let plan = Plan { faulty: false, ring, mailbox, partitions: 1, by_interest: None, wait };
    let rig = Rig::planned(plan, |owner| {
        let names: Vec<String> =
            (0..CHANNELS).map(|n| format!("trade:binance:S{n}-USDT")).collect();
        for seq in 1..=count / CHANNELS {
            for name in &names {
                owner.publish(name, &trade(1, seq));
            }
        }
        began = Some(clock.monotonic());
    });
    rig.ready();
    let took = clock.monotonic() - began.unwrap();
    let rate = count as f64 / took.as_secs_f64();
    eprintln!("tail, nobody subscribed: {count} trades of {CHANNELS} channels, {rate:.0}/s");
}
