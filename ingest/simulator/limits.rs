//! Every bound of the simulator, with its reason. Owns numbers only.

use std::time::Duration;

/// Requests waiting for the engine; senders wait when it is full, so nothing is lost.
pub(super) const MAILBOX_LEN: usize = 1_024;
/// Messages one seeded session may lag behind: two seconds of a 50x burst on ten symbols.
/// At the bound the session is cut, as a live venue cuts a slow reader.
pub(super) const SEEDED_QUEUE_LEN: usize = 65_536;
/// Messages one recorded session may lag behind before playback waits for it.
pub(super) const RECORDED_QUEUE_LEN: usize = 1_024;
/// Replies held for sessions whose queue is full; beyond it the session is cut.
pub(super) const BACKLOG_LEN_MAX: usize = 16_384;
/// How long playback waits for a reader that takes nothing before it cuts it.
pub(super) const STALL_MAX: Duration = Duration::from_secs(30);
/// Fault announcements kept for a slow listener (the page): four a minute are made.
pub(super) const EVENTS_LEN: usize = 64;
/// Sockets served at once: a node opens a handful, a test a few dozen.
pub(super) const CONNECTIONS_MAX: usize = 512;
/// Largest message a client may send: 1,024 stream names fit four times.
pub(super) const CLIENT_MESSAGE_BYTES_MAX: usize = 128 * 1_024;
/// Messages written before one flush, so that a burst costs few system calls.
pub(super) const WRITE_BATCH: usize = 64;

/// Binance pings every 20 s ...
pub(super) const PING_EVERY: Duration = Duration::from_secs(20);
/// ... and cuts a client that has not answered for 60 s.
pub(super) const PONG_MAX: Duration = Duration::from_secs(60);
/// Coinbase cuts a client that has not subscribed after 5 s.
pub(super) const SUBSCRIBE_MAX: Duration = Duration::from_secs(5);
/// Binance takes 5 messages a second from a client (control frames count) and cuts it beyond.
pub(super) const BINANCE_MESSAGES_PER_S: u32 = 5;
/// Coinbase takes 100 messages a second.
pub(super) const COINBASE_MESSAGES_PER_S: u32 = 100;
/// Streams one Binance connection may hold.
pub(super) const BINANCE_STREAMS_MAX: usize = 1_024;
/// Channel and product pairs one Coinbase connection may hold.
pub(super) const COINBASE_SUBSCRIPTIONS_MAX: usize = 8_192;

/// Longest a REST answer is held (a recorded snapshot whose moment has not come).
pub(super) const REST_HOLD_MAX: Duration = Duration::from_secs(60);
/// REST calls held at once: one for each of many symbols.
pub(super) const REST_HELD_MAX: usize = 4_096;
/// How long playback stands at a recorded snapshot for its request to come.
pub(super) const SNAPSHOT_WAIT: Duration = Duration::from_secs(10);
/// Playing starts when no subscription came for this long: a client subscribes in steps.
pub(super) const SETTLE: Duration = Duration::from_millis(500);
/// Longest wait, after the first subscription, for every recorded venue to be subscribed.
pub(super) const START_WAIT: Duration = Duration::from_secs(30);
/// A longer silence in a recording (or a jump between joined files) is shortened to this.
pub(super) const RECORDED_GAP_MAX: Duration = Duration::from_secs(5);
/// Text of all recorded files together: they are held in memory while played.
pub(super) const RECORDING_BYTES_MAX: usize = 2 << 30;
/// Depth events kept of a symbol whose snapshot has not come yet.
pub(super) const EARLY_EVENTS_MAX: usize = 8_192;

/// Symbols per venue the seed can make.
pub(super) const SYMBOLS_MAX: usize = 1_000;
/// Levels a side every seeded book starts with and returns to.
pub(super) const LEVELS_START: usize = 1_100;
/// Levels a side above which updates delete more than they add.
pub(super) const LEVELS_HIGH: usize = 1_300;
/// Levels a side below which updates add only.
pub(super) const LEVELS_LOW: usize = 1_050;
/// Trades and closed candles a seeded market remembers for REST.
pub(super) const HISTORY_LEN: usize = 1_000;
/// Events of one market in one tick; a rate beyond it is cut, not queued.
pub(super) const STEPS_PER_TICK_MAX: u32 = 10_000;
/// The seeded market moves every 10 ms.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// An interval that is not asked for: longer than any run.
pub(super) const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);
/// Longest line of a recording: an exchangeInfo of all symbols is 2 MB.
pub(super) const LINE_BYTES_MAX: u64 = 64 << 20;
/// Entries played in one turn before mail is looked at again.
pub(super) const PLAY_BATCH: usize = 64;
/// Messages of a symbol looked at to learn its tick and lot size when the recording has no listing.
pub(super) const PROBE_MESSAGES: u32 = 500;
