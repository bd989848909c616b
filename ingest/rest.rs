//! A venue's REST side: requests within its weight, answers by a bounded queue.
//!
//! Each request is a task of its own, so that a slow one holds up nobody; how many may exist is
//! bounded by who asks (one per symbol and purpose) and how many run by a semaphore. Answers are
//! read (parsed) in that task too: the largest are many megabytes.

use std::sync::Arc;
use std::time::Duration;

use fantail_model::{Candle, Micros};
use fantail_ops::clock::Clock;
use fantail_ops::shutdown::Shutdown;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::{Semaphore, mpsc};

use crate::IngestError;
use crate::connection::Pace;
use crate::limits;
use crate::venue::{Listed, PastTrade, Request, Snapshot, Venue};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// All instruments.
    Instruments,
    /// The book of a market.
    Snapshot { market: usize },
    /// The newest trades of a market.
    Trades { market: usize },
    /// Candles for one of a market's builders.
    Candles { market: usize, builder: usize },
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) purpose: Purpose,
    pub(crate) rx: Micros,
    pub(crate) result: Result<Content, RestError>,
}

/// A readable answer.
#[derive(Debug)]
pub(crate) enum Content {
    Instruments(Vec<Listed>),
    Snapshot(Snapshot),
    Candles(Vec<Candle>),
    Trades(Vec<PastTrade>),
}

/// A request that brought nothing: the venue's fault or the network's; it is asked again.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct RestError {
    pub(crate) reason: String,
    pub(crate) retry_after: Option<Duration>,
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// A venue's REST client with its budget.
pub(crate) struct Rest {
    venue: Arc<dyn Venue>,
    client: HttpClient,
    pace: Pace,
    permits: Arc<Semaphore>,
    answers: mpsc::Sender<Answer>,
    clock: Clock,
    shutdown: Shutdown,
}

impl RestError {
    fn new(reason: impl ToString) -> Self {
        Self { reason: reason.to_string(), retry_after: None }
    }
}

impl Rest {
    pub(crate) fn new(
        venue: Arc<dyn Venue>,
        weight_per_minute: u32,
        answers: mpsc::Sender<Answer>,
        clock: Clock,
        shutdown: Shutdown,
    ) -> Result<Self, IngestError> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(|error| IngestError::Tls(error.to_string()))?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let pace = Pace::new(weight_per_minute, Duration::from_secs(60));
        let permits = Arc::new(Semaphore::new(limits::REST_CONCURRENT_MAX));
        Ok(Self { venue, client, pace, permits, answers, clock, shutdown })
    }

    /// Asks; the answer comes by the queue.
    pub(crate) fn ask(&mut self, purpose: Purpose, request: Request) {
        let wait = self.pace.reserve(request.weight, self.clock.monotonic());
        let (client, permits) = (self.client.clone(), Arc::clone(&self.permits));
        let (venue, answers) = (Arc::clone(&self.venue), self.answers.clone());
        let (clock, shutdown) = (self.clock.clone(), self.shutdown.clone());
        tokio::spawn(async move {
            let work = async {
                tokio::time::sleep(wait).await;
                // The semaphore is never closed.
                let _permit = permits.acquire().await;
                let body = get(&client, &request.url).await;
                let rx = Micros(clock.wall_micros());
                let result = body.and_then(|body| read(&*venue, purpose, &body));
                // A feed that has ended wants no answer.
                let _ = answers.send(Answer { purpose, rx, result }).await;
            };
            tokio::select! {
                () = shutdown.begun() => {}
                () = work => {}
            }
        });
    }

    /// The venue asked for quiet.
    pub(crate) fn hold(&mut self, retry_after: Duration) {
        let wait = retry_after.min(limits::RETRY_AFTER_MAX);
        self.pace.hold_until(self.clock.monotonic() + wait);
    }
}

fn read(venue: &dyn Venue, purpose: Purpose, body: &str) -> Result<Content, RestError> {
    let read = match purpose {
        Purpose::Instruments => venue.read_instruments(body).map(Content::Instruments),
        Purpose::Snapshot { .. } => venue.read_snapshot(body).map(Content::Snapshot),
        Purpose::Trades { .. } => venue.read_trades(body).map(Content::Trades),
        Purpose::Candles { .. } => venue.read_candles(body).map(Content::Candles),
    };
    read.map_err(|error| RestError::new(format!("unreadable answer: {error}")))
}

async fn get(client: &HttpClient, url: &str) -> Result<String, RestError> {
    tokio::time::timeout(limits::REST_TIMEOUT, fetch(client, url))
        .await
        .unwrap_or_else(|_| Err(RestError::new("no answer in time")))
}

async fn fetch(client: &HttpClient, url: &str) -> Result<String, RestError> {
    let request = hyper::Request::get(url)
        .header("user-agent", "fantail")
        .body(Empty::new())
        .map_err(RestError::new)?;
    let response = client.request(request).await.map_err(|error| {
        use std::error::Error;
        // The outer error only says "client error"; its cause says what happened.
        RestError::new(error.source().map_or_else(|| error.to_string(), ToString::to_string))
    })?;
    let status = response.status();
    if !status.is_success() {
        let header = response.headers().get("retry-after");
        let retry_after = header
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        return Err(RestError { reason: format!("the venue answered {status}"), retry_after });
    }
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(RestError::new)?;
        let Some(data) = frame.data_ref() else { continue };
        if bytes.len() + data.len() > limits::REST_BODY_BYTES_MAX {
            return Err(RestError::new("the answer is too large"));
        }
        bytes.extend_from_slice(data);
    }
    String::from_utf8(bytes).map_err(|_| RestError::new("the answer is not UTF-8"))
}
