//! A shard's copy of the node's channel names, told by the tail in mailbox order.

use std::collections::HashMap;
use std::sync::Arc;

use fantail_model::Pattern;

use crate::group::ChannelInfo;

/// Names to numbers, and back.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    channels: Vec<Arc<ChannelInfo>>,
    by_name: HashMap<Arc<str>, u32, foldhash::fast::RandomState>,
}

impl Directory {
    /// Takes a new channel. The tail numbers them densely and tells them in order.
    pub(crate) fn add(&mut self, info: Arc<ChannelInfo>) {
        self.by_name.insert(Arc::clone(&info.name), info.ch);
        self.channels.push(info);
    }

    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn info(&self, ch: u32) -> Option<&Arc<ChannelInfo>> {
        self.channels.get(ch as usize)
    }

    pub(crate) fn name(&self, ch: u32) -> &str {
        self.info(ch).map_or("", |info| &info.name)
    }

    /// Every channel a subscription's pattern matches.
    pub(crate) fn matching(&self, pattern: &Pattern) -> impl Iterator<Item = &Arc<ChannelInfo>> {
        self.channels.iter().filter(|info| pattern.matches(&info.channel))
    }
}
