//! The gateway's configuration: what is written, and what it means.

mod bounds;
mod flush;

use std::net::SocketAddr;
use std::time::Duration;

use fantail_model::Interval;
use fantail_ops::config::{ByteSize, HumanDuration, Problems};
use fantail_wire::client::Limits;
use fantail_wire::frame::limits::{
    DEFLATE_LEVEL_MIN, DEFLATE_WINDOW_BITS_MIN, SERVER_WINDOW_BITS, WINDOW_BITS_MAX,
};
use serde::Deserialize;

use crate::auth::{AuthConfig, AuthSection};
use crate::limits;
use crate::proxies::Proxies;
use crate::variant::INTERVALS_MAX;
pub use flush::Flush;

/// `[listen]`: the public listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenSection {
    /// Address and port; port 0 picks one.
    pub addr: String,
    /// A proxy in front terminates TLS; required to listen beyond loopback.
    pub tls_at_proxy: bool,
    /// Address ranges whose `X-Forwarded-For` (and PROXY header) is believed.
    pub trusted_proxies: Vec<String>,
    /// Whether every connection must begin with a PROXY header (v1 or v2) of a trusted proxy.
    pub proxy_protocol: bool,
}

/// `[limits]`: what one client may do.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSection {
    /// Most channels a session may hold.
    pub channels: u32,
    /// Most channels a command may name.
    pub channels_per_command: u32,
    /// Sustained commands per second.
    pub commands_per_s: u32,
    /// Commands allowed in a burst.
    pub commands_burst: u32,
    /// Longest message a client may send.
    pub message_bytes: ByteSize,
    /// Most sockets of this node.
    pub connections: usize,
    /// Most sockets of one address.
    pub connections_per_ip: u32,
}

/// `[gateway]`: how this node fans out.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewaySection {
    /// Name of the node, told in `welcome`.
    pub node: String,
    /// Fan-out threads; 0 = one per core.
    pub shards: usize,
    /// Interval of pings; a client silent for two is closed.
    pub heartbeat: HumanDuration,
    /// Which partitions of the bus it reads.
    pub consume: Consume,
    /// With `consume = "interest"`: how long a partition nobody wants is still read.
    pub partition_linger: HumanDuration,
    /// Memory for recovery rings, all channels together (estimated).
    pub ring_bytes: ByteSize,
    /// Memory for sessions that are behind, of the node, shared out among its shards (estimated).
    pub backlog_bytes: ByteSize,
    /// How far one session may be behind in it; beyond it, it starts again or is closed (4409).
    pub session_backlog_bytes: ByteSize,
    /// Own answers one session may leave unread; beyond it, it is closed (4409).
    pub session_reply_bytes: ByteSize,
    /// Unsent bytes the kernel may hold for a socket (`TCP_NOTSENT_LOWAT`).
    pub kernel_unsent_bytes: ByteSize,
    /// Sent data unacknowledged for longer ends the connection (`TCP_USER_TIMEOUT`).
    pub kernel_unacked_timeout: HumanDuration,
    /// A reader or a shard this far behind is sent each channel's values merged into one.
    pub conflate_after: HumanDuration,
    /// A session with trades that is behind for longer is closed with 4409.
    pub slow_after: HumanDuration,
    /// Time over which sessions are sent elsewhere when the node ends.
    pub drain: HumanDuration,
    /// How sockets are written.
    pub flush: Flush,
    /// Conflation intervals of `@interval` channels; the same on every node.
    pub intervals: Vec<String>,
    /// Whether permessage-deflate is offered.
    pub deflate: bool,
    /// zlib level of shared compressed frames, 2 to 9.
    pub deflate_level: u8,
    /// Window of shared compressed frames, 2^9 to 2^15 bytes: clients that limit it below this
    /// are sent plain frames.
    pub deflate_window_bits: u8,
}

/// Which partitions of events a gateway reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consume {
    /// All of them, always.
    #[default]
    All,
    /// Those somebody wants; the first who wants one waits until it has been caught up with.
    Interest,
}

impl Default for ListenSection {
    fn default() -> Self {
        Self {
            addr: "127.0.0.1:8080".into(),
            tls_at_proxy: false,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
        }
    }
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            channels: 1_024,
            channels_per_command: 200,
            commands_per_s: 20,
            commands_burst: 50,
            message_bytes: ByteSize(64 * 1_024),
            connections: 50_000,
            connections_per_ip: 1_024,
        }
    }
}

