//! Market answers, their permission and their failures.

use super::*;
use crate::handshake::tests::token;

#[tokio::test]
async fn a_book_carries_state_position_age_and_exact_levels() {
    let server = server(anonymous()).await;
    for target in ["/v1/book/book:binance:BTC-USDT?depth=2", "/v1/book/binance:BTC-USDT?depth=2"] {
        let reply = get(&server, target).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let book = reply.json();
        assert_eq!(book["channel"], "book:binance:BTC-USDT");
        assert_eq!(
            (&book["state"], &book["epoch"], &book["seq"]),
            (&"live".into(), &7.into(), &42.into())
        );
        let age = book["age_ms"].as_u64().unwrap();
        assert!((2_500..60_000).contains(&age), "{age}");
        assert_eq!(book["bids"].to_string(), r#"[["67012.01","0.5231"],["67012","1"]]"#);
        assert_eq!(book["asks"].to_string(), r#"[["67012.02","0.00000001"]]"#);
        let Answer::Book(whole) = super::answer(&Query::Book {
            channel: "book:binance:BTC-USDT".parse().unwrap(),
            depth: 10,
        }) else {
            panic!("a book");
        };
        let crc = fantail_model::checksum(whole.view.bids.into_iter(), whole.view.asks.into_iter());
        assert_eq!(book["crc"], crc, "of the top ten, however few are asked for");
    }
    let resync = get(&server, "/v1/book/binance:ETH-USDT").await.json();
    assert_eq!((&resync["state"], &resync["seq"]), (&"resync".into(), &Value::Null));
}

#[tokio::test]
async fn trades_candles_instruments_and_status() {
    let server = server(anonymous()).await;
    let trades = get(&server, "/v1/trades/binance:BTC-USDT?limit=3").await.json();
    assert_eq!(trades["trades"].as_array().unwrap().len(), 3);
    assert_eq!(trades["trades"][2]["seq"], 3);
    assert_eq!(trades["trades"][0]["price"], "67012.02");
    let long = get(&server, "/v1/candles/candle:binance:BTC-USDT:5m").await.json();
    let short = get(&server, "/v1/candles/binance:BTC-USDT?interval=5m").await.json();
    assert_eq!((&long["candles"], &long["state"]), (&short["candles"], &"lag".into()));
    assert_eq!(
        (&long["candles"][0]["high"], &long["candles"][0]["final"]),
        (&"2.5".into(), &true.into())
    );
    let list = get(&server, "/v1/instruments").await.json();
    let one = &list["instruments"][0];
    assert_eq!((&one["tick"], &one["state"]), (&"0.01".into(), &"live".into()));
    assert_eq!((&one["trading"], one.get("lot")), (&"trading".into(), None));
    let none = get(&server, "/v1/instruments?venue=coinbase").await.json();
    assert_eq!(none["instruments"].as_array().unwrap().len(), 0);
    let status = get(&server, "/v1/status").await.json();
    assert_eq!(status["node"], "gw-test");
    assert_eq!(
        (&status["feeds"][0]["state"], &status["feeds"][0]["since"]),
        (&"stale".into(), &1_000.into())
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_in_one_shape() {
    let server = server(anonymous()).await;
    let cases = [
        ("/v1/book/coinbase:BTC-USD", 404, "UNKNOWN_CHANNEL"),
        ("/v1/book/trade:binance:BTC-USDT", 400, "INVALID_CHANNEL"),
        ("/v1/book/binance:btc-usdt", 400, "INVALID_CHANNEL"),
        ("/v1/book/book:binance:BTC-USDT:10", 501, "UNSUPPORTED"),
        ("/v1/book/book:binance:BTC-USDT@1s", 501, "UNSUPPORTED"),
        ("/v1/book/%ff", 400, "BAD_REQUEST"),
        ("/v1/book/binance:BTC-USDT?depth=0", 400, "BAD_REQUEST"),
        ("/v1/book/binance:BTC-USDT?depth=5001", 400, "BAD_REQUEST"),
        ("/v1/book/binance:BTC-USDT?depth=+1", 400, "BAD_REQUEST"),
        ("/v1/book/binance:BTC-USDT?deep=1", 400, "BAD_REQUEST"),
        ("/v1/trades/binance:BTC-USDT?limit=501", 400, "BAD_REQUEST"),
        ("/v1/status?x=1", 400, "BAD_REQUEST"),
        ("/v1/nothing", 404, "NOT_FOUND"),
        ("/v1/book", 404, "NOT_FOUND"),
    ];
    for (target, status, code) in cases {
        let reply = get(&server, target).await;
        assert_eq!((reply.status, reply.error().as_str()), (status, code), "{target}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let reply = request(&server, method, "/v1/status", &[]).await;
        if method != "OPTIONS" {
            assert_eq!((reply.status, reply.error().as_str()), (405, "METHOD_NOT_ALLOWED"));
            assert_eq!(reply.headers["allow"], "GET, HEAD");
        }
    }
    let head = request(&server, "HEAD", "/v1/status", &[]).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn the_permission_is_the_streams() {
    let server = server(AuthSection::default()).await;
    let token = token(&["trade:binance:*"]);
    let bearer = format!("Bearer {token}");
    let as_alice = [("Authorization", bearer.as_str())];
    let refused = request(&server, "GET", "/v1/book/binance:BTC-USDT", &as_alice).await;
    assert_eq!((refused.status, refused.error().as_str()), (403, "FORBIDDEN"));
    let allowed = request(&server, "GET", "/v1/trades/binance:BTC-USDT", &as_alice).await;
    assert_eq!(allowed.status, 200);
    let list = request(&server, "GET", "/v1/instruments", &as_alice).await.json();
    assert_eq!(list["instruments"][0]["channels"].to_string(), r#"["trade:binance:BTC-USDT"]"#);
    let status = request(&server, "GET", "/v1/status", &as_alice).await.json();
    assert_eq!(status["feeds"].as_array().unwrap().len(), 1);
    let nobody = get(&server, "/v1/status").await;
    assert_eq!((nobody.status, nobody.error().as_str()), (401, "TOKEN_INVALID"));
    assert!(nobody.headers["www-authenticate"].starts_with("Bearer"));
}

#[tokio::test]
async fn a_session_is_told_its_limits_or_the_handshakes_refusal() {
    let server = server(AuthSection::default()).await;
    let bearer = format!("Bearer {}", token(&["trade:*:*"]));
    let good = request(&server, "GET", "/v1/session", &[("Authorization", &bearer)]).await.json();
    assert_eq!((&good["user"], &good["kind"]), (&"alice".into(), &"token".into()));
    assert_eq!(
        (&good["limits"]["channels"], &good["limits"]["commands_per_s"]),
        (&7.into(), &20.into())
    );
    assert!(good["expires"].as_i64().unwrap() > good["time"].as_i64().unwrap());
    let lines = [("Authorization", bearer.as_str()), ("Origin", "https://evil.example")];
    let foreign = request(&server, "GET", "/v1/session", &lines).await;
    assert_eq!((foreign.status, foreign.error().as_str()), (403, "ORIGIN_FORBIDDEN"));
    let wrong = request(&server, "GET", "/v1/session", &[("X-API-Key", "ftk_a_b")]).await;
    assert_eq!((wrong.status, wrong.error().as_str()), (401, "KEY_UNKNOWN"));
}

#[tokio::test]
async fn a_tail_that_is_gone_is_told_with_a_time_to_come_back() {
    let server = server(anonymous()).await;
    // The played tail ends at this question, and with it the mailbox.
    for _ in 0..2 {
        let reply = get(&server, "/v1/trades/binance:PANIC-USDT").await;
        assert_eq!((reply.status, reply.error().as_str()), (503, "DRAINING"));
        assert_eq!(reply.headers["retry-after"], "1");
    }
}

#[tokio::test]
async fn a_handler_that_panics_is_a_500_in_the_same_shape() {
    let (queries, _asked) = TailQueries::new(1, Waker::new(|| panic!("a bug")));
    let authenticator = authenticator(anonymous());
    let router = router_with(queries, Arc::clone(&authenticator));
    let server = serve(authenticator, router, 1).await;
    let reply = get(&server, "/v1/status").await;
    assert_eq!((reply.status, reply.error().as_str()), (500, "INTERNAL"));
    assert!(!reply.body.contains("a bug\""), "{}", reply.body);
}
