//! The page, the schemas, and which origins may read what (H06, H09).

use super::*;

#[tokio::test]
async fn the_page_is_served_with_its_policy_and_known_by_its_etag() {
    let server = server(AuthSection::default()).await;
    let page = get(&server, "/").await;
    assert_eq!(
        (page.status, page.headers["content-type"].as_str()),
        (200, "text/html; charset=utf-8")
    );
    assert!(page.body.contains("<title>"), "no credentials are needed for the page");
    let policy = &page.headers["content-security-policy"];
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let etag = page.headers["etag"].as_str();
    let again = request(&server, "GET", "/index.html", &[("If-None-Match", etag)]).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let script = get(&server, "/client.js").await;
    assert_eq!(script.headers["content-type"], "text/javascript; charset=utf-8");
    let post = request(&server, "POST", "/client.js", &[]).await;
    assert_eq!((post.status, post.error().as_str()), (405, "METHOD_NOT_ALLOWED"));
}

#[tokio::test]
async fn h09_only_exact_paths_exist() {
    let server = server(AuthSection::default()).await;
    let targets = [
        "/../Cargo.toml",
        "/page/../lib.rs",
        "/%2e%2e/Cargo.toml",
        "/%252e%252e/Cargo.toml",
        "/..%5cCargo.toml",
        "/..%2fCargo.toml",
        "/index.html%00",
        "/%69ndex.html",
        "//index.html",
        "/index.html/",
        "/INDEX.HTML",
        "//etc/passwd",
        "/schemas/../codes.toml",
        "/schemas/..%2fcodes.toml",
        "/schemas/%2fetc%2fpasswd",
        "/client.test.js",
    ];
    for target in targets {
        let reply = get(&server, target).await;
        assert_eq!((reply.status, reply.error().as_str()), (404, "NOT_FOUND"), "{target}");
    }
    let backslash = server
        .exchange("GET /..\\Cargo.toml HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    let status = backslash.split(' ').nth(1).unwrap();
    assert!(matches!(status, "400" | "404"), "{backslash}");
}

#[tokio::test]
async fn schemas_are_the_ones_of_the_build() {
    let server = server(AuthSection::default()).await;
    let list = get(&server, "/schemas").await.json();
    assert_eq!(list["schemas"].as_array().unwrap().len(), 4);
    for path in list["schemas"].as_array().unwrap() {
        let reply = get(&server, path.as_str().unwrap()).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.body.len() > 100, "{path}");
    }
}

#[tokio::test]
async fn h06_only_configured_origins_may_read() {
    let origins = vec!["https://good.example".to_owned()];
    let server = server(AuthSection { origins, ..anonymous() }).await;
    let good = [("Origin", "https://good.example")];
    let reply = request(&server, "GET", "/v1/status", &good).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["access-control-allow-origin"], "https://good.example");
    assert!(reply.headers["vary"].contains("origin"), "{:?}", reply.headers);
    let script = request(&server, "GET", "/client.js", &good).await;
    assert_eq!(script.headers["access-control-allow-origin"], "https://good.example");
    let preflight = [
        ("Origin", "https://good.example"),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "authorization"),
    ];
    let reply = request(&server, "OPTIONS", "/v1/session", &preflight).await;
    assert_eq!(reply.status, 200);
    assert!(reply.headers["access-control-allow-headers"].contains("authorization"));
    for origin in ["https://evil.example", "http://good.example", "null"] {
        let reply = request(&server, "GET", "/v1/status", &[("Origin", origin)]).await;
        assert_eq!((reply.status, reply.error().as_str()), (403, "ORIGIN_FORBIDDEN"), "{origin}");
        assert!(!reply.headers.contains_key("access-control-allow-origin"), "{origin}");
    }
}
