//! Coinbase Exchange's WebSocket control messages. Input: one client text, the connection's
//! subscriptions and what the venue lists; output: the answer and the pairs newly subscribed.
//! It sends no snapshot: the engine does, after the answer.

use serde_json::Value;

use crate::simulator::limits;

/// Channels anyone may have.
const OPEN: [&str; 6] =
    ["level2_batch", "matches", "ticker", "ticker_batch", "heartbeat", "status"];
/// Channels that have been refused to keyless clients since 2023.
const KEYED: [&str; 4] = ["level2", "level3", "full", "user"];

/// One channel of one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulator) struct Pair {
    pub(in crate::simulator) channel: String,
    pub(in crate::simulator) product: String,
}

impl Pair {
    /// The name under which the desk indexes it.
    pub(in crate::simulator) fn key(&self) -> String {
        key(&self.channel, &self.product)
    }
}

/// The desk's name for a channel of a product.
pub(in crate::simulator) fn key(channel: &str, product: &str) -> String {
    format!("{channel}:{product}")
}

/// What the control state machine must know of the venue.
#[derive(Debug, Clone, Default)]
pub(in crate::simulator) struct Rules {
    pub(in crate::simulator) products: Vec<String>,
    /// A recording may hold `level2`; the live venue refuses it without a key.
    pub(in crate::simulator) level2_is_open: bool,
}

/// Answer and what changed.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::simulator) struct Answer {
    pub(in crate::simulator) text: String,
    pub(in crate::simulator) added: Vec<Pair>,
    pub(in crate::simulator) changed: bool,
}

impl Answer {
    fn refused(message: &str, reason: &str) -> Self {
        let reason = reason.replace(['"', '\\'], "'");
        let text = format!(r#"{{"type":"error","message":"{message}","reason":"{reason}"}}"#);
        Self { text, added: Vec::new(), changed: false }
    }
}

/// Carries out one control message.
pub(in crate::simulator) fn answer(text: &str, held: &mut Vec<Pair>, rules: &Rules) -> Answer {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return Answer::refused("Malformed JSON", "the message is not a JSON object");
    };
    let pairs = match wanted(&value, rules) {
        Ok(pairs) => pairs,
        Err(reason) => return Answer::refused("Failed to subscribe", &reason),
    };
    match value.get("type").and_then(Value::as_str) {
        Some("subscribe") => subscribe(pairs, held),
        Some("unsubscribe") => {
            held.retain(|pair| !pairs.contains(pair));
            Answer { text: subscriptions(held), added: Vec::new(), changed: true }
        }
        _ => Answer::refused("Type has to be either subscribe or unsubscribe", "unknown type"),
    }
}

fn subscribe(pairs: Vec<Pair>, held: &mut Vec<Pair>) -> Answer {
    let added: Vec<Pair> = pairs.into_iter().filter(|pair| !held.contains(pair)).collect();
    if held.len() + added.len() > limits::COINBASE_SUBSCRIPTIONS_MAX {
        return Answer::refused("Failed to subscribe", "too many subscriptions");
    }
    held.extend(added.iter().cloned());
    Answer { text: subscriptions(held), added, changed: true }
}

/// The pairs a message names: each channel with its own products, else the message's.
fn wanted(value: &Value, rules: &Rules) -> Result<Vec<Pair>, String> {
    let none = Vec::new();
    let general = value.get("product_ids").and_then(Value::as_array).unwrap_or(&none);
    let channels = value.get("channels").and_then(Value::as_array).unwrap_or(&none);
    if channels.is_empty() {
        return Err("channels must be a non-empty array".to_owned());
    }
    let mut pairs = Vec::new();
    for channel in channels {
        let name = channel.as_str().or_else(|| channel.get("name").and_then(Value::as_str));
        let name = name.ok_or_else(|| "a channel is a name or has one".to_owned())?;
        allowed(name, rules)?;
        let products = channel.get("product_ids").and_then(Value::as_array).unwrap_or(general);
        for product in products {
            let id = product.as_str().unwrap_or_default();
            if !rules.products.iter().any(|listed| listed == id) {
                return Err(format!("{id} is not a valid product"));
            }
            let pair = Pair { channel: name.to_owned(), product: id.to_owned() };
            if !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
    }
    Ok(pairs)
}

fn allowed(channel: &str, rules: &Rules) -> Result<(), String> {
    if OPEN.contains(&channel) || (channel == "level2" && rules.level2_is_open) {
        return Ok(());
    }
    if KEYED.contains(&channel) {
        return Err("level2, level3, and full channels now require authentication".to_owned());
    }
    Err(format!("{channel} is not a valid channel"))
}

/// The acknowledgement: everything the connection holds, by channel.
fn subscriptions(held: &[Pair]) -> String {
    let mut channels: Vec<(&str, Vec<&str>)> = Vec::new();
    for pair in held {
        match channels.iter_mut().find(|(name, _)| *name == pair.channel) {
            Some((_, products)) => products.push(&pair.product),
            None => channels.push((&pair.channel, vec![&pair.product])),
        }
    }
    let channels: Vec<String> = channels
        .iter()
        .map(|(name, products)| {
            format!(r#"{{"name":"{name}","product_ids":["{}"]}}"#, products.join("\",\""))
        })
        .collect();
    format!(r#"{{"type":"subscriptions","channels":[{}]}}"#, channels.join(","))
}
