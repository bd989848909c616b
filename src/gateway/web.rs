//! The page, embedded in the binary: a client of the public protocol like any other.
//!
//! Owns the list of its files and the headers they are served with. Only these exact paths exist;
//! nothing is ever read from disk, so there is no path to climb out of.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::rest::{method_not_allowed, not_found};

/// Scripts, styles and connections of our own only; nobody may frame the page.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the page.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const fn asset(path: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    Asset { path, content_type, bytes }
}

/// Every file. A test compares it with the folder.
static ASSETS: &[Asset] = &[
    asset("/index.html", HTML, include_bytes!("page/index.html")),
    asset("/style.css", CSS, include_bytes!("page/style.css")),
    asset("/icon.svg", SVG, include_bytes!("page/icon.svg")),
    asset("/app.js", JS, include_bytes!("page/app.js")),
    asset("/book.js", JS, include_bytes!("page/book.js")),
    asset("/channel.js", JS, include_bytes!("page/channel.js")),
    asset("/client.js", JS, include_bytes!("page/client.js")),
    asset("/commands.js", JS, include_bytes!("page/commands.js")),
    asset("/connection.js", JS, include_bytes!("page/connection.js")),
    asset("/decimal.js", JS, include_bytes!("page/decimal.js")),
    asset("/dom.js", JS, include_bytes!("page/dom.js")),
    asset("/feeds.js", JS, include_bytes!("page/feeds.js")),
    asset("/frame.js", JS, include_bytes!("page/frame.js")),
    asset("/ladder.js", JS, include_bytes!("page/ladder.js")),
    asset("/market.js", JS, include_bytes!("page/market.js")),
    asset("/meter.js", JS, include_bytes!("page/meter.js")),
    asset("/picker.js", JS, include_bytes!("page/picker.js")),
    asset("/reconnect.js", JS, include_bytes!("page/reconnect.js")),
    asset("/resume.js", JS, include_bytes!("page/resume.js")),
    asset("/status.js", JS, include_bytes!("page/status.js")),
    asset("/tape.js", JS, include_bytes!("page/tape.js")),
];

/// Answers a path of the page; any other doesn't exist.
pub(crate) async fn page(request: Request) -> Response {
    let path = match request.uri().path() {
        "/" => "/index.html",
        path => path,
    };
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return not_found().into_response();
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return method_not_allowed().await;
    }
    answer(asset, request.headers())
}

fn answer(asset: &Asset, request: &HeaderMap) -> Response {
    let etag = etag(asset.bytes);
    let is_known = request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == etag);
    let (status, body) = if is_known {
        (StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        (StatusCode::OK, Bytes::from_static(asset.bytes))
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_TYPE, asset.content_type),
        // Asked for again each time, answered with 304: a new binary has a new page.
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

/// Some bits of the content's hash, quoted.
fn etag(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let half: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{half}\"")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ASSETS;

    #[test]
    fn every_file_of_the_folder_is_served_and_no_other() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/page");
        let on_disk = std::fs::read_dir(folder).unwrap().map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            format!("/{name}")
        });
        let is_served = |name: &String| !name.contains(".test.");
        let on_disk: BTreeSet<String> = on_disk.filter(is_served).collect();
        let served: BTreeSet<String> = ASSETS.iter().map(|asset| asset.path.to_owned()).collect();
        assert_eq!(on_disk, served);
    }
}
