//! The driver drives: a tiny page on loopback, looked at through the real browser.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Response, header};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

use super::{Browser, is_truthy};

const PAGE: &str = "<!doctype html><meta name=viewport content='width=device-width'>\
    <title>tiny</title><p id=p>one</p>\
    <script>setTimeout(() => { p.textContent = 'two'; console.error('spoken') }, 50)</script>";
const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_page_is_opened_read_and_drawn() -> anyhow::Result<()> {
    let Some(mut browser) = Browser::start().await else { return Ok(()) };
    browser.goto(&format!("http://{}/", serve().await?)).await?;
    assert_eq!(browser.eval("document.title").await?, json!("tiny"));
    browser.wait_until("p.textContent === 'two'", LIMIT).await?;
    assert_eq!(browser.eval("Promise.resolve([1, 'a'])").await?, json!([1, "a"]));

    let thrown = browser.eval("missing.name").await.expect_err("nothing has that name");
    assert!(format!("{thrown:#}").contains("missing is not defined"), "{thrown:#}");
    let never = browser.wait_until("missing.name", Duration::from_millis(50)).await;
    assert!(never.is_err(), "it waited for nothing");

    browser.set_window(390, 844).await?;
    assert_eq!(browser.eval("[innerWidth, innerHeight]").await?, json!([390, 844]));
    let console = browser.console().await?;
    assert!(console.iter().any(|line| line.contains("spoken")), "{console:?}");

    let folder = tempfile::tempdir()?;
    let shot = folder.path().join("shot.png");
    browser.screenshot(&shot).await?;
    assert!(std::fs::read(&shot)?.starts_with(b"\x89PNG"));
    Ok(())
}

#[test]
fn truth_is_javascripts() {
    for value in [json!(null), json!(false), json!(0), json!("")] {
        assert!(!is_truthy(&value), "{value}");
    }
    for value in [json!(true), json!(1), json!("0"), json!([]), json!({})] {
        assert!(is_truthy(&value), "{value}");
    }
}

/// Serves the page to whoever asks, as long as the test runs.
async fn serve() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = service_fn(async |_| {
                let page = Response::builder().header(header::CONTENT_TYPE, "text/html");
                Ok::<_, Infallible>(page.body(Full::new(Bytes::from_static(PAGE.as_bytes()))))
                    .map(|page| page.unwrap_or_default())
            });
            let served = hyper::server::conn::http1::Builder::new();
            tokio::spawn(served.serve_connection(TokioIo::new(stream), answer));
        }
    });
    Ok(address)
}
