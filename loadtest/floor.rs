//! The yardstick: pre-made frames, a loop of `send(2)`, nothing else.
//!
//! It shakes hands and acknowledges just enough for the same swarm to read it, then sends each
//! socket the same bytes on the arrival schedule that is asked for. Seq and times are patched into
//! fixed places of the frames, so the swarm checks and times it like a server. With `--io-uring`
//! the same bytes leave by another door: see `uring`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::Context;
use fantail_ops::clock::Clock;
use fantail_wire::client::{Ack, Encoding, Reply, encode_reply};
use fantail_wire::frame::Opcode;
use fantail_wire::frame::encode::server_frame;
use mio::{Events, Poll};

use crate::cli::FloorArgs;
use crate::handshake::switch;
#[cfg(target_os = "linux")]
use crate::uring::Ring;

/// What the swarm subscribes to.
const CHANNEL: &str = "trade:binance:BTC-USDT";
/// A message of the demo's size, with places of fixed width.
const MESSAGE: &str = "{\"type\":\"trade\",\"channel\":\"trade:binance:BTC-USDT\",\"seq\":1000000,\
                       \"prev\":1000000,\"ts\":1000000000000000,\"rx\":1000000000000000,\
                       \"tx\":1000000000000000,\"id\":\"787231\",\"price\":\"67008.91\",\
                       \"size\":\"0.19216\",\"side\":\"sell\"}";
/// First seq: all that follow have as many digits.
const SEQ_START: u64 = 1_000_000;
/// Digits of a seq, and of a time in µs.
const SEQ_DIGITS: usize = 7;
const TIME_DIGITS: usize = 16;
/// Last seq with so many digits: most messages of a floor's life.
const SEQ_END: u64 = 9_999_999;
/// Longest wait for the swarm to arrive.
const ARRIVAL: Duration = Duration::from_secs(60);
/// Most messages that leave together.
const BURST_MAX: usize = 1_024;

/// Serves until its time is over.
///
/// # Errors
/// The address, or sockets that did not arrive.
pub fn run(args: &FloorArgs) -> anyhow::Result<()> {
    let messages = args.rate * args.seconds;
    let room = (SEQ_END - SEQ_START) as f64;
    anyhow::ensure!(messages <= room, "--rate × --seconds: at most {room} messages");
    anyhow::ensure!((1..=BURST_MAX).contains(&args.burst), "--burst: 1 to {BURST_MAX}");
    let listener = TcpListener::bind(args.listen).context("the floor's address")?;
    println!("{}", listener.local_addr()?);
    let mut sockets = Vec::with_capacity(args.sockets);
    while sockets.len() < args.sockets {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ARRIVAL))?;
        sockets.push(welcome(stream)?);
    }
    for socket in &sockets {
        socket.set_nonblocking(true)?;
    }
    match args.io_uring {
        false => send(args, |bytes| {
            for socket in &mut sockets {
                // A socket that is full or gone would make the yardstick lose; the swarm sees it.
                let _ = socket.write(bytes);
            }
            Ok(())
        }),
        true => together(&sockets, args),
    }
}

/// The same sends, a chunk of them in one call to the kernel.
#[cfg(target_os = "linux")]
fn together(sockets: &[TcpStream], args: &FloorArgs) -> anyhow::Result<()> {
    let mut ring = Ring::new(sockets, args.ring_chunk)?;
    // As above: what is short is seen by the swarm.
    send(args, |bytes| ring.send(bytes).map(drop))
}

#[cfg(not(target_os = "linux"))]
fn together(_sockets: &[TcpStream], _args: &FloorArgs) -> anyhow::Result<()> {
    anyhow::bail!("io_uring is Linux's")
}

