//! One HTTP request, as plainly as it can be made.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 16 * 1_024 * 1_024;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// `GET path`: status and body.
///
/// # Errors
/// No answer, or one that is not HTTP.
pub async fn get(addr: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    let answer = raw(addr, request.as_bytes()).await?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").context("no end of the head")?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).context("no status")?;
    Ok((status, body.to_owned()))
}

/// Sends bytes and reads until the server closes.
///
/// # Errors
/// The connection fails, or the server does not close in time.
pub async fn raw(addr: SocketAddr, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let exchange = async {
        let mut stream = TcpStream::connect(addr).await?;
        // A server may refuse before everything is sent.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let mut limited = stream.take(ANSWER_BYTES_MAX);
        match limited.read_to_end(&mut answer).await {
            Ok(_) => Ok(answer),
            // A reset after the answer is a close too.
            Err(_) if !answer.is_empty() => Ok(answer),
            Err(error) => Err(error.into()),
        }
    };
    tokio::time::timeout(PATIENCE, exchange).await.context("no end of the answer in time")?
}
