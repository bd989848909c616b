//! The shortest client: connects, subscribes, prints. Input: none; output: JSON messages.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::{connect_async, tungstenite::Message};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (mut socket, _) = connect_async("ws://127.0.0.1:8080/v1/stream").await?;
    let subscribe = r#"{"op":"subscribe","id":1,"channels":["trade:binance:BTC-USDT"]}"#;
    socket.send(Message::text(subscribe)).await?;
    while let Some(message) = socket.next().await {
        println!("{}", message?.into_text()?);
    }
    Ok(())
}
