//! A real headless Chromium, driven by a test.
//!
//! Owns: chromedriver and the browser it starts, as child processes ended by their own ids, and a
//! profile folder that goes with them. Input: a page's address and JavaScript expressions. Output:
//! their values as JSON. It knows WebDriver as far as tests need it, and nothing of Fantail.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use fantail_tests::browser::Browser;
//! use std::time::Duration;
//!
//! let Some(mut page) = Browser::start().await else { return Ok(()) };
//! page.goto("http://127.0.0.1:8080/").await?;
//! page.wait_until("document.title !== ''", Duration::from_secs(5)).await?;
//! let rows = page.eval("document.querySelectorAll('tr').length").await?;
//! # drop(rows);
//! # Ok(())
//! # }
//! ```

mod driver;
mod webdriver;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine;
use serde_json::{Value, json};

use crate::harness::{require, wait};
use driver::Driver;
use webdriver::WebDriver;

/// The name of this requirement in `FANTAIL_REQUIRE`.
const REQUIREMENT: &str = "chromium";

/// No proxy, no first-run pages, no call home: a test's traffic is the test's.
const FLAGS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
];

/// One browser with one window; dropping it ends its processes.
#[derive(Debug)]
pub struct Browser {
    session: WebDriver,
    // Dropped last: ends chromedriver and the browser, then removes the profile.
    _driver: Driver,
}

impl Browser {
    /// Starts a browser, or gives `None` after saying loudly that Chromium is missing.
    ///
    /// # Panics
    /// If `FANTAIL_REQUIRE` names chromium and it is missing, or if it is there and doesn't start.
    pub async fn start() -> Option<Self> {
        let (Some(chromium), Some(chromedriver)) = (driver::chromium(), driver::chromedriver())
        else {
            require::skip(REQUIREMENT, "chromium or chromedriver is not in PATH");
            return None;
        };
        let started = Self::launch(&chromium, &chromedriver).await;
        Some(started.unwrap_or_else(|error| panic!("chromium is present but: {error:#}")))
    }

    async fn launch(chromium: &Path, chromedriver: &Path) -> anyhow::Result<Self> {
        let driver = Driver::start(chromedriver).await.context("chromedriver")?;
        let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--user-data-dir={}", driver.profile().display()));
        let options = json!({ "binary": chromium, "args": flags });
        let mut wanted = json!({ "browserName": "chrome", "goog:chromeOptions": options });
        // What the page logs is read back by `console`.
        wanted["goog:loggingPrefs"] = json!({ "browser": "ALL" });
        let session = WebDriver::open(driver.address(), wanted).await.context("new session")?;
        Ok(Self { session, _driver: driver })
    }

    /// Opens an address and waits for its load event.
    pub async fn goto(&mut self, url: &str) -> anyhow::Result<()> {
        self.session.post("url", json!({ "url": url })).await.with_context(|| url.to_owned())?;
        Ok(())
    }

    /// The value of a JavaScript expression; a promise is waited for.
    pub async fn eval(&mut self, expression: &str) -> anyhow::Result<Value> {
        let script = format!("return ({expression});");
        let body = json!({ "script": script, "args": [] });
        self.session.post("execute/sync", body).await.with_context(|| expression.to_owned())
    }

    /// Waits until an expression is truthy and gives its value.
    ///
    /// An expression that throws is only not true yet: pages build what it names as they load.
    pub async fn wait_until(&mut self, condition: &str, limit: Duration) -> anyhow::Result<Value> {
        let mut last = String::from("never looked");
        let found = wait::until(limit, async || match self.eval(condition).await {
            Ok(value) if is_truthy(&value) => Some(value),
            Ok(value) => {
                last = value.to_string();
                None
            }
            Err(error) => {
                last = format!("{error:#}");
                None
            }
        })
        .await;
        found.with_context(|| format!("{condition}: not within {limit:?}, last {last}"))
    }

    /// Writes what the window shows to a PNG file.
    pub async fn screenshot(&mut self, path: &Path) -> anyhow::Result<()> {
        let Value::String(encoded) = self.session.get("screenshot").await? else {
            bail!("a screenshot that is no text");
        };
        let image = base64::engine::general_purpose::STANDARD.decode(encoded)?;
        std::fs::write(path, image).with_context(|| path.display().to_string())
    }

    /// Gives the page a viewport of this size, in CSS pixels.
    pub async fn set_window(&mut self, width: u32, height: u32) -> anyhow::Result<()> {
        // The window's own frame counts in its size, so phones are shown by the device metrics.
        let parameters =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": parameters });
        self.session.post("goog/cdp/execute", command).await?;
        Ok(())
    }

    /// What the page wrote to its console since the last call, errors of loading included.
    pub async fn console(&mut self) -> anyhow::Result<Vec<String>> {
        let entries = self.session.post("se/log", json!({ "type": "browser" })).await?;
        let line = |entry: &Value| {
            let level = entry["level"].as_str().unwrap_or_default();
            format!("{level} {}", entry["message"].as_str().unwrap_or_default())
        };
        Ok(entries.as_array().into_iter().flatten().map(line).collect())
    }
}

/// JavaScript's own idea of true.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

#[cfg(test)]
mod tests;
