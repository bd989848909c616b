//! The bounds of the public listener's HTTP, each with its reason. Owns numbers only.

/// Seconds a client has to send its request's head, from accept: an absolute deadline, so that a
/// byte per second doesn't hold a connection open.
pub(super) const HEADER_READ_SECONDS_MAX: u64 = 5;

/// Bytes of a request's head: a token is up to 8 KiB, browsers add about 2.
pub(super) const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Header lines of a request: browsers send about 20.
pub(super) const HEADERS_MAX: usize = 64;

/// Bytes buffered of a connection before it is a session: one whole head and little more.
pub(super) const READ_BUFFER_BYTES_MAX: usize = HEADER_BYTES_MAX + 1024;

/// Subprotocols a client may offer: ours are three, and a bearer token.
pub(super) const SUBPROTOCOLS_MAX: usize = 16;

/// Bytes of a client's text repeated in an error message.
pub(super) const ECHO_BYTES_MAX: usize = 64;

/// Seconds a client whose request never came is given to take its answer.
pub(super) const DISMISSED_SECONDS_MAX: u64 = 1;

/// Bytes read and thrown away of such a client, so that its answer is not lost in a reset.
pub(super) const DISMISSED_BYTES_MAX: u64 = 64 * 1024;
