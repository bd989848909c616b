//! The catalogue of error and close codes, as `schemas/codes.toml` has it.
//!
//! Owns the names and numbers. What a code means, whose fault it is and what to do about it stands
//! in the catalogue; when to use which is the caller's decision.

use std::fmt;

/// A row of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A command or request that cannot be understood.
    BadRequest,
    /// A channel name outside the grammar.
    InvalidChannel,
    /// A well-formed channel nobody publishes.
    UnknownChannel,
    /// Not permitted by the credentials.
    Forbidden,
    /// In the grammar, not served yet.
    Unsupported,
    /// More than a session or command may hold.
    LimitExceeded,
    /// Faster than a session may go.
    RateExceeded,
    /// A resume position this node never reached.
    PositionUnknown,
    /// Unsubscribe from something the session does not hold.
    NotSubscribed,
    /// Credentials missing, malformed, badly signed or for someone else.
    TokenInvalid,
    /// Credentials that have ended.
    TokenExpired,
    /// An API key that is not configured.
    KeyUnknown,
    /// An `Origin` that is not allowed.
    OriginForbidden,
    /// An address that is not allowed.
    IpForbidden,
    /// Too many sockets of one client, user or node.
    TooManyConnections,
    /// The node is leaving.
    Draining,
    /// No such path or item.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The node goes away.
    GoingAway,
    /// Bytes that are not RFC 6455.
    ProtocolError,
    /// A binary message where text is spoken, or the reverse.
    UnsupportedData,
    /// Invalid UTF-8 or a corrupt compressed message.
    InvalidPayload,
    /// A named rule of behaviour was broken.
    Policy,
    /// A message above the size limit.
    MessageTooBig,
    /// A bug on our side.
    Internal,
    /// The node restarts.
    Restart,
    /// The node cannot take more.
    Overloaded,
    /// Credentials ended or were revoked during the session.
    CredentialsExpired,
    /// Silent for two heartbeat intervals.
    HeartbeatMissed,
    /// The client reads slower than its channels flow.
    TooSlow,
}

/// Name, close code, HTTP status.
type Row = (&'static str, Option<u16>, Option<u16>);

impl Code {
    /// Every code, in the catalogue's order.
    pub const ALL: [Code; 30] = [
        Self::BadRequest,
        Self::InvalidChannel,
        Self::UnknownChannel,
        Self::Forbidden,
        Self::Unsupported,
        Self::LimitExceeded,
        Self::RateExceeded,
        Self::PositionUnknown,
        Self::NotSubscribed,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::KeyUnknown,
        Self::OriginForbidden,
        Self::IpForbidden,
        Self::TooManyConnections,
        Self::Draining,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::GoingAway,
        Self::ProtocolError,
        Self::UnsupportedData,
        Self::InvalidPayload,
        Self::Policy,
        Self::MessageTooBig,
        Self::Internal,
        Self::Restart,
        Self::Overloaded,
        Self::CredentialsExpired,
        Self::HeartbeatMissed,
        Self::TooSlow,
    ];

    /// The name clients see.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// The WebSocket close code that carries it, if a session may end with it.
    pub const fn close_code(self) -> Option<u16> {
        self.row().1
    }

    /// The HTTP status of a refused handshake or REST request, if it can end so.
    pub const fn http_status(self) -> Option<u16> {
        self.row().2
    }

    const fn row(self) -> Row {
        match self {
            Self::BadRequest => ("BAD_REQUEST", None, Some(400)),
            Self::InvalidChannel => ("INVALID_CHANNEL", None, Some(400)),
            Self::UnknownChannel => ("UNKNOWN_CHANNEL", None, Some(404)),
            Self::Forbidden => ("FORBIDDEN", Some(4403), Some(403)),
            Self::Unsupported => ("UNSUPPORTED", None, Some(501)),
            Self::LimitExceeded => ("LIMIT_EXCEEDED", None, Some(400)),
            Self::RateExceeded => ("RATE_EXCEEDED", Some(4429), Some(429)),
            Self::PositionUnknown => ("POSITION_UNKNOWN", None, None),
            Self::NotSubscribed => ("NOT_SUBSCRIBED", None, None),
            Self::TokenInvalid => ("TOKEN_INVALID", None, Some(401)),
            Self::TokenExpired => ("TOKEN_EXPIRED", None, Some(401)),
            Self::KeyUnknown => ("KEY_UNKNOWN", None, Some(401)),
            Self::OriginForbidden => ("ORIGIN_FORBIDDEN", None, Some(403)),
            Self::IpForbidden => ("IP_FORBIDDEN", None, Some(403)),
            Self::TooManyConnections => ("TOO_MANY_CONNECTIONS", None, Some(429)),
            Self::Draining => ("DRAINING", None, Some(503)),
            Self::NotFound => ("NOT_FOUND", None, Some(404)),
            Self::MethodNotAllowed => ("METHOD_NOT_ALLOWED", None, Some(405)),
            Self::GoingAway => ("GOING_AWAY", Some(1001), None),
            Self::ProtocolError => ("PROTOCOL_ERROR", Some(1002), None),
            Self::UnsupportedData => ("UNSUPPORTED_DATA", Some(1003), None),
            Self::InvalidPayload => ("INVALID_PAYLOAD", Some(1007), None),
            Self::Policy => ("POLICY", Some(1008), None),
            Self::MessageTooBig => ("MESSAGE_TOO_BIG", Some(1009), Some(413)),
            Self::Internal => ("INTERNAL", Some(1011), Some(500)),
            Self::Restart => ("RESTART", Some(1012), None),
            Self::Overloaded => ("OVERLOADED", Some(1013), Some(503)),
            Self::CredentialsExpired => ("CREDENTIALS_EXPIRED", Some(4401), None),
            Self::HeartbeatMissed => ("HEARTBEAT_MISSED", Some(4408), None),
            Self::TooSlow => ("TOO_SLOW", Some(4409), None),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
