//! What a client may ask for: encodings (H07), compression, batching, credentials; and what is
//! asked before any signature is checked (H11).

use super::*;

async fn choose(server: &mut Server, target: &str, extra: &[(&str, &str)]) -> (String, Session) {
    let (_client, head) = server.open(upgrade_request(target, "", extra).as_bytes()).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    (head, server.session().await)
}

#[tokio::test]
async fn the_first_known_encoding_is_chosen_and_echoed() {
    let mut server = open_server().await;
    let cases = [
        ("fantail.v1.msgpack", Encoding::MsgPack),
        ("other, fantail.v1.protobuf", Encoding::Protobuf),
        ("fantail.v1.json,fantail.v1.msgpack", Encoding::Json),
    ];
    for (offered, encoding) in cases {
        let offer = [("Sec-WebSocket-Protocol", offered)];
        let (head, session) = choose(&mut server, "/v1/stream", &offer).await;
        assert_eq!(session.encoding, encoding, "{offered}");
        let echoed = format!("sec-websocket-protocol: {}\r\n", encoding.subprotocol());
        assert!(head.contains(&echoed), "{head}");
    }
}

#[tokio::test]
async fn h07_foreign_and_malformed_offers_are_refused() {
    let server = open_server().await;
    let many = vec!["x"; 1_000].join(",");
    let blanks = format!("fantail.v1.json{}x", " ".repeat(8_000));
    let offers = ["graphql-ws, mqtt", "", ",", "fantail.v1.json,,x", "a b", &many, &blanks];
    for offered in offers {
        let offer = [("Sec-WebSocket-Protocol", offered)];
        let answer = server.exchange(&upgrade_request("/v1/stream", "", &offer)).await;
        let (status, code, message) = error_of(&answer);
        assert_eq!((status, code.as_str()), (400, "BAD_REQUEST"), "{message}");
        for encoding in Encoding::ALL {
            assert!(message.contains(encoding.subprotocol()), "{message}");
        }
    }
}

#[tokio::test]
async fn a_bearer_subprotocol_authenticates_and_is_never_echoed() {
    let mut server = serve(authenticator(AuthSection::default()), Router::new(), 10).await;
    let token = token(&["trade:*:*"]);
    let offered = format!("bearer.{token}, fantail.v1.json");
    let offer = [("Sec-WebSocket-Protocol", offered.as_str())];
    let (head, session) = choose(&mut server, "/v1/stream", &offer).await;
    assert_eq!(session.user, "alice");
    assert!(head.contains("sec-websocket-protocol: fantail.v1.json\r\n"), "{head}");
    assert!(!head.contains("bearer") && !head.contains(&token), "{head}");
}

#[tokio::test]
async fn deflate_is_negotiated_and_batches_are_asked_for() {
    let mut server = open_server().await;
    let offer = [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")];
    let (head, session) = choose(&mut server, "/v1/stream?batch=true", &offer).await;
    assert!(session.deflate.is_some() && session.batch);
    let answer = "sec-websocket-extensions: permessage-deflate; server_no_context_takeover; \
                  client_no_context_takeover\r\n";
    assert!(head.contains(answer), "{head}");
    let foreign = [("Sec-WebSocket-Extensions", "permessage-brotli")];
    let (head, session) = choose(&mut server, "/v1/stream?batch=false", &foreign).await;
    assert!(session.deflate.is_none() && !session.batch, "{head}");
    assert!(!head.contains("extensions"), "{head}");
}

#[tokio::test]
async fn unknown_query_keys_are_named() {
    let server = open_server().await;
    let cases = [
        ("/v1/stream?batsh=true", "\"batsh\" is not known"),
        ("/v1/stream?batch=yes", "batch is true or false"),
        ("/v1/stream?batch", "batch is true or false"),
        ("/v1/stream?batch=true&batch=true", "batch is given twice"),
        ("/v1/stream?token=abc", "not accepted here"),
    ];
    for (target, expected) in cases {
        let (status, _, message) =
            error_of(&server.exchange(&upgrade_request(target, "", &[])).await);
        assert_eq!(status, 400, "{target}");
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn refused_credentials_say_how_to_do_better() {
    let server = serve(authenticator(AuthSection::default()), Router::new(), 10).await;
    let cases: [(Lines<'_>, u16, &str); 4] = [
        (&[], 401, "TOKEN_INVALID"),
        (&[("Authorization", "Bearer a.b.c")], 401, "TOKEN_INVALID"),
        (&[("X-API-Key", "ftk_a_b")], 401, "KEY_UNKNOWN"),
        (&[("Origin", "https://evil.example")], 403, "ORIGIN_FORBIDDEN"),
    ];
    for (extra, status, code) in cases {
        let answer = server.exchange(&upgrade_request("/v1/stream", "", extra)).await;
        let (found, name, _) = error_of(&answer);
        assert_eq!((found, name.as_str()), (status, code));
        let challenged = answer.contains("www-authenticate: Bearer realm=\"fantail\", error=");
        assert_eq!(challenged, status == 401, "{answer}");
    }
    assert_eq!(server.slots.load(Ordering::SeqCst), 0, "refused handshakes hold no slot");
}

#[tokio::test]
async fn h11_connections_are_limited_before_signatures_are_checked() {
    let mut server = serve(authenticator(AuthSection::default()), Router::new(), 1).await;
    let bearer = format!("Bearer {}", token(&["trade:*:*"]));
    let credentials = [("Authorization", bearer.as_str())];
    let (_head, session) = choose(&mut server, "/v1/stream", &credentials).await;
    let wrong = [("Authorization", "Bearer a.b.c")];
    let answer = server.exchange(&upgrade_request("/v1/stream", "", &wrong)).await;
    let (status, code, _) = error_of(&answer);
    assert_eq!((status, code.as_str()), (429, "TOO_MANY_CONNECTIONS"), "not 401");
    assert!(answer.contains("retry-after: 5"), "{answer}");
    drop(session);
    let answer = server.exchange(&upgrade_request("/v1/stream", "", &wrong)).await;
    assert_eq!(error_of(&answer).0, 401, "the slot was given back");
}

#[test]
fn h08_text_of_a_client_is_escaped() {
    let refusal = Refusal::new(Code::BadRequest, "a\r\nSet-Cookie: x=\"1\"\u{1b}");
    let response = refusal.into_response("r\r\nx: y");
    assert!(!response.headers().contains_key("x-request-id"), "no header from such an id");
    let body = format!("{:?}", response.body());
    assert!(body.contains(r"\\r\\nSet-Cookie") && body.contains(r"\\u001b"), "{body}");
}
