//! HTTP over one connection per request, byte for byte as a test writes it.
//!
//! Owns no rules of HTTP: it sends what it is told and reads until the server closes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The slowest answer that is still one.
const LIMIT: Duration = Duration::from_secs(20);

/// An answer, read to the end of the connection.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// Its headers, names in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// Its body.
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("no JSON: {}", self.body))
    }

    /// The code of an error in the one shape that REST and handshakes share.
    pub(crate) fn error(&self) -> anyhow::Result<String> {
        let body = self.json()?;
        let error = &body["error"];
        ensure!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        ensure!(error["details"].is_object(), "{body}");
        ensure!(error["request_id"].is_string(), "{body}");
        Ok(error["code"].as_str().context("no code")?.to_owned())
    }
}

/// `GET` with some headers.
pub(crate) async fn get(
    addr: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> anyhow::Result<Answer> {
    request(addr, "GET", path, headers).await
}

/// `GET` of an anonymous client, as JSON; anything but 200 is an error.
pub(crate) async fn json(addr: SocketAddr, path: &str) -> anyhow::Result<Value> {
    let answer = get(addr, path, &[]).await?;
    ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body);
    answer.json()
}

/// Any method without a body.
pub(crate) async fn request(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> anyhow::Result<Answer> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let answer = exchange(addr, text.as_bytes()).await?;
    parse(&answer).with_context(|| format!("{method} {path}: {answer:?}"))
}

/// Sends bytes and reads until the server closes.
pub(crate) async fn exchange(addr: SocketAddr, bytes: &[u8]) -> anyhow::Result<String> {
    let talk = async {
        let mut stream = TcpStream::connect(addr).await?;
        // A server that refuses early closes while we still write; what it said counts.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let mut piece = vec![0; 64 * 1_024];
        while let Ok(count) = stream.read(&mut piece).await
            && count > 0
        {
            answer.extend_from_slice(&piece[..count]);
        }
        anyhow::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    tokio::time::timeout(LIMIT, talk).await.context("the server did not close")?
}

/// Cuts one answer.
pub(crate) fn parse(text: &str) -> anyhow::Result<Answer> {
    let (head, body) = text.split_once("\r\n\r\n").context("no end of the head")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?;
    let header = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_ascii_lowercase(), value.to_owned()))
    };
    let headers = lines.filter_map(header).collect();
    Ok(Answer { status: status.parse()?, headers, body: body.to_owned() })
}

/// The figures of the admin listener: series with their labels, and their values.
pub(crate) async fn metrics(admin: SocketAddr) -> anyhow::Result<Vec<(String, f64)>> {
    let answer = get(admin, "/metrics", &[]).await?;
    ensure!(answer.status == 200, "{}", answer.body);
    let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
    let figure = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    Ok(lines.filter_map(figure).collect())
}

/// The sum of the series of a name, whose labels contain all of these.
pub(crate) fn sum(figures: &[(String, f64)], name: &str, labels: &[&str]) -> f64 {
    let is_of = |series: &str| {
        let rest = series.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
            && labels.iter().all(|label| series.contains(label))
    };
    figures.iter().filter(|(series, _)| is_of(series)).map(|(_, value)| value).sum()
}
