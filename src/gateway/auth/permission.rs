//! What an identity may subscribe to, and how its limits differ from the node's.
//!
//! Owns the grants and both questions about them. Input: patterns of a token's claim or a key's
//! record. It knows nothing of sessions.

use fantail_model::{Channel, ChannelError, Kind, Pattern};
use fantail_wire::client::Limits;
use serde::Deserialize;

use super::limits::ceiling;

/// The channels an identity may see. Empty means none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permission(Vec<Pattern>);

/// Limits that differ from the node's, where given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitOverrides {
    /// Most channels a session may hold.
    pub channels: Option<u32>,
    /// Most channels a command may name.
    pub channels_per_command: Option<u32>,
    /// Sustained commands per second.
    pub commands_per_s: Option<u32>,
    /// Commands allowed in a burst.
    pub commands_burst: Option<u32>,
    /// Longest message a client may send, in bytes.
    pub message_bytes: Option<u32>,
}

impl Permission {
    /// A permission of these grants.
    #[must_use]
    pub fn new(grants: Vec<Pattern>) -> Self {
        Self(grants)
    }

    /// Every channel of every venue.
    #[must_use]
    pub fn everything() -> Self {
        let all = |kind: Kind| match kind {
            Kind::Cbbo => parse_grant("cbbo:*"),
            kind => parse_grant(&format!("{}:*:*", kind.as_str())),
        };
        Self(Kind::ALL.into_iter().filter_map(|kind| all(kind).ok()).collect())
    }

    /// Whether a channel may be seen.
    #[must_use]
    pub fn allows(&self, channel: &Channel) -> bool {
        self.0.iter().any(|grant| grant.grants(channel))
    }

    /// Whether some channel of a subscription's pattern may be seen. Says yes also where no such
    /// channel exists yet: what a pattern expands to is checked channel by channel.
    #[must_use]
    pub fn allows_some(&self, wanted: &Pattern) -> bool {
        match wanted.channel() {
            Some(channel) => self.allows(&channel),
            None => self.0.iter().any(|grant| overlaps(grant, wanted)),
        }
    }

    /// The grants, as they are written.
    #[must_use]
    pub fn grants(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

/// Reads a grant: a pattern, in which a candle's length may be left out, since grants ignore it.
pub(super) fn parse_grant(text: &str) -> Result<Pattern, ChannelError> {
    let is_short_candle =
        text.starts_with("candle:") && text.matches(':').count() == 2 && !text.contains('@');
    if is_short_candle { format!("{text}:1m").parse() } else { text.parse() }
}

/// Whether a channel could match both: same kind (or the status that comes with any grant of a
/// venue), and no segment in which both insist on different names.
fn overlaps(grant: &Pattern, wanted: &Pattern) -> bool {
    let is_status_of_venue = wanted.kind() == Kind::Status && grant.kind() != Kind::Cbbo;
    if grant.kind() != wanted.kind() && !is_status_of_venue {
        return false;
    }
    let (grant, wanted) = (grant.to_string(), wanted.to_string());
    let segments = |text: &str| -> Vec<String> {
        let path = text.split('@').next().unwrap_or_default();
        path.split(':').skip(1).take(2).map(str::to_owned).collect()
    };
    let agree = |(a, b): (&String, &String)| a == b || a == "*" || b == "*";
    segments(&grant).iter().zip(&segments(&wanted)).all(agree)
}

impl LimitOverrides {
    /// The limits of a session: the node's, but for what is given, up to a ceiling.
    #[must_use]
    pub fn apply(&self, node: Limits) -> Limits {
        let pick = |own: Option<u32>, node: u32, ceiling: u32| {
            own.map_or(node, |own| own.clamp(1, ceiling.max(node)))
        };
        Limits {
            channels: pick(self.channels, node.channels, ceiling::CHANNELS),
            channels_per_command: pick(
                self.channels_per_command,
                node.channels_per_command,
                ceiling::CHANNELS_PER_COMMAND,
            ),
            commands_per_s: pick(self.commands_per_s, node.commands_per_s, ceiling::COMMANDS_PER_S),
            commands_burst: pick(self.commands_burst, node.commands_burst, ceiling::COMMANDS_BURST),
            message_bytes: pick(self.message_bytes, node.message_bytes, ceiling::MESSAGE_BYTES),
        }
    }
}
