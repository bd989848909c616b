//! Recorded files to a [`Script`]. Input: paths, in order; output: entries in playing order.
//!
//! Each line says itself what it is:
//! * hftbacktest: `<local ns> <json>`; the json is a combined frame, or a bare REST depth answer
//!   whose symbol is the file's;
//! * cryptofeed: `<epoch s>: <json>` received, `<url> -> <epoch s>: <body>` a REST answer; lines
//!   of what the client sent, of opening, and of the configuration are passed over. The files of
//!   one recording (same folder and first part of the name) are merged by time;
//! * `{"t":…,"m":…}`: what `fantail tap --record` wrote, see [`taplog`](super::taplog).
//!
//! Lines it can't read are counted and passed over; a file with none readable is an error.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::super::{Venue, limits};
use super::script::{Entry, Kind, Script, What};
use super::taplog;

/// Reads all files. Blocking: call it where that is allowed.
pub(in crate::simulator) fn read(files: &[PathBuf]) -> io::Result<Script> {
    let mut reader = Reader::default();
    let mut groups: Vec<(String, Vec<Entry>)> = Vec::new();
    for file in files {
        let entries = reader.file(file)?;
        let group = group_of(file);
        match groups.iter_mut().find(|(name, _)| *name == group) {
            Some((_, held)) => held.extend(entries),
            None => groups.push((group, entries)),
        }
    }
    for (name, mut entries) in groups {
        if name.starts_with("merged ") {
            entries.sort_by_key(|entry| entry.at_us);
        }
        reader.script.entries.extend(entries);
    }
    let listings = std::mem::take(&mut reader.listings);
    for (venue, listed) in listings {
        reader.script.listings(venue, &listed);
    }
    if reader.script.entries.is_empty() {
        return Err(bad("the files hold no message of Binance or Coinbase".to_owned()));
    }
    Ok(reader.script)
}

#[derive(Default)]
struct Reader {
    script: Script,
    listings: HashMap<Venue, HashMap<String, String>>,
    bytes: usize,
}

/// What one file gave.
struct Page<'a> {
    /// For answers without a symbol: the file's name up to the first `_`.
    symbol: &'a str,
    entries: Vec<Entry>,
    readable: usize,
    unreadable: usize,
}

impl Reader {
    fn file(&mut self, path: &Path) -> io::Result<Vec<Entry>> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let symbol = name.split(['_', '.']).next().unwrap_or_default().to_ascii_uppercase();
        let mut page = Page { symbol: &symbol, entries: Vec::new(), readable: 0, unreadable: 0 };
        let mut input = open(path)?;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = input.by_ref().take(limits::LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
            if read == 0 {
                break;
            }
            self.bytes += read;
            if self.bytes > limits::RECORDING_BYTES_MAX {
                return Err(bad(format!(
                    "more than {} bytes to play",
                    limits::RECORDING_BYTES_MAX
                )));
            }
            match std::str::from_utf8(&line).map(str::trim) {
                Ok("") => {}
                Ok(text) => match self.line(text, &mut page) {
                    Some(()) => page.readable += 1,
                    None => page.unreadable += 1,
                },
                Err(_) => page.unreadable += 1,
            }
        }
        if page.unreadable > 0 {
            tracing::warn!(file = name, lines = page.unreadable, "recorded lines not understood");
        }
        if page.readable == 0 {
            return Err(bad(format!("{name}: not a recording this version can play")));
        }
        Ok(page.entries)
    }

    /// `None` when the line is not understood.
    fn line(&mut self, line: &str, page: &mut Page<'_>) -> Option<()> {
        if line.starts_with('{') {
            let entries = taplog::entries(line, &mut self.script)?;
            page.entries.extend(entries);
            return Some(());
        }
        if line.starts_with(|first: char| first.is_ascii_digit()) {
            let (stamp, message) = line.split_once(' ')?;
            let at_us = match stamp.strip_suffix(':') {
                Some(seconds) => micros_of_seconds(seconds)?,
                None => micros_of_integer(stamp)?,
            };
            return self.message(at_us, message, page);
        }
        match line.split_once(" -> ") {
            Some((url, rest)) => {
                let (stamp, body) = rest.split_once(": ")?;
                self.rest(url, micros_of_seconds(stamp)?, body, page)
            }
            None if line.contains(" <-> ") || line.contains(" <- ") => Some(()),
            None => line.starts_with("configuration:").then_some(()),
        }
    }

    fn message(&mut self, at_us: i64, message: &str, page: &mut Page<'_>) -> Option<()> {
        if message.starts_with("{\"lastUpdateId\"") {
            return self.depth(at_us, page.symbol, message, page);
        }
        if let Ok(frame) = serde_json::from_str::<Combined<'_>>(message) {
            let entry = stream_entry(&mut self.script, at_us, message, &frame)?;
            page.entries.push(entry);
            return Some(());
        }
        let feed: Feed<'_> = serde_json::from_str(message).ok()?;
        if let Some(kind) = kind_of(feed.kind) {
            let product = self.script.product(feed.product_id?, kind, message);
            page.entries
                .push(Entry { at_us, what: What::Feed { product, kind, text: message.into() } });
        }
        Some(())
    }

    fn rest(&mut self, url: &str, at_us: i64, body: &str, page: &mut Page<'_>) -> Option<()> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        if path.ends_with("/api/v3/depth") {
            let symbol = super::super::rest::value(query, "symbol")?;
            return self.depth(at_us, &symbol, body, page);
        }
        let (venue, rows) = if path.ends_with("/api/v3/exchangeInfo") {
            (Venue::Binance, serde_json::from_str::<ExchangeInfo>(body).ok()?.symbols)
        } else if path.ends_with("/products") {
            (Venue::Coinbase, serde_json::from_str::<Vec<Box<RawValue>>>(body).ok()?)
        } else {
            return None;
        };
        let held = self.listings.entry(venue).or_default();
        for row in rows {
            let listed: Listed<'_> = serde_json::from_str(row.get()).ok()?;
            held.insert(listed.symbol.or(listed.id)?.to_owned(), row.get().to_owned());
        }
        Some(())
    }

    fn depth(&mut self, at_us: i64, symbol: &str, body: &str, page: &mut Page<'_>) -> Option<()> {
        let symbol = self.script.depth(symbol, body);
        page.entries.push(Entry { at_us, what: What::Depth { symbol, body: body.into() } });
        Some(())
    }
}