impl Default for GatewaySection {
    fn default() -> Self {
        Self {
            node: "gw-1".into(),
            shards: 0,
            heartbeat: HumanDuration::from_secs(15),
            consume: Consume::All,
            partition_linger: HumanDuration::from_secs(30),
            ring_bytes: ByteSize(256 * 1_024 * 1_024),
            backlog_bytes: ByteSize(128 * 1_024 * 1_024),
            session_backlog_bytes: ByteSize(64 * 1_024 * 1_024),
            session_reply_bytes: ByteSize(1_024 * 1_024),
            kernel_unsent_bytes: ByteSize(16 * 1_024),
            kernel_unacked_timeout: HumanDuration::from_secs(20),
            conflate_after: HumanDuration::from_secs(1),
            slow_after: HumanDuration::from_secs(10),
            drain: HumanDuration::from_secs(10),
            flush: Flush::Auto,
            intervals: ["50ms", "100ms", "250ms", "500ms", "1s", "5s"].map(Into::into).into(),
            deflate: true,
            deflate_level: 6,
            deflate_window_bits: SERVER_WINDOW_BITS,
        }
    }
}

/// What sessions of a shard need to know.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Name of the node.
    pub node: String,
    /// The node's limits, before a credential's own.
    pub limits: Limits,
    /// Interval of pings.
    pub heartbeat: Duration,
    /// Estimated bytes a shard keeps for sessions that are behind.
    pub backlog_bytes: usize,
    /// Estimated bytes one session may be behind.
    pub session_backlog_bytes: usize,
    /// Bytes of its own answers one session may leave unread.
    pub session_reply_bytes: usize,
    /// What the kernel may hold for its socket.
    pub kernel: KernelBounds,
    /// How far behind values are merged.
    pub conflate_after: Duration,
    /// How long a session may be behind.
    pub slow_after: Duration,
    /// How long a drain takes at most.
    pub drain: Duration,
    /// How sockets are written.
    pub flush: Flush,
    /// zlib level of shared compressed frames.
    pub deflate_level: u8,
    /// Window of shared compressed frames, as a power of two.
    pub deflate_window_bits: u8,
}

/// What the kernel may hold for one socket.
#[derive(Debug, Clone, Copy)]
pub struct KernelBounds {
    /// Bytes accepted from us and not sent yet.
    pub unsent_bytes: u32,
    /// How long sent data may stay unacknowledged.
    pub unacked_timeout: Duration,
}

/// What the gateway is to do.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Public listener.
    pub addr: SocketAddr,
    /// Which proxies in front of it are believed.
    pub proxies: Proxies,
    /// Who may connect.
    pub auth: AuthConfig,
    /// Sessions.
    pub sessions: SessionConfig,
    /// Fan-out threads.
    pub shards: usize,
    /// Only partitions somebody wants are consumed, and one nobody wants for this long not any more.
    pub by_interest: Option<Duration>,
    /// Estimated bytes of all recovery rings.
    pub ring_bytes: usize,
    /// Conflation intervals of `@interval` channels.
    pub intervals: Vec<Interval>,
    /// Whether permessage-deflate is offered.
    pub deflate: bool,
    /// Most sockets of this node.
    pub connections: usize,
    /// Most sockets of one address.
    pub connections_per_ip: u32,
}

/// Most shards of a node: interest in a channel is a bit per shard.
const SHARDS_MAX: usize = 64;

/// Longest drain: no supervisor waits longer.
const DRAIN_MAX: Duration = Duration::from_secs(600);

impl GatewayConfig {
    /// How long after the end's beginning every session is gone for certain: told, and given the
    /// time to take its last frames.
    #[must_use]
    pub fn drain_bound(&self) -> Duration {
        self.sessions.drain + limits::CLOSE_LINGER_SLOW
    }

    /// Checks the sections and says what they mean; mistakes go into `problems`.
    pub fn meaning(
        listen: &ListenSection,
        auth: &AuthSection,
        limits: &LimitsSection,
        gateway: &GatewaySection,
        problems: &mut Problems,
    ) -> Self {
        check_positive(limits, problems);
        check_gateway(gateway, problems);
        bounds::check_backlog(gateway, problems);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let shards = if gateway.shards == 0 { cores.min(SHARDS_MAX) } else { gateway.shards };
        Self {
            addr: address(listen, problems),
            proxies: Proxies::meaning(listen, problems),
            auth: auth.meaning(problems),
            sessions: SessionConfig {
                node: gateway.node.clone(),
                limits: Limits {
                    channels: limits.channels,
                    channels_per_command: limits.channels_per_command,
                    commands_per_s: limits.commands_per_s,
                    commands_burst: limits.commands_burst,
                    message_bytes: u32::try_from(limits.message_bytes.bytes()).unwrap_or(u32::MAX),
                },
                heartbeat: gateway.heartbeat.get(),
                backlog_bytes: gateway.backlog_bytes.as_usize() / shards,
                session_backlog_bytes: gateway.session_backlog_bytes.as_usize(),
                session_reply_bytes: gateway.session_reply_bytes.as_usize(),
                kernel: bounds::kernel(gateway, problems),
                conflate_after: gateway.conflate_after.get(),
                slow_after: gateway.slow_after.get(),
                drain: gateway.drain.get(),
                flush: gateway.flush,
                deflate_level: gateway.deflate_level,
                deflate_window_bits: gateway.deflate_window_bits,
            },
            shards,
            by_interest: by_interest(gateway, problems),
            ring_bytes: gateway.ring_bytes.as_usize(),
            intervals: intervals(gateway, problems),
            deflate: gateway.deflate,
            connections: limits.connections,
            connections_per_ip: limits.connections_per_ip,
        }
    }
}