/// Reads a handshake and a subscription, and answers both.
fn welcome(mut stream: TcpStream) -> anyhow::Result<TcpStream> {
    let (mut came, mut buffer) = (Vec::new(), [0; 4_096]);
    let mut more = |came: &mut Vec<u8>, stream: &mut TcpStream| -> anyhow::Result<()> {
        let length = stream.read(&mut buffer).context("waiting for the swarm")?;
        anyhow::ensure!(length > 0, "a socket left before it subscribed");
        came.extend_from_slice(&buffer[..length]);
        Ok(())
    };
    let bytes = loop {
        more(&mut came, &mut stream)?;
        if let Some((answer, bytes)) = switch(&came)? {
            stream.write_all(answer.as_bytes())?;
            break bytes;
        }
    };
    if came.len() == bytes {
        more(&mut came, &mut stream)?;
    }
    let ack = Ack { channel: CHANNEL.into(), ch: 1, epoch: Some(1), seq: None, resumed: false };
    let reply = Reply::Subscribed { id: None, channels: vec![ack], errors: Vec::new() };
    let (mut payload, mut frame) = (Vec::new(), Vec::new());
    encode_reply(Encoding::Json, &reply, &mut payload);
    server_frame(Opcode::Text, false, &payload, &mut frame);
    stream.write_all(&frame)?;
    Ok(stream)
}

/// The schedule: at each of its moments, what is due is patched and handed to `write`.
fn send(
    args: &FloorArgs,
    mut write: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let clock = Clock::system();
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1));
    let period = Duration::try_from_secs_f64(args.burst as f64 / args.rate).context("--rate")?;
    let mut frames = Frames::new(args.burst);
    let (started, mut next) = (clock.monotonic(), clock.monotonic());
    while (clock.monotonic() - started).as_secs_f64() < args.seconds {
        next += period;
        frames.patch(clock.wall_micros());
        write(&frames.bytes)?;
        let left = next.saturating_sub(clock.monotonic());
        if !left.is_zero() {
            poll.poll(&mut events, Some(left))?;
        }
    }
    Ok(())
}

/// A burst of frames as it leaves.
struct Frames {
    bytes: Vec<u8>,
    /// Bytes of each.
    length: usize,
    /// Where in each of them its places are.
    places: Places,
    seq: u64,
}

/// Offsets of the digits.
struct Places {
    seq: usize,
    prev: usize,
    times: [usize; 3],
}

impl Frames {
    fn new(burst: usize) -> Self {
        let mut bytes = Vec::new();
        server_frame(Opcode::Text, false, MESSAGE.as_bytes(), &mut bytes);
        let head = bytes.len() - MESSAGE.len();
        // The keys are in MESSAGE.
        let after = |key: &str| head + MESSAGE.find(key).map_or(0, |at| at + key.len());
        let times = ["\"ts\":", "\"rx\":", "\"tx\":"].map(after);
        let places = Places { seq: after("\"seq\":"), prev: after("\"prev\":"), times };
        let length = bytes.len();
        Self { bytes: bytes.repeat(burst), length, places, seq: SEQ_START }
    }

    /// The next messages, all of this moment.
    fn patch(&mut self, now: i64) {
        let now = now.unsigned_abs();
        for frame in self.bytes.chunks_exact_mut(self.length) {
            digits(&mut frame[self.places.prev..][..SEQ_DIGITS], self.seq);
            self.seq += 1;
            digits(&mut frame[self.places.seq..][..SEQ_DIGITS], self.seq);
            for time in self.places.times {
                digits(&mut frame[time..][..TIME_DIGITS], now);
            }
        }
    }
}

/// Writes a number over a place of fixed width.
fn digits(place: &mut [u8], mut value: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::scan;

    #[test]
    fn its_messages_are_checked_and_timed_like_a_servers() {
        let mut frames = Frames::new(3);
        frames.patch(1_790_000_000_000_001);
        frames.patch(1_790_000_000_000_002);
        for (number, frame) in frames.bytes.chunks_exact(frames.length).enumerate() {
            let seen = scan(&frame[frames.length - MESSAGE.len()..]).expect("an event");
            let seq = SEQ_START + 4 + number as u64;
            assert_eq!((seen.seq, seen.prev), (seq, seq - 1));
            assert_eq!((seen.rx, seen.tx), (1_790_000_000_000_002, 1_790_000_000_000_002));
            assert_eq!(seen.channel, CHANNEL.as_bytes());
        }
    }
}
