//! Four WebSocket libraries as clients: `strict-clients <library> <host:port> <mode> <command>`.
//!
//! Connects to `/v1/stream`, sends the command, and prints every text message as a line until it is
//! killed. `mode` is what it offers: `plain`, `deflate`, or `small` (a window below the default).
//! It knows nothing of the protocol; the test that reads its output judges.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Write;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// What a client offers.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Plain,
    Deflate,
    Small,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [library, host, mode, command] = &arguments[..] else {
        return Err("usage: strict-clients <library> <host:port> <mode> <command>".into());
    };
    let mode = match mode.as_str() {
        "plain" => Mode::Plain,
        "deflate" => Mode::Deflate,
        "small" => Mode::Small,
        other => return Err(format!("{other} is no mode").into()),
    };
    match library.as_str() {
        "tungstenite" => tungstenite(host, command).await,
        "fastwebsockets" => fast(host, command).await,
        "yawc" => yawc(host, mode, command).await,
        "sockudo" => sockudo(host, command).await,
        other => Err(format!("{other} is no library").into()),
    }
}

fn print(text: &[u8]) -> Outcome {
    let mut out = std::io::stdout().lock();
    out.write_all(text)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Has no permessage-deflate.
async fn tungstenite(host: &str, command: &str) -> Outcome {
    use tokio_tungstenite::tungstenite::Message;
    let (mut socket, _) =
        tokio_tungstenite::connect_async(format!("ws://{host}/v1/stream")).await?;
    socket.send(Message::text(command)).await?;
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message? {
            print(text.as_bytes())?;
        }
    }
    Ok(())
}

struct Spawn;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawn {
    fn execute(&self, future: F) {
        tokio::spawn(future);
    }
}

/// Has no permessage-deflate.
async fn fast(host: &str, command: &str) -> Outcome {
    use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, handshake};
    let stream = TcpStream::connect(host).await?;
    let request = hyper::Request::get(format!("http://{host}/v1/stream"))
        .header("Host", host)
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", handshake::generate_key())
        .header("Sec-WebSocket-Version", "13")
        .body(http_body_util::Empty::<hyper::body::Bytes>::new())?;
    let (socket, _) = handshake::client(&Spawn, request, stream).await?;
    let mut socket = FragmentCollector::new(socket);
    socket.write_frame(Frame::text(Payload::Borrowed(command.as_bytes()))).await?;
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Text => print(&frame.payload)?,
            OpCode::Close => return Ok(()),
            _ => {}
        }
    }
}

async fn yawc(host: &str, mode: Mode, command: &str) -> Outcome {
    use yawc::{CompressionLevel, Frame, OpCode, Options, WebSocket};
    let deflate = || Options::default().with_compression_level(CompressionLevel::fast());
    let options = match mode {
        Mode::Plain => Options::default().without_compression(),
        Mode::Deflate => deflate(),
        Mode::Small => deflate().with_server_max_window_bits(9).with_client_max_window_bits(9),
    };
    let url = url::Url::parse(&format!("ws://{host}/v1/stream"))?;
    let mut socket = WebSocket::connect(url).with_options(options.with_utf8()).await?;
    socket.send(Frame::text(command.to_owned())).await?;
    while let Some(frame) = socket.next().await {
        if frame.opcode() == OpCode::Text {
            print(frame.payload())?;
        }
    }
    Ok(())
}

/// Its client offers no extension, whatever its configuration says.
async fn sockudo(host: &str, command: &str) -> Outcome {
    use sockudo_ws::client::WebSocketClient;
    use sockudo_ws::{Config, Http1, Message};
    let client = WebSocketClient::<Http1>::new(Config::default());
    let stream = TcpStream::connect(host).await?;
    let (mut socket, _) = client.connect(stream, host, "/v1/stream", None).await?;
    socket.send(Message::Text(command.to_owned().into())).await?;
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message? {
            print(&text)?;
        }
    }
    Ok(())
}
