//! A shard's copy of the node's channel names, told by the tail in mailbox order.

use std::collections::HashMap;
use std::sync::Arc;

use fantail_model::{Channel, Interval, Parameter, Pattern};

use crate::group::ChannelInfo;
use crate::variant::{Variants, base_index};

/// Names to numbers, and back. Derived channels are not told: their numbers follow from their
/// parent's.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    channels: Vec<Arc<ChannelInfo>>,
    by_name: HashMap<Arc<str>, u32, foldhash::fast::RandomState>,
    variants: Variants,
}

/// What a concrete channel name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// A channel of this node.
    Number(u32),
    /// Its parent exists, but it is not derived here (an interval that is not configured).
    NotDerived,
    /// Nobody publishes it.
    Unknown,
}

impl Directory {
    pub(crate) fn new(variants: Variants) -> Self {
        Self { variants, ..Self::default() }
    }

    /// Takes a new channel. The tail numbers them densely and tells them in order.
    pub(crate) fn add(&mut self, info: Arc<ChannelInfo>) {
        self.by_name.insert(Arc::clone(&info.name), info.ch);
        self.channels.push(info);
    }

    /// The number of a concrete channel.
    pub(crate) fn resolve(&self, channel: &Channel) -> Resolved {
        let Some(base) = self.by_name.get(channel.base().to_string().as_str()) else {
            return Resolved::Unknown;
        };
        let number = self.variants.number(*base, channel);
        number.map_or(Resolved::NotDerived, Resolved::Number)
    }

    /// The channel of a number.
    pub(crate) fn channel(&self, ch: u32) -> Option<Channel> {
        let base = self.channels.get(base_index(ch))?;
        self.variants.channel(ch, &base.channel)
    }

    /// The name of a number.
    pub(crate) fn name(&self, ch: u32) -> String {
        self.channel(ch).map_or_else(String::new, |channel| channel.to_string())
    }

    /// Every channel a subscription's pattern matches, derived ones included.
    pub(crate) fn matching<'a>(
        &'a self,
        pattern: &'a Pattern,
    ) -> impl Iterator<Item = (u32, Channel)> + 'a {
        self.channels.iter().filter_map(|info| self.derived_for(pattern, info))
    }

    /// The channel of this base a pattern means, if it matches.
    pub(crate) fn derived_for(
        &self,
        pattern: &Pattern,
        base: &ChannelInfo,
    ) -> Option<(u32, Channel)> {
        let mut channel = base.channel.clone();
        channel.interval = pattern.interval();
        if let Some(depth @ Parameter::Depth(_)) = pattern.parameter() {
            channel.parameter = Some(depth);
        }
        if !pattern.matches(&channel) {
            return None;
        }
        Some((self.variants.number(base.ch, &channel)?, channel))
    }

    /// Whether an interval is configured.
    pub(crate) fn has_interval(&self, interval: Interval) -> bool {
        self.variants.has(interval)
    }

    /// The configured intervals, as they are written in names.
    pub(crate) fn intervals(&self) -> String {
        self.variants.words()
    }
}
