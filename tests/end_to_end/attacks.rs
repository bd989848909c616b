//! Hostile bytes on real sockets: the stated answer, the connection gone soon after, and everybody
//! else undisturbed. Row ids are those of the fault catalogue.

use std::net::SocketAddr;
use std::time::Duration;

use fantail_tests::harness::client::{Client, Options};
use fantail_tests::harness::http;
use fantail_tests::harness::stage::Server;
use fantail_wire::frame::encode::{client_fragment, client_frame};
use fantail_wire::frame::header::Lead;
use fantail_wire::frame::{Decoder, Inflater, Limits, Message, Opcode, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MASK: [u8; 4] = [1, 2, 3, 4];
/// A close must be followed by the end of the connection within this.
const GONE: Duration = Duration::from_secs(3);

/// Shakes hands on a bare socket.
async fn upgraded(addr: SocketAddr, extra: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.expect("a connection");
    let request = format!(
        "GET /v1/stream HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{extra}\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// Sends bytes; the close code and reason that come, once the server has closed the connection.
async fn close_of(mut stream: TcpStream, bytes: &[u8]) -> Option<(u16, String)> {
    // The server may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let reading = async {
        let (mut decoder, mut inflater) = (
            Decoder::new(
                Role::Client,
                Limits { message_bytes_max: 1 << 24, fragments_max: 4 },
                true,
            ),
            Inflater::new(),
        );
        let (mut buffer, mut close) = (vec![0; 65_536], None);
        loop {
            let length = match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return close,
                Ok(length) => length,
            };
            let mut input = &mut buffer[..length];
            while !input.is_empty() {
                let step =
                    decoder.feed(input, &mut inflater).expect("the server keeps to the rules");
                if let Some(Message::Close { code, reason }) = step.message {
                    close = Some((code.unwrap_or(1005), reason.to_owned()));
                }
                let consumed = step.consumed;
                input = &mut input[consumed..];
            }
        }
    };
    tokio::time::timeout(GONE, reading).await.expect("the connection ends soon")
}

fn frame(opcode: Opcode, rsv1: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    client_frame(opcode, rsv1, payload, MASK, &mut out);
    out
}

fn fragments(count: usize, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for number in 0..count {
        let opcode = if number == 0 { Opcode::Text } else { Opcode::Continuation };
        client_fragment(Lead { fin: false, rsv1: false, opcode }, bytes, MASK, &mut out);
    }
    out
}

/// Every attack of the table on one server, while a witness reads on without a loss.
async fn attacked(server: &Server, extra: &str, table: &[(&str, Vec<u8>, &[u16])]) {
    let addr = server.addr();
    let mut witness = Client::connect(addr, Options::default()).await.expect("in");
    witness.follow(&["book:*:*", "trade:*:*"]).await.expect("followed");
    for (name, bytes, codes) in table {
        let close = close_of(upgraded(addr, extra).await, bytes).await;
        let code = close.as_ref().map(|(code, _)| *code);
        assert!(code.is_some_and(|code| codes.contains(&code)), "{name}: {close:?}");
        assert!(close.is_some_and(|(_, reason)| reason.contains(": ")), "{name}: a reason");
    }
    for _ in 0..50 {
        witness.message().await.expect("the witness reads on");
    }
    assert_eq!(witness.holes, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w01_to_w12_broken_frames_are_closed_with_their_code() {
    let server = Server::start(&[]).await.expect("a server");
    let text = |bytes: &[u8]| frame(Opcode::Text, false, bytes);
    let raw = |bytes: &[u8]| bytes.to_vec();
    let big = vec![b' '; 65_537];
    let table: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("w01 unmasked", raw(&[0x81, 2, b'h', b'i']), &[1002]),
        ("w02 rsv1 without deflate", frame(Opcode::Text, true, b"{}"), &[1002]),
        ("w02 rsv2", raw(&[0xa1, 0x80, 1, 2, 3, 4]), &[1002]),
        ("w03 reserved opcode", raw(&[0x83, 0x80, 1, 2, 3, 4]), &[1002]),
        ("w04 long ping", raw(&[0x89, 0xfe, 0, 126, 1, 2, 3, 4]), &[1002]),
        ("w04 fragmented ping", raw(&[0x09, 0x80, 1, 2, 3, 4]), &[1002]),
        ("w05 continuation of nothing", raw(&[0x80, 0x80, 1, 2, 3, 4]), &[1002]),
        ("w05 new message inside one", [fragments(1, b"{"), text(b"{}")].concat(), &[1002]),
        ("w06 top bit", raw(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4]), &[1002]),
        ("w06 not minimal", raw(&[0x82, 0xfe, 0, 5, 1, 2, 3, 4]), &[1002]),
        (
            "w07 declared gibibyte",
            raw(&[0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]),
            &[1009],
        ),
        ("w08 one byte too long", text(&big), &[1009]),
        ("w08 the same in fragments", fragments(3, &big[..30_000]), &[1009]),
        ("w09 endless empty fragments", fragments(1_000, b""), &[1008]),
        ("w11 no utf-8", text(&[0xc0, 0xaf]), &[1007]),
        ("w11 surrogate", text(&[0xed, 0xa0, 0x80]), &[1007]),
        ("w12 close code 1005", frame(Opcode::Close, false, &1005_u16.to_be_bytes()), &[1002]),
        ("w12 one-byte close", frame(Opcode::Close, false, &[3]), &[1002]),
        ("w19 binary to json", frame(Opcode::Binary, false, b"{}"), &[1003]),
    ];
    attacked(&server, "", &table).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w13_w14_hostile_deflate() {
    let server = Server::start(&[]).await.expect("a server");
    let mut deflate = flate2::Compress::new(flate2::Compression::best(), false);
    let mut bomb = Vec::with_capacity(1 << 20);
    let zeros = vec![b' '; 16 << 20];
    deflate.compress_vec(&zeros, &mut bomb, flate2::FlushCompress::Sync).expect("compressed");
    bomb.truncate(bomb.len() - 4);
    let table: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("w13 bomb", frame(Opcode::Text, true, &bomb), &[1009]),
        ("w14 garbage", frame(Opcode::Text, true, &[0xff; 40]), &[1007]),
    ];
    attacked(&server, "Sec-WebSocket-Extensions: permessage-deflate\r\n", &table).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w08_w10_w14_what_is_allowed_works() {
    let server = Server::start(&[]).await.expect("a server");
    let addr = server.addr();
    // W10: a command one byte at a time.
    let mut slow = upgraded(addr, "").await;
    for byte in frame(Opcode::Text, false, br#"{"op":"ping","id":"slow"}"#) {
        slow.write_all(&[byte]).await.expect("sent");
    }
    assert!(heard(&mut slow, "\"pong\"").await);
    // W14: a compressed command whose block says it is the last.
    let mut final_block = upgraded(addr, "Sec-WebSocket-Extensions: permessage-deflate\r\n").await;
    let mut deflate = flate2::Compress::new(flate2::Compression::fast(), false);
    let mut compressed = Vec::with_capacity(256);
    let command = br#"{"op":"ping","id":"last"}"#;
    deflate.compress_vec(command, &mut compressed, flate2::FlushCompress::Finish).expect("done");
    final_block.write_all(&frame(Opcode::Text, true, &compressed)).await.expect("sent");
    assert!(heard(&mut final_block, "\"last\"").await);
    // W08: a command of exactly the limit is read (and refused as JSON, not as a frame).
    let mut full = upgraded(addr, "").await;
    full.write_all(&frame(Opcode::Text, false, &vec![b' '; 65_536])).await.expect("sent");
    assert!(heard(&mut full, "BAD_REQUEST").await);
}

/// Reads until a text was seen.
async fn heard(stream: &mut TcpStream, wanted: &str) -> bool {
    let reading = async {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 65_536]);
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return false,
                Ok(length) => all.extend_from_slice(&buffer[..length]),
            }
            if String::from_utf8_lossy(&all).contains(wanted) {
                return true;
            }
        }
    };
    tokio::time::timeout(GONE, reading).await.unwrap_or(false)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w16_a_ping_flood_ends_with_1008() {
    let server = Server::start(&[]).await.expect("a server");
    let flood = frame(Opcode::Ping, false, &[7; 125]).repeat(2_000);
    attacked(&server, "", &[("w16 ping flood", flood, &[1008])]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w17_a_client_that_never_answers_is_closed() {
    let server = Server::start(&["gateway.heartbeat=200ms"]).await.expect("a server");
    let close = close_of(upgraded(server.addr(), "").await, &[]).await;
    assert!(matches!(&close, Some((4408, reason)) if reason.starts_with("HEARTBEAT_MISSED")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h02_h03_h05_bad_handshakes_are_refused_and_closed() {
    let server = Server::start(&[]).await.expect("a server");
    let addr = server.addr();
    let good = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let many = "X-A: b\r\n".repeat(2_000);
    let long = format!("X-Long: {}\r\n", "a".repeat(1_000_000));
    let table = [
        ("h02 many headers", format!("{good}{many}"), "431"),
        ("h02 long header", format!("{good}{long}"), "431"),
        ("h03 no upgrade", good.replace("Upgrade: websocket\r\n", ""), "400"),
        ("h03 no key", good.replace("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", ""), "400"),
        ("h03 short key", good.replace("AAAAAAAAAAAAAAAAAAAAAA==", "AAAA"), "400"),
        ("h03 old version", good.replace("Version: 13", "Version: 8"), "426"),
        ("h03 bad connection", good.replace("Connection: Upgrade", "Connection: close"), "400"),
    ];
    for (name, headers, status) in table {
        // H05: what follows a refused upgrade is never read as a request.
        let request = format!(
            "GET /v1/stream HTTP/1.1\r\nHost: {addr}\r\n{headers}\r\n\
             GET /v1/status HTTP/1.1\r\nHost: {addr}\r\n\r\n"
        );
        let answer = http::raw(addr, request.as_bytes()).await.expect(name);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{name}: {answer:.300}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{name}: {answer:.600}");
    }
    // Frames that come in one piece with the handshake are read as frames.
    let mut together =
        format!("GET /v1/stream HTTP/1.1\r\nHost: {addr}\r\n{good}\r\n").into_bytes();
    together.extend(frame(Opcode::Text, false, br#"{"op":"ping","id":"early"}"#));
    let mut stream = TcpStream::connect(addr).await.expect("a connection");
    stream.write_all(&together).await.expect("sent");
    assert!(heard(&mut stream, "\"early\"").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a20_admin_paths_are_not_on_the_public_port() {
    let server = Server::start(&[]).await.expect("a server");
    for path in ["/metrics", "/live", "/ready", "/closes", "/log-level", "/v1/sessions", "/drain"] {
        let (status, _) = http::get(server.addr(), path).await.expect(path);
        assert_eq!(status, 404, "{path}");
        let (status, _) = http::get(server.admin(), path).await.expect(path);
        assert!(matches!(status, 200 | 405), "{path}: {status}");
    }
}