fn address(listen: &ListenSection, problems: &mut Problems) -> SocketAddr {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 8080));
    let Ok(addr) = listen.addr.parse::<SocketAddr>() else {
        let fix = "write ip:port, e.g. 127.0.0.1:8080";
        problems.push("listen.addr", &listen.addr, "not an address with a port", fix);
        return loopback;
    };
    if !addr.ip().is_loopback() && !listen.tls_at_proxy {
        problems.push(
            "listen.addr",
            &listen.addr,
            "listening beyond loopback without TLS",
            "put a TLS proxy in front and set listen.tls_at_proxy = true, or use 127.0.0.1",
        );
    }
    addr
}

fn intervals(gateway: &GatewaySection, problems: &mut Problems) -> Vec<Interval> {
    if gateway.intervals.len() > INTERVALS_MAX {
        let (reason, fix) = ("are too many", "write at most 9");
        problems.push("gateway.intervals", gateway.intervals.len(), reason, fix);
    }
    let mut intervals = Vec::new();
    for (index, word) in gateway.intervals.iter().enumerate() {
        match Interval::parse(word) {
            Some(interval) if !intervals.contains(&interval) => intervals.push(interval),
            _ => {
                let fix = "write each once, as 250ms or 5s, up to one hour";
                problems.push(format!("gateway.intervals.{index}"), word, "is no interval", fix);
            }
        }
    }
    intervals
}

fn by_interest(gateway: &GatewaySection, problems: &mut Problems) -> Option<Duration> {
    let linger = gateway.partition_linger.get();
    if !limits::PARTITION_LINGER.contains(&linger) {
        let (reason, fix) = ("outside 1s … 1h", "30s lets a client reconnect in peace");
        problems.push("gateway.partition_linger", gateway.partition_linger, reason, fix);
    }
    (gateway.consume == Consume::Interest).then_some(linger)
}

fn check_positive(limits: &LimitsSection, problems: &mut Problems) {
    let values = [
        ("limits.channels", u64::from(limits.channels)),
        ("limits.channels_per_command", u64::from(limits.channels_per_command)),
        ("limits.commands_per_s", u64::from(limits.commands_per_s)),
        ("limits.commands_burst", u64::from(limits.commands_burst)),
        ("limits.connections", limits.connections as u64),
        ("limits.connections_per_ip", u64::from(limits.connections_per_ip)),
    ];
    for (key, value) in values {
        if value == 0 {
            problems.push(key, "0", "nobody could do anything", "write a positive number");
        }
    }
    let bytes = limits.message_bytes.bytes();
    if !(1_024..=16 * 1_024 * 1_024).contains(&bytes) {
        let (reason, fix) = ("outside 1KiB … 16MiB", "64KiB suits every command");
        problems.push("limits.message_bytes", bytes, reason, fix);
    }
}

fn check_gateway(gateway: &GatewaySection, problems: &mut Problems) {
    if gateway.shards > SHARDS_MAX {
        let fix = "write at most 64, or 0 for one per core";
        problems.push("gateway.shards", gateway.shards, "too many", fix);
    }
    let heartbeat = gateway.heartbeat.get();
    if !(Duration::from_millis(100)..=Duration::from_secs(600)).contains(&heartbeat) {
        let (reason, fix) = ("outside 100ms … 10m", "15s suits most networks");
        problems.push("gateway.heartbeat", format!("{heartbeat:?}"), reason, fix);
    }
    if gateway.drain.get() > DRAIN_MAX {
        let (reason, fix) = ("is too long", "write at most 10m; 10s suits most");
        problems.push("gateway.drain", gateway.drain, reason, fix);
    }
    if !(DEFLATE_LEVEL_MIN..=9).contains(&gateway.deflate_level) {
        let (reason, fix) = ("outside 2 … 9", "6 is a good balance");
        problems.push("gateway.deflate_level", gateway.deflate_level, reason, fix);
    }
    let bits = gateway.deflate_window_bits;
    if !(DEFLATE_WINDOW_BITS_MIN..=WINDOW_BITS_MAX).contains(&bits) {
        let (reason, fix) = ("outside 9 … 15", "12 fits every client that does not ask for less");
        problems.push("gateway.deflate_window_bits", bits, reason, fix);
    }
    if gateway.node.is_empty() || gateway.node.len() > 64 {
        problems.push("gateway.node", &gateway.node, "not a name", "write 1 to 64 characters");
    }
}
