//! The last trade an earlier owner published of each symbol, read from the end of the trade topic.
//!
//! Input: the bus. Output: the venue's trade number by channel name. Blocks; bounded in records.

use std::collections::HashMap;

use fantail_bus::{ConsumeError, Consumer, Offset, Start, TopicName, stable_partition};
use fantail_model::{Body, Channel, Kind};
use fantail_wire::record::{self, Record};

use crate::config::VenueConfig;
use crate::limits;

/// Numbers by channel name; a symbol whose last trades are further back is not in it.
pub(crate) fn read(
    mut consumer: Box<dyn Consumer>,
    venue: &VenueConfig,
) -> Result<HashMap<String, u64>, ConsumeError> {
    let topic = TopicName::from_static(record::topic(Kind::Trade));
    let name = |symbol: &_| Channel::new(Kind::Trade, venue.id.clone(), Clone::clone(symbol));
    let names: Vec<String> = venue.symbols.iter().map(|it| name(it).to_string()).collect();
    let count = consumer.partitions(&topic)?;
    let mut partitions: Vec<u32> =
        names.iter().map(|name| stable_partition(record::key(name).as_bytes(), count)).collect();
    partitions.sort_unstable();
    partitions.dedup();
    let (mut starts, mut ends) = (Vec::new(), HashMap::new());
    for partition in partitions {
        let end = consumer.end_offset(&topic, partition)?;
        let low = consumer.low_offset(&topic, partition)?;
        let from = end.saturating_sub(limits::LAST_TRADES_BACK).max(low);
        if from < end {
            ends.insert(partition, end);
            starts.push(Start { topic: topic.clone(), partition, from: Offset::At(from) });
        }
    }
    consumer.assign(starts)?;
    let (mut last, mut batch) = (HashMap::new(), Vec::new());
    for _ in 0..limits::CATCH_UP_LOOKS {
        if ends.is_empty() {
            break;
        }
        let (records, bytes) = (limits::EPOCHS_BATCH, limits::EPOCHS_BATCH_BYTES);
        while consumer.poll(records, bytes, limits::CATCH_UP_WAIT, &mut batch)? > 0 {
            for delivered in batch.drain(..) {
                let partition = delivered.record.partition;
                if ends.get(&partition).is_some_and(|end| delivered.offset + 1 >= *end) {
                    ends.remove(&partition);
                }
                note(delivered.record.value.as_deref().unwrap_or_default(), &mut last);
            }
            if ends.is_empty() {
                break;
            }
        }
    }
    last.retain(|name, _| names.contains(name));
    Ok(last)
}

fn note(value: &[u8], last: &mut HashMap<String, u64>) {
    if let Ok(Record::Event { channel, event }) = record::decode(value)
        && let Body::Trade(trade) = event.body
        && let Ok(number) = trade.id.parse()
    {
        last.insert(channel, number);
    }
}
