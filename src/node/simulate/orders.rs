//! Orders to the simulated venues, one a line on standard input, for whoever wants to see a fault
//! survived: `drop VENUE`, `garbage VENUE`, `skip VENUE SYMBOL`, `freeze VENUE SYMBOL MS`,
//! `burst FACTOR MS`. A line that is none is told on standard error and changes nothing.

use std::io::BufRead;
use std::time::Duration;

use fantail_ingest::simulator::{Faults, Venue};
use tokio::sync::mpsc;

/// Lines waiting to be carried out; a script that writes faster waits.
const LINES_LEN: usize = 64;
/// Longest a fault lasts: a venue silent for longer is another test.
const LASTING_MAX_MS: u64 = 600_000;

/// One order.
#[derive(Debug, PartialEq)]
enum Order {
    Drop(Venue),
    Garbage(Venue),
    Skip(Venue, String),
    Freeze(Venue, String, Duration),
    Burst(f64, Duration),
}

/// Carries out what comes, until standard input ends.
pub(super) async fn obey(faults: Faults) {
    let (lines, mut orders) = mpsc::channel(LINES_LEN);
    // Standard input can't be polled; its thread ends with it, or with the process.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = orders.recv().await {
        match read(&line) {
            Some(Order::Drop(venue)) => faults.drop_connection(venue).await,
            Some(Order::Garbage(venue)) => faults.garbage(venue).await,
            Some(Order::Skip(venue, symbol)) => faults.skip_delta(venue, &symbol).await,
            Some(Order::Freeze(venue, symbol, lasting)) => {
                faults.freeze(venue, &symbol, lasting).await;
            }
            Some(Order::Burst(factor, lasting)) => faults.burst(factor, lasting).await,
            None => eprintln!("not an order: {line:?}; write e.g. drop binance"),
        }
    }
}

fn read(line: &str) -> Option<Order> {
    let words: Vec<&str> = line.split_whitespace().collect();
    Some(match words[..] {
        ["drop", of] => Order::Drop(venue(of)?),
        ["garbage", of] => Order::Garbage(venue(of)?),
        ["skip", of, symbol] => Order::Skip(venue(of)?, symbol.to_owned()),
        ["freeze", of, symbol, ms] => Order::Freeze(venue(of)?, symbol.to_owned(), lasting(ms)?),
        ["burst", factor, ms] => {
            let factor = factor.parse::<f64>().ok().filter(|f| (0.0..=1_000.0).contains(f))?;
            Order::Burst(factor, lasting(ms)?)
        }
        _ => return None,
    })
}

fn venue(name: &str) -> Option<Venue> {
    [Venue::Binance, Venue::Coinbase].into_iter().find(|venue| venue.as_str() == name)
}

fn lasting(ms: &str) -> Option<Duration> {
    let ms = ms.parse().ok().filter(|ms| *ms <= LASTING_MAX_MS)?;
    Some(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_and_other_lines_are_not() {
        let check = |line: &str, wanted: Option<Order>| assert_eq!(read(line), wanted, "{line}");
        check("drop binance", Some(Order::Drop(Venue::Binance)));
        check(" garbage  coinbase ", Some(Order::Garbage(Venue::Coinbase)));
        let symbol = "BTC-USD".to_owned();
        check("skip coinbase BTC-USD", Some(Order::Skip(Venue::Coinbase, symbol.clone())));
        let freeze = Order::Freeze(Venue::Coinbase, symbol, Duration::from_millis(1_500));
        check("freeze coinbase BTC-USD 1500", Some(freeze));
        check("burst 5 100", Some(Order::Burst(5.0, Duration::from_millis(100))));
        for line in ["", "drop", "drop kraken", "burst NaN 1", "burst 5 601000", "drop binance x"] {
            check(line, None);
        }
    }
}
