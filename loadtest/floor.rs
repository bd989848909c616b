//! The yardstick: pre-made frames, a loop of `send(2)`, nothing else.
//!
//! It shakes hands and acknowledges just enough for the same swarm to read it, then sends each
//! socket the same bytes on the arrival schedule that is asked for. Seq and times are patched into
//! fixed places, so the swarm checks and times it like a server.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::Context;
use fantail_ops::clock::Clock;
use fantail_wire::frame::Opcode;
use fantail_wire::frame::encode::server_frame;
use mio::{Events, Poll};

use crate::cli::FloorArgs;

/// The answer to every handshake: the swarm's key is always the same.
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                      Connection: Upgrade\r\nSec-WebSocket-Protocol: fantail.v1.json\r\n\r\n";
/// Fixed-width places in a message of about 200 bytes.
const MESSAGE: &str = "{\"type\":\"trade\",\"channel\":\"trade:binance:BTC-USDT\",\"seq\":1000000000,\
                       \"prev\":1000000000,\"ts\":1000000000000000,\"rx\":1000000000000000,\
                       \"tx\":1000000000000000,\"id\":\"787231605\",\"price\":\"67008.91\",\
                       \"size\":\"0.19216\",\"side\":\"sell\"}";
/// Longest wait for the swarm to arrive.
const ARRIVAL: Duration = Duration::from_secs(60);

/// Serves until its time is over.
///
/// # Errors
/// The address, or sockets that did not arrive.
pub fn run(args: &FloorArgs) -> anyhow::Result<()> {
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
    send(&mut sockets, args)
}

/// Reads a handshake and a subscription, and answers the former.
fn welcome(mut stream: TcpStream) -> anyhow::Result<TcpStream> {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") && request.len() < 16_384 {
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    stream.write_all(SWITCH.as_bytes())?;
    let mut subscription = [0; 4_096];
    anyhow::ensure!(stream.read(&mut subscription)? > 0, "a socket left before it subscribed");
    Ok(stream)
}

fn send(sockets: &mut [TcpStream], args: &FloorArgs) -> anyhow::Result<()> {
    let clock = Clock::system();
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1));
    let period = Duration::try_from_secs_f64(args.burst as f64 / args.rate).context("--rate")?;
    let (started, mut next, mut seq) = (clock.monotonic(), clock.monotonic(), 1_000_000_000_u64);
    let mut frames = Vec::new();
    while (clock.monotonic() - started).as_secs_f64() < args.seconds {
        next += period;
        frames.clear();
        let now = clock.wall_micros();
        for _ in 0..args.burst {
            seq += 1;
            server_frame(Opcode::Text, false, message(seq, now).as_bytes(), &mut frames);
        }
        for socket in sockets.iter_mut() {
            // A socket that is full or gone would make the yardstick lose; the swarm sees it.
            let _ = socket.write(&frames);
        }
        let left = next.saturating_sub(clock.monotonic());
        if !left.is_zero() {
            poll.poll(&mut events, Some(left))?;
        }
    }
    Ok(())
}

fn message(seq: u64, now: i64) -> String {
    MESSAGE
        .replacen("1000000000", &format!("{seq:010}"), 1)
        .replacen("\"prev\":1000000000", &format!("\"prev\":{:010}", seq - 1), 1)
        .replace("1000000000000000", &format!("{now:016}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::scan;

    #[test]
    fn its_messages_are_checked_and_timed_like_a_servers() {
        let text = message(1_000_000_007, 1_790_000_000_000_001);
        let seen = scan(text.as_bytes()).expect("an event");
        assert_eq!((seen.seq, seen.prev), (1_000_000_007, 1_000_000_006));
        assert_eq!((seen.rx, seen.tx), (1_790_000_000_000_001, 1_790_000_000_000_001));
        assert_eq!(text.len(), MESSAGE.len());
    }
}
