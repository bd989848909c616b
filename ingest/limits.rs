//! Every bound of ingest, with its reason. Owns numbers only; the simulator has its own.

use std::time::Duration;

/// Frames between the connections of a venue and its feed. A venue's worst second is some 10,000
/// messages; when the queue is full the connections stop reading and TCP holds the rest back.
pub(crate) const INBOUND_FRAMES_MAX: usize = 4_096;
/// Frames taken from that queue at once, so that timers are looked at in between.
pub(crate) const INBOUND_BATCH: usize = 256;
/// Orders from a feed to one of its connections. They are rare; at the bound the next tick tries
/// again.
pub(crate) const ORDERS_MAX: usize = 64;
/// REST answers waiting for the feed: each symbol has at most one request of a purpose under way.
pub(crate) const ANSWERS_MAX: usize = 64;
/// REST requests of one venue under way at once; more only wait for the venue.
pub(crate) const REST_CONCURRENT_MAX: usize = 4;
/// Largest REST answer read. Binance's full exchangeInfo is some 15 MB.
pub(crate) const REST_BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long one REST request may take, its body included.
pub(crate) const REST_TIMEOUT: Duration = Duration::from_secs(90);
/// Largest WebSocket message read. The largest known is a 4.8 MB book snapshot.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Read buffer of a connection: the library's default of 128 KiB only costs memory.
pub(crate) const READ_BUFFER_BYTES: usize = 32 * 1024;
/// How long a connection may take to be made, TLS and upgrade included.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection that said nothing at all for this long is dead: Binance pings every 20 s,
/// Coinbase sends a heartbeat each second.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Frames a second connection may collect while it takes over from the first.
pub(crate) const TAKEOVER_FRAMES_MAX: usize = 65_536;
/// How long the second connection runs beside the first, so that both overlap.
pub(crate) const TAKEOVER_OVERLAP: Duration = Duration::from_secs(2);
/// First and longest delay between attempts, before jitter.
pub(crate) const BACKOFF_MIN: Duration = Duration::from_millis(500);
/// See [`BACKOFF_MIN`].
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// A connection that lived this long makes the next delay a first one again.
pub(crate) const HEALTHY_AFTER: Duration = Duration::from_secs(10);
/// Longest `Retry-After` obeyed as written; a venue bans for up to three days, but an operator
/// who fixed the cause should not wait for it.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// Jitter of the planned reconnect, so that a venue's connections don't move together.
pub(crate) const RENEW_JITTER: Duration = Duration::from_secs(30 * 60);

/// Depth events kept for one symbol that waits for its snapshot: 13 minutes at 100 ms.
pub(crate) const BUFFERED_DELTAS_MAX: usize = 8_192;
/// Levels in those events: 64 bytes each, so 16 MiB a symbol.
pub(crate) const BUFFERED_LEVELS_MAX: usize = 262_144;
/// How long a book waits for its first depth event before it asks for the snapshot anyway: a quiet
/// market has a book too.
pub(crate) const FIRST_DELTA_WAIT: Duration = Duration::from_secs(5);
/// How long Coinbase may take to send the snapshot that was subscribed to.
pub(crate) const SNAPSHOT_WAIT: Duration = Duration::from_secs(10);
/// How long a book's top may disagree with the venue's ticker.
pub(crate) const DISAGREE_MAX: Duration = Duration::from_secs(5);
/// Tops of tickers remembered: the book, sent in batches, catches up with one of them.
pub(crate) const TICKER_TOPS_KEPT: usize = 8;

/// How often timers are looked at.
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// How often a feed says that it is alive. Readers call it dead after five of these.
pub(crate) const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
/// How often channels' latest states are written to the compacted topic.
pub(crate) const SNAPSHOT_EVERY: Duration = Duration::from_secs(30);
/// A symbol counts as stale after this many of its usual pauses between messages, but never
/// before the configured time: quiet markets are not sick ones.
pub(crate) const STALE_PAUSES: u32 = 8;
/// How long after a candle's end trades of it are still waited for.
pub(crate) const CANDLE_GRACE_MICROS: i64 = 2_000_000;

/// Symbols of one venue: what its REST weight can resynchronise within some minutes.
pub(crate) const SYMBOLS_MAX: usize = 1_000;
/// Book levels a side that may be asked for.
pub(crate) const BOOK_DEPTH_MAX: u32 = 100_000;
/// Log lines per venue and minute about frames that could not be read; all are counted.
pub(crate) const BAD_FRAME_LOGS_PER_MINUTE: u32 = 6;
/// Bytes of a bad frame that are logged.
pub(crate) const BAD_FRAME_LOG_BYTES: usize = 200;
/// How often the instrument list is asked for again: listings and steps change a few times a day.
pub(crate) const INSTRUMENTS_EVERY: Duration = Duration::from_secs(3_600);
/// A trade id this far below the last one is no repetition: the venue has renumbered.
pub(crate) const TRADE_RENUMBERED: u64 = 1_000_000;
/// How far back heartbeats are read for the epochs of earlier owners. Whoever has been silent for
/// longer is outbid by the clock.
pub(crate) const EPOCHS_BACK_MICROS: i64 = 10 * 60 * 1_000_000;
/// Heartbeats taken at once.
pub(crate) const EPOCHS_BATCH: usize = 1_000;
/// And their bytes.
pub(crate) const EPOCHS_BATCH_BYTES: usize = 1 << 20;
/// Looks for heartbeats that are known to be there, and how long each waits: a broker that does
/// not bring them within that is away, and so is the group.
pub(crate) const CATCH_UP_LOOKS: usize = 100;
/// See [`CATCH_UP_LOOKS`].
pub(crate) const CATCH_UP_WAIT: Duration = Duration::from_millis(20);
/// One look at the group: what a starting feed may lose, and how soon a lost one is noticed.
pub(crate) const GROUP_LOOK: Duration = Duration::from_millis(100);
/// How long live trades wait for those of the past at a change of owner. One REST answer takes
/// some hundred milliseconds.
pub(crate) const BACKFILL_WAIT: Duration = Duration::from_secs(5);
/// Live trades of one symbol that wait for it.
pub(crate) const BACKFILL_HELD_MAX: usize = 10_000;
/// Records of a partition read back for the last trades of an earlier owner. A symbol that traded
/// so long ago tells the change as a gap.
pub(crate) const LAST_TRADES_BACK: u64 = 20_000;
/// Groups a venue may be divided into: each has connections and a share of the REST budget.
pub(crate) const GROUPS_MAX: u32 = 64;
/// Trades of a symbol a standby remembers: what an owner may publish between its last trade and the
/// moment its death is noticed.
pub(crate) const STANDBY_TRADES_MAX: usize = 4_096;
/// Promotions on their way to a feed: there is one owner at a time.
pub(crate) const PROMOTIONS_MAX: usize = 1;
