//! Turns the counters into the text of a scrape.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::spread::Gathered;
use super::{Counter, ShardMetrics, TailMetrics};
use crate::config::SessionConfig;
use crate::connections::Connections;
use crate::encoder::FramesMade;
use crate::kind::{FrameKind, KINDS};

/// Every source of the gateway's figures.
pub(super) struct Collected {
    pub(super) tail: Arc<TailMetrics>,
    pub(super) shards: Vec<Arc<ShardMetrics>>,
    pub(super) frames: Arc<FramesMade>,
    pub(super) connections: Arc<Connections>,
    pub(super) bounds: SessionConfig,
}

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected")
    }
}

type ShardFigure = (&'static str, &'static str, fn(&ShardMetrics) -> &Counter);

const SHARD_GAUGES: [ShardFigure; 8] = [
    ("gateway_sessions", "Open sessions", |s| &s.sessions),
    ("gateway_subscribers", "Sessions subscribed to something", |s| &s.subscribers),
    ("gateway_sessions_waiting", "Sessions not yet sent all they are due", |s| &s.waiting),
    ("gateway_sessions_behind", "Sessions that are behind the stream", |s| &s.behind),
    ("gateway_subscriptions", "Held subscriptions", |s| &s.subscriptions),
    ("gateway_backlog_bytes", "Estimated bytes kept for sessions that are behind", |s| {
        &s.backlog_bytes
    }),
    ("gateway_replay_bytes", "Estimated bytes owed to sessions that resume", |s| &s.replay_bytes),
    ("gateway_session_behind_bytes_max", "How far the furthest session is behind", |s| {
        &s.behind_bytes_max
    }),
];

const SHARD_COUNTERS: [ShardFigure; 15] = [
    ("gateway_sessions_opened", "Sessions opened", |s| &s.opened),
    ("gateway_deliveries", "Events handed to sockets", |s| &s.deliveries),
    ("gateway_writes", "Sends to sockets", |s| &s.writes),
    ("gateway_write_bytes", "Bytes offered to sockets", |s| &s.write_bytes),
    ("gateway_writes_blocked", "Flushes a socket did not take whole", |s| &s.blocked),
    ("gateway_batches", "Batches from the tail", |s| &s.batches),
    ("gateway_batch_events", "Events in flushed batches that had members", |s| &s.batch_events),
    ("gateway_flushes", "Flushes, each of one or more batches", |s| &s.flushes),
    ("gateway_commands", "Client commands", |s| &s.commands),
    ("gateway_seeds", "Channels started", |s| &s.seeds),
    (
        "gateway_conflated_events",
        "Events merged into later ones for slow readers or under load",
        |s| &s.conflated,
    ),
    ("gateway_sessions_merged", "Times a slow session was sent merged values", |s| &s.merges),
    ("gateway_sessions_restarted", "Sessions restarted after losing their place", |s| &s.restarted),
    ("gateway_sessions_let_go", "Sessions closed because the shard, not they, was too late", |s| {
        &s.let_go
    }),
    ("gateway_resumes", "Channels resumed out of memory", |s| &s.resumes),
];

type TailFigure = (&'static str, &'static str, fn(&TailMetrics) -> &AtomicU64);

const TAIL_COUNTERS: [TailFigure; 15] = [
    ("gateway_records", "Bus records taken", |t| &t.records),
    ("gateway_publications", "Events published", |t| &t.publications),
    ("gateway_derived_messages", "Emissions of derived channels", |t| &t.derived),
    ("gateway_records_poison", "Records that could not be read or applied", |t| &t.poison),
    ("gateway_records_fenced", "Records of a replaced owner", |t| &t.fenced),
    ("gateway_records_duplicate", "Records seen before", |t| &t.duplicates),
    ("gateway_holes", "Holes in a channel's chain", |t| &t.holes),
    ("gateway_bus_lost_records", "Records the bus dropped unread", |t| &t.bus_lost),
    ("gateway_bus_errors", "Failed polls of the bus", |t| &t.bus_errors),
    ("gateway_bus_cuts", "Times the bus lost its newest records", |t| &t.bus_cut),
    ("gateway_records_too_new", "Records of a version this node does not read", |t| &t.too_new),
    ("gateway_reads_back", "Positions older than memory, read back", |t| &t.reads_back),
    ("gateway_partitions_woken", "Times a partition began to be read on demand", |t| &t.woken),
    (
        "gateway_resumes_cut",
        "Resumes a shard could not have sent in time: told as a gap, gone on at the head",
        |t| &t.resumes_cut,
    ),
    ("gateway_channels_mended", "Channels restarted from a snapshot", |t| &t.mended),
];

