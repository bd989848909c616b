//! The whole swarm against a server that lies on purpose, on loopback.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use fantail_model::{Body, Decimal, Event, Micros, Position, Side, Trade};
use fantail_wire::client::{Ack, Encoding, EventMessage, Reply, encode_event, encode_reply};
use fantail_wire::frame::Opcode;
use fantail_wire::frame::encode::{close_frame, server_frame};

use super::*;
use crate::handshake::switch;
use crate::report::Verdict;

const CHANNEL: &str = "trade:x:A-B";
const SOCKETS: usize = 12;
/// Long enough for what was written before the measurement to be followed by more.
const SECONDS: f64 = 0.5;

fn frame(payload: &[u8], out: &mut Vec<u8>) {
    server_frame(Opcode::Text, false, payload, out);
}

fn trade(prev: u64, seq: u64, now: i64, out: &mut Vec<u8>) {
    let body = Trade { id: "1".into(), price: Decimal::ZERO, size: Decimal::ZERO, side: Side::Buy };
    let event = Event {
        position: Position::new(1, seq),
        prev,
        reset: false,
        ts: None,
        rx: Micros(now),
        vseq: None,
        body: Body::Trade(body),
    };
    let (channel, tx) = (CHANNEL, Micros(now));
    let message =
        EventMessage { channel, ch: 1, tx, event: &event, crc: None, snapshot: false, n: None };
    let mut payload = Vec::new();
    encode_event(Encoding::Json, &message, &mut payload);
    frame(&payload, out);
}

/// Reads a handshake and a command, answers both.
fn welcome(stream: &mut TcpStream) {
    let (mut came, mut buffer) = (Vec::new(), [0; 4_096]);
    let mut answered = None;
    while answered.is_none_or(|bytes| came.len() == bytes) {
        let length = stream.read(&mut buffer).expect("the swarm");
        assert!(length > 0, "the swarm left early");
        came.extend_from_slice(&buffer[..length]);
        if answered.is_none()
            && let Some((answer, bytes)) = switch(&came).expect("a request")
        {
            stream.write_all(answer.as_bytes()).expect("the swarm");
            answered = Some(bytes);
        }
    }
    let (epoch, seq) = (Some(1), Some(0));
    let ack = Ack { channel: CHANNEL.into(), ch: 1, epoch, seq, resumed: false };
    let reply = Reply::Subscribed { id: None, channels: vec![ack], errors: Vec::new() };
    let (mut payload, mut out) = (Vec::new(), Vec::new());
    encode_reply(Encoding::Json, &reply, &mut payload);
    frame(&payload, &mut out);
    stream.write_all(&out).expect("the swarm");
}

/// Serves until the swarm leaves: bursts of the (prev, seq) that `burst` makes of the seq before.
fn serve(burst: fn(u64) -> Vec<(u64, u64)>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let mut streams: Vec<TcpStream> =
            listener.incoming().take(SOCKETS).map(|it| it.expect("a socket")).collect();
        streams.iter_mut().for_each(welcome);
        let clock = Clock::system();
        let mut last = 0;
        // Paced by the poll set of one that never speaks: about a thousand bursts a second.
        let mut poll = mio::Poll::new().expect("a poll set");
        let mut events = mio::Events::with_capacity(1);
        while !streams.is_empty() {
            let mut out = Vec::new();
            for (prev, seq) in burst(last) {
                trade(prev, seq, clock.wall_micros(), &mut out);
                last = last.max(seq);
            }
            if last == 0 {
                close_frame(4409, "TOO_SLOW", &mut out);
            }
            streams.retain_mut(|stream| stream.write_all(&out).is_ok());
            poll.poll(&mut events, Some(Duration::from_millis(1))).expect("waiting");
        }
    });
    addr
}

fn measure(addr: SocketAddr, threads: usize) -> Report {
    let mut plan = Plan::idle(SOCKETS, CHANNEL, SECONDS);
    (plan.threads, plan.settle_seconds) = (threads, 0.0);
    let target = Target { addr, host: addr.to_string() };
    let pid = Some(std::process::id());
    let config = SwarmConfig {
        plan,
        target,
        token: None,
        pid,
        server_cores: Vec::new(),
        baseline: None,
        admin: None,
        progress: false,
    };
    run(&config).expect("a run")
}

#[test]
fn a_truthful_server_is_clean() {
    let report = measure(serve(|last| vec![(last, last + 1), (last + 1, last + 2)]), 3);
    let losses = report.losses;
    assert!(losses.is_clean() && losses.gaps == 0, "{report}");
    assert!(report.deliveries > 0 && report.from_ingest.count == report.deliveries, "{report}");
    assert_ne!(report.verdict(), Verdict::Broken);
}

#[test]
fn planted_mistakes_are_caught() {
    // One of each in turn, so that every kind is told from the others.
    let lost = measure(serve(|last| vec![(last, last + 1), (last + 3, last + 4)]), 1);
    assert!(lost.losses.holes > 0 && lost.losses.lost >= 2 * lost.losses.holes, "{lost}");
    assert_eq!((lost.losses.duplicates, lost.losses.reordered), (0, 0), "{lost}");
    let repeated = measure(serve(|last| vec![(last, last + 1), (last, last + 1)]), 1);
    assert!(repeated.losses.duplicates > 0 && repeated.losses.holes == 0, "{repeated}");
    let late = measure(serve(|last| vec![(last + 1, last + 2), (last, last + 1)]), 1);
    assert!(late.losses.reordered > 0 && late.losses.lost == 0, "{late}");
    for report in [lost, repeated, late] {
        assert_eq!((report.verdict(), report.verdict().exit_code()), (Verdict::Broken, 2));
    }
}

#[test]
fn a_closed_socket_is_counted_by_its_code() {
    // Its first burst is a close, sent before or after the measurement's start; either way it ends.
    let report = measure(serve(|_| Vec::new()), 1);
    assert_eq!(report.deliveries, 0);
    assert!(report.closed.keys().all(|code| *code == 4409), "{report}");
}

#[test]
fn a_server_that_refuses_ends_the_run_with_its_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().take(SOCKETS) {
            let mut stream = stream.expect("a socket");
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(b"HTTP/1.1 429 Too Many Requests\r\n\r\n{\"code\":\"X\"}");
        }
    });
    let config = SwarmConfig {
        plan: Plan::idle(SOCKETS, CHANNEL, SECONDS),
        target: Target { addr, host: addr.to_string() },
        token: None,
        pid: None,
        server_cores: Vec::new(),
        baseline: None,
        admin: None,
        progress: false,
    };
    let error = format!("{:#}", run(&config).expect_err("a refusal"));
    assert!(error.contains("refused: HTTP/1.1 429"), "{error}");
}
