//! One of the client's messages as a record of ours. Owns the copy out of the fetch buffer and
//! what becomes of headers that others wrote; a record is never refused.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use bytes::Bytes;
use rdkafka::message::{BorrowedMessage, Headers as _, Message};

use super::assignment::offset_of;
use super::figures::KafkaMetrics;
use crate::headers::Headers;
use crate::limits::HEADERS_MAX;
use crate::record::{Delivered, Record};
use crate::topic::TopicName;

/// Copies: a slice of the fetch buffer would keep all of it alive for one small record.
pub(super) fn read(
    message: &BorrowedMessage<'_>,
    topic: &TopicName,
    partition: u32,
    figures: &KafkaMetrics,
) -> Delivered {
    let (key, value) = copied(message.key().unwrap_or_default(), message.payload());
    // Headers that don't fit ours were written by someone else; the value may still be fine.
    let headers = headers(message).unwrap_or_else(|| {
        figures.foreign_headers.fetch_add(1, Ordering::Relaxed);
        Headers::none()
    });
    let timestamp_micros = message.timestamp().to_millis().unwrap_or(0).saturating_mul(1000);
    let record = Record { topic: topic.clone(), partition, key, value, headers, timestamp_micros };
    Delivered { record, offset: offset_of(message) }
}

/// Key and value in one buffer: one allocation less a record.
fn copied(key: &[u8], value: Option<&[u8]>) -> (Bytes, Option<Bytes>) {
    let Some(value) = value else { return (Bytes::copy_from_slice(key), None) };
    let mut both = Vec::with_capacity(key.len() + value.len());
    both.extend_from_slice(key);
    both.extend_from_slice(value);
    let mut both = Bytes::from(both);
    let key = both.split_to(key.len());
    (key, Some(both))
}

fn headers(message: &BorrowedMessage<'_>) -> Option<Headers> {
    let Some(raw) = message.headers() else { return Some(Headers::none()) };
    let count = raw.count();
    if count > HEADERS_MAX {
        return None;
    }
    // The library panics on a header name that is not UTF-8, and any producer may write one.
    catch_unwind(AssertUnwindSafe(|| {
        let mut pairs = [("", &[][..]); HEADERS_MAX];
        for (at, pair) in pairs.iter_mut().enumerate().take(count) {
            let header = raw.get(at);
            *pair = (header.key, header.value.unwrap_or_default());
        }
        Headers::from_pairs(&pairs[..count]).ok()
    }))
    .ok()
    .flatten()
}