const TAIL_GAUGES: [TailFigure; 6] = [
    ("gateway_partitions_consumed", "Partitions of events read now", |t| &t.partitions[0]),
    ("gateway_partitions", "Partitions of events", |t| &t.partitions[1]),
    ("gateway_topics_wrong", "Topics that are not as they were at the start", |t| &t.topics_wrong),
    ("gateway_feed_owners_silent", "Feed owners of whom nothing is heard", |t| &t.owners_silent),
    ("gateway_ring_bytes", "Estimated bytes in recovery rings", |t| &t.ring_bytes),
    ("gateway_channels", "Channels of this node", |t| &t.channels),
];

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, help, figure) in SHARD_GAUGES {
            self.per_shard(&mut encoder, name, help, |s| ConstGauge::new(figure(s).get() as i64))?;
        }
        let lag = |s: &ShardMetrics| ConstGauge::new(s.lag_micros.get() as f64 / 1e6);
        let help = "How late a shard takes what the tail published, while it goes on being late";
        self.per_shard(&mut encoder, "gateway_shard_lag_seconds", help, lag)?;
        for (name, help, figure) in SHARD_COUNTERS {
            self.per_shard(&mut encoder, name, help, |s| ConstCounter::new(figure(s).get()))?;
        }
        for (name, help, figure) in TAIL_COUNTERS {
            let value = figure(&self.tail).load(Ordering::Relaxed);
            single(&mut encoder, name, help, &ConstCounter::new(value))?;
        }
        for (name, help, figure) in TAIL_GAUGES {
            let value = figure(&self.tail).load(Ordering::Relaxed) as i64;
            single(&mut encoder, name, help, &ConstGauge::new(value))?;
        }
        let open = ConstGauge::new(self.connections.count() as i64);
        single(&mut encoder, "gateway_connections", "Open connections", &open)?;
        let refused = ConstCounter::new(self.connections.unintroduced_count());
        let help = "Connections refused for their PROXY header";
        single(&mut encoder, "gateway_proxy_headers_refused", help, &refused)?;
        self.frames(&mut encoder)?;
        self.spreads(&mut encoder)?;
        self.bounds(&mut encoder)?;
        self.closes(&mut encoder)
    }
}

fn single<M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &M,
) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

impl Collected {
    fn per_shard<M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        figure: impl Fn(&ShardMetrics) -> M,
    ) -> fmt::Result {
        let Some(first) = self.shards.first() else { return Ok(()) };
        let kind = figure(first).metric_type();
        let mut family = encoder.encode_descriptor(name, help, None, kind)?;
        for (number, shard) in self.shards.iter().enumerate() {
            let metric = figure(shard);
            metric.encode(family.encode_family(&[("shard", number.to_string())])?)?;
        }
        Ok(())
    }

    fn frames(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (name, help) = ("gateway_frames_encoded", "Frames made, at most once per kind");
        let kind = ConstCounter::new(0_u64).metric_type();
        let mut family = encoder.encode_descriptor(name, help, None, kind)?;
        for index in 0..KINDS {
            let kind = FrameKind::at(index);
            let labels = [
                ("encoding", kind.encoding.as_str()),
                ("deflate", if kind.deflate { "true" } else { "false" }),
                ("batch", if kind.batch { "true" } else { "false" }),
            ];
            let metric = ConstCounter::new(self.frames.of(kind));
            metric.encode(family.encode_family(&labels)?)?;
        }
        let compressed = ConstCounter::new(self.frames.compressed());
        let help = "Deflated frames that became smaller and were sent compressed";
        single(encoder, "gateway_frames_compressed", help, &compressed)
    }

    fn spreads(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let lags = self.shards.iter().map(|shard| &shard.lag_tail_to_socket);
        let help = "From the gateway's tail to the last socket of a flush, by group";
        let name = "gateway_lag_tail_to_socket_seconds";
        single(encoder, name, help, &Gathered::new(lags))?;
        let events = self.shards.iter().map(|shard| &shard.flush_events);
        let help = "Events of a flush, all channels with members together";
        single(encoder, "gateway_flush_events", help, &Gathered::new(events))?;
        let frames: u64 = (0..KINDS).map(|at| self.frames.of(FrameKind::at(at))).sum();
        let deliveries: u64 = self.shards.iter().map(|shard| shard.deliveries.get()).sum();
        let ratio = ConstGauge::new(deliveries as f64 / frames.max(1) as f64);
        let help = "Events handed to sockets for each frame made";
        single(encoder, "gateway_sharing_ratio", help, &ratio)?;
        let (name, help) = ("gateway_flush_path", "How sockets are written, 1 for each shard");
        let one = ConstGauge::new(1_i64);
        let mut family = encoder.encode_descriptor(name, help, None, one.metric_type())?;
        for (number, shard) in self.shards.iter().enumerate() {
            let labels = [("shard", number.to_string()), ("path", shard.flush_path().to_owned())];
            one.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// The bounds of a slow session, beside the gauges that approach them.
    fn bounds(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let config = &self.bounds;
        let bounds = [
            ("backlog", config.backlog_bytes),
            ("session_backlog", config.session_backlog_bytes),
            ("session_reply", config.session_reply_bytes),
            ("kernel_unsent", config.kernel.unsent_bytes as usize),
        ];
        let (name, help) = ("gateway_bound_bytes", "Configured bounds; `backlog` is a shard's");
        let kind = ConstGauge::new(0_i64).metric_type();
        let mut family = encoder.encode_descriptor(name, help, None, kind)?;
        for (bound, bytes) in bounds {
            let bytes = ConstGauge::new(i64::try_from(bytes).unwrap_or(i64::MAX));
            bytes.encode(family.encode_family(&[("bound", bound)])?)?;
        }
        let timeout = ConstGauge::new(config.kernel.unacked_timeout.as_secs_f64());
        let help = "Sent data unacknowledged for longer ends a connection";
        single(encoder, "gateway_kernel_unacked_timeout_seconds", help, &timeout)
    }

    fn closes(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut sums: BTreeMap<(u16, &'static str), u64> = BTreeMap::new();
        for shard in &self.shards {
            let closes = shard.closes.lock().unwrap_or_else(PoisonError::into_inner);
            for (code, name, count) in closes.iter() {
                *sums.entry((*code, name)).or_default() += count;
            }
        }
        let kind = ConstCounter::new(0_u64).metric_type();
        let help = "Sessions closed, by code";
        let mut family = encoder.encode_descriptor("gateway_sessions_closed", help, None, kind)?;
        for ((code, name), count) in sums {
            let labels = [("code", code.to_string()), ("name", name.to_owned())];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
