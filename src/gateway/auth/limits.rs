//! The bounds of authentication, each with its reason. Owns numbers only.

use std::time::Duration;

/// Bytes of a token: ours are under 1 KiB; identity providers add groups, but a header line of
/// more than this is an attack on the parser.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Bytes of a whole API key, prefix included: a 256-bit secret in hex is 64.
pub const API_KEY_BYTES_MAX: usize = 256;

/// Bytes of a user's name (`sub`): it is told in `welcome` and written to logs.
pub const USER_BYTES_MAX: usize = 256;

/// Channel patterns of one identity: each is tried for each subscription.
pub const GRANTS_MAX: usize = 256;

/// Verification keys configured: a token without `kid` is tried against each.
pub const KEYS_MAX: usize = 32;

/// API keys configured: each is a few hundred bytes.
pub const API_KEYS_MAX: usize = 10_000;

/// Allowed origins configured; matching is linear.
pub const ORIGINS_MAX: usize = 64;

/// Address ranges a list may hold; matching is linear and comes before everything else.
pub const NETWORKS_MAX: usize = 1_024;

/// Bytes of a key file: a PEM of RSA-8192 is under 2 KiB.
pub const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Shortest HMAC secret, in bytes: RFC 7518 §3.2 wants as many bits as the hash has.
pub const HMAC_SECRET_BYTES_MIN: usize = 32;

/// Smallest RSA modulus, in bits (RFC 7518 §3.3).
pub const RSA_BITS_MIN: usize = 2_048;

/// Most clock difference that may be tolerated between an issuer and us.
pub const LEEWAY_MAX: Duration = Duration::from_secs(300);

/// Last second a token may name: client times are integers below 2^53 µs.
pub const EXPIRY_SECONDS_MAX: u64 = (1 << 53) / 1_000_000;

/// How long failed attempts of an address are counted together.
pub const FAILURE_WINDOW: Duration = Duration::from_secs(60);

/// Addresses whose failures are remembered, about 5 MB. At the bound new addresses are not
/// counted until old windows end: keys have 256 bits, so guessing stays hopeless, and honest
/// clients are not locked out by a flood.
pub const FAILING_ADDRESSES_MAX: usize = 65_536;

/// Levels of nesting read in a token.
pub const TOKEN_DEPTH_MAX: usize = 16;

/// What a claim may raise a session's limits to: the claim is signed, but by a person.
pub mod ceiling {
    /// Channels of a session.
    pub const CHANNELS: u32 = 16_384;
    /// Channels named by a command.
    pub const CHANNELS_PER_COMMAND: u32 = 2_000;
    /// Commands per second.
    pub const COMMANDS_PER_S: u32 = 1_000;
    /// Commands in a burst.
    pub const COMMANDS_BURST: u32 = 2_000;
    /// Bytes of a client's message.
    pub const MESSAGE_BYTES: u32 = 1_048_576;
}
