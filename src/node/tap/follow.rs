//! Where each channel stands: its chain is checked, and a reconnect resumes from here.

use std::collections::HashMap;

use fantail_wire::client::{Command, DataMessage, From, Id, Reply, ServerMessage, SubscribeItem};

/// Channels named in one subscribe command, within every server's limit.
const CHANNELS_PER_COMMAND: usize = 100;

/// All followed channels.
#[derive(Debug, Default)]
pub(super) struct Follower {
    places: HashMap<String, From>,
    /// Names by the node's numbers (Protobuf messages carry only these).
    names: HashMap<u32, String>,
    /// Events whose `prev` lies beyond what came before: silent loss, which must not happen.
    pub(super) holes: u64,
    /// Ranges the server said it cannot deliver.
    pub(super) gaps: u64,
    /// Losses of the venue's own.
    pub(super) venue_gaps: u64,
    /// Channels that went on after a reconnect without a hole.
    pub(super) resumed: u64,
}

impl Follower {
    /// True before anything was acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Commands that start (or resume) everything.
    pub(super) fn subscribe(&mut self, wanted: &[String]) -> Vec<Command> {
        self.names.clear();
        let item = |channel: &String, from: Option<&From>| SubscribeItem {
            channel: channel.clone(),
            from: from.copied(),
            history: None,
        };
        let known = self.places.iter().map(|(channel, place)| item(channel, Some(place)));
        let fresh = wanted.iter().filter(|channel| !self.places.contains_key(*channel));
        let items: Vec<_> = known.chain(fresh.map(|channel| item(channel, None))).collect();
        let commands = items.chunks(CHANNELS_PER_COMMAND).enumerate();
        let command = |(number, channels): (usize, &[SubscribeItem])| Command::Subscribe {
            id: i64::try_from(number + 1).ok().map(Id::Number),
            channels: channels.to_vec(),
        };
        commands.map(command).collect()
    }

    /// Puts the channel's name into messages that carry only its number.
    pub(super) fn name(&mut self, message: &mut ServerMessage) {
        match message {
            ServerMessage::Reply(Reply::Subscribed { channels, .. }) => {
                for ack in channels {
                    self.names.insert(ack.ch, ack.channel.clone());
                }
            }
            ServerMessage::Data(data) => self.put_name(&mut data.channel, data.ch),
            ServerMessage::Snapshot(snapshot) => self.put_name(&mut snapshot.channel, snapshot.ch),
            ServerMessage::Batch(batch) => {
                for data in batch {
                    self.put_name(&mut data.channel, data.ch);
                }
            }
            ServerMessage::Reply(
                Reply::Gap { channel, ch, .. } | Reply::Stale { channel, ch, .. },
            ) => {
                self.put_name(channel, *ch);
            }
            ServerMessage::Reply(_) => {}
        }
    }

    fn put_name(&self, channel: &mut String, ch: u32) {
        if channel.is_empty()
            && let Some(name) = self.names.get(&ch)
        {
            channel.clone_from(name);
        }
    }

    /// Moves the places on, and counts what is missing.
    pub(super) fn take(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Reply(Reply::Subscribed { channels, .. }) => {
                for ack in channels {
                    self.resumed += u64::from(ack.resumed);
                    let (epoch, seq) = (ack.epoch.unwrap_or(0), ack.seq.unwrap_or(0));
                    let place = From { epoch, seq, rx: None };
                    self.places.entry(ack.channel.clone()).or_insert(place);
                    if !ack.resumed {
                        self.places.insert(ack.channel.clone(), place);
                    }
                }
            }
            ServerMessage::Reply(Reply::Gap { channel, epoch, to, .. }) => {
                self.gaps += 1;
                if let (Some(place), Some(seq)) = (self.places.get_mut(channel), to) {
                    *place = From { epoch: *epoch, seq: *seq, rx: None };
                }
            }
            ServerMessage::Reply(_) => {}
            ServerMessage::Snapshot(snapshot) => {
                if let Some(position) = snapshot.position {
                    let rx = Some(snapshot.rx.0);
                    let place = From { epoch: position.epoch, seq: position.seq, rx };
                    self.places.insert(snapshot.channel.clone(), place);
                }
            }
            ServerMessage::Data(data) => self.take_data(data),
            ServerMessage::Batch(batch) => batch.iter().for_each(|data| self.take_data(data)),
        }
    }

    fn take_data(&mut self, data: &DataMessage) {
        use fantail_model::Body;
        let event = &data.event;
        self.venue_gaps += u64::from(matches!(event.body, Body::VenueGap(_)));
        let place = self.places.entry(data.channel.clone()).or_insert(From {
            epoch: event.position.epoch,
            seq: event.prev,
            rx: None,
        });
        let new_epoch = event.position.epoch > place.epoch;
        if !data.snapshot && !new_epoch && event.prev > place.seq {
            self.holes += 1;
            eprintln!(
                "{}: hole: had {}, got {} after {}",
                data.channel, place.seq, event.position.seq, event.prev
            );
        }
        if new_epoch {
            place.epoch = event.position.epoch;
        }
        place.seq = event.position.seq;
        place.rx = Some(event.rx.0);
    }
}