/// A combined frame.
#[derive(Deserialize)]
pub(super) struct Combined<'a> {
    stream: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Feed<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    product_id: Option<&'a str>,
}

#[derive(Deserialize)]
struct ExchangeInfo {
    symbols: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Listed<'a> {
    symbol: Option<&'a str>,
    id: Option<&'a str>,
}

/// Notes where the payload lies in the frame, which stays as it is.
pub(super) fn stream_entry(
    script: &mut Script,
    at_us: i64,
    text: &str,
    frame: &Combined<'_>,
) -> Option<Entry> {
    let start = (frame.data.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let data = start..start + frame.data.get().len();
    text.get(data.clone())?;
    let stream = script.stream(frame.stream, frame.data);
    Some(Entry { at_us, what: What::Stream { stream, text: Utf8Bytes::from(text), data } })
}

/// `None` for control messages, which the simulator makes itself.
fn kind_of(kind: &str) -> Option<Kind> {
    Some(match kind {
        "snapshot" => Kind::Snapshot,
        "l2update" => Kind::Update,
        "match" => Kind::Match,
        "last_match" => Kind::LastMatch,
        "ticker" => Kind::Ticker,
        "heartbeat" => Kind::Heartbeat,
        _ => return None,
    })
}

/// Nanoseconds, microseconds or milliseconds, told by the number of digits.
fn micros_of_integer(stamp: &str) -> Option<i64> {
    let value: i64 = stamp.parse().ok()?;
    Some(match stamp.len() {
        19.. => value / 1_000,
        16..=18 => value,
        13..=15 => value * 1_000,
        _ => value.checked_mul(1_000_000)?,
    })
}

/// `1633998512.0633569`, without a float.
fn micros_of_seconds(stamp: &str) -> Option<i64> {
    let (seconds, part) = stamp.split_once('.').unwrap_or((stamp, ""));
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    seconds.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(part.parse().ok()?)
}

/// Cryptofeed's files of one recording belong together; any other file stands alone.
fn group_of(path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let folder = path.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    match name.split_once('.') {
        Some((first, rest))
            if rest == "0.gz" || rest.starts_with("http.") || rest.starts_with("ws.") =>
        {
            format!("merged {folder}/{first}")
        }
        _ => path.display().to_string(),
    }
}

/// Gzip or plain, told by the first bytes.
fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut plain = BufReader::new(File::open(path)?);
    if plain.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(BufReader::new(MultiGzDecoder::new(plain))));
    }
    Ok(Box::new(plain))
}

fn bad(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
