//! A market maker's book over the Protobuf stream: every message is checked against the `prev`
//! chain and the server's checksum. Input: URL and book channel, the token in `FANTAIL_TOKEN`;
//! output: the top on each change. A hole ends it; resuming with `from` is left to the reader.

use anyhow::{Context, Result, bail, ensure};
use fantail_model::{Body, Book};
use fantail_wire::client::{
    Command, Encoding, ServerMessage, SubscribeItem, decode_message, encode_command,
};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut request = args.next().context("usage: book URL CHANNEL")?.into_client_request()?;
    let channel = args.next().context("usage: book URL CHANNEL")?;
    request.headers_mut().insert("Sec-WebSocket-Protocol", "fantail.v1.protobuf".parse()?);
    if let Ok(token) = std::env::var("FANTAIL_TOKEN") {
        request.headers_mut().insert("Authorization", format!("Bearer {token}").parse()?);
    }
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    let channels = vec![SubscribeItem { channel, from: None, history: None }];
    let mut command = Vec::new();
    encode_command(Encoding::Protobuf, &Command::Subscribe { id: None, channels }, &mut command);
    socket.send(Message::binary(command)).await?;

    let (mut book, mut last) = (Book::new(0), None);
    while let Some(message) = socket.next().await {
        let bytes = match message? {
            Message::Binary(bytes) => bytes,
            Message::Close(frame) => bail!("closed: {frame:?}"),
            _ => continue,
        };
        let crc = match decode_message(Encoding::Protobuf, &bytes)? {
            ServerMessage::Snapshot(snapshot) => {
                let Some(position) = snapshot.position else { continue }; // not in sync yet
                book.replace(&snapshot.levels)?;
                last = Some(position.seq);
                Some(snapshot.crc)
            }
            ServerMessage::Data(data) => {
                let event = data.event;
                let follows =
                    last.is_some_and(|last| event.prev <= last && last < event.position.seq);
                ensure!(event.reset || follows, "hole: {last:?}, then {event:?}");
                last = Some(event.position.seq);
                match event.body {
                    Body::Book(levels) if event.reset => book.replace(&levels)?,
                    Body::Book(delta) => book.amend(&delta)?,
                    other => println!("{other:?}"), // status and venue_gap share the chain
                }
                data.crc
            }
            other => {
                println!("{other:?}"); // welcome, subscribed, gap, …
                continue;
            }
        };
        ensure!(crc.is_none_or(|crc| crc == book.checksum()), "checksum differs at {last:?}");
        println!("{last:?} {:?} {:?}", book.best_bid(), book.best_ask());
    }
    Ok(())
}
