//! Stopping channels and patterns, by the client's wish or because permission ended.

use fantail_model::Pattern;
use fantail_wire::client::{Id, Refusal, Reply};
use fantail_wire::codes::Code;

use super::commands::Context;
use super::directory::{Directory, Resolved};
use super::state::{Action, SessionState};

impl SessionState {
    /// An unsubscribe command, answered at once.
    pub(super) fn unsubscribe(
        &mut self,
        id: Option<Id>,
        names: &[String],
        context: &Context<'_>,
        actions: &mut Vec<Action>,
    ) {
        let (mut channels, mut errors) = (Vec::new(), Vec::new());
        for name in names {
            match self.stop(name, context.directory, actions) {
                Ok(()) => channels.push(name.clone()),
                Err((code, message)) => {
                    errors.push(Refusal { channel: name.clone(), code, message });
                }
            }
        }
        if !errors.is_empty() {
            self.abused(context.now, actions);
        }
        actions.push(Action::Reply(Reply::Unsubscribed { id, channels, errors, reason: None }));
    }

    fn stop(
        &mut self,
        name: &str,
        directory: &Directory,
        actions: &mut Vec<Action>,
    ) -> Result<(), (Code, String)> {
        let pattern: Pattern = name.parse().map_err(|error: fantail_model::ChannelError| {
            (Code::InvalidChannel, error.to_string())
        })?;
        let not_held = || (Code::NotSubscribed, "the session does not hold this".to_owned());
        if pattern.is_wildcard() {
            let at = self.patterns.iter().position(|held| *held == pattern).ok_or_else(not_held)?;
            self.patterns.remove(at);
            self.drop_unheld(directory, actions);
            return Ok(());
        }
        let channel = pattern.channel().ok_or_else(not_held)?;
        let Resolved::Number(ch) = directory.resolve(&channel) else { return Err(not_held()) };
        let held = self.held.get_mut(ch).ok_or_else(not_held)?;
        held.explicit = false;
        if let Some(pattern) = self.patterns.iter().find(|held| held.matches(&channel)) {
            let message = format!("the pattern {pattern} holds it; unsubscribe that");
            return Err((Code::NotSubscribed, message));
        }
        self.leave(ch, actions);
        Ok(())
    }

    /// Stops every channel that no pattern and no name holds any more.
    fn drop_unheld(&mut self, directory: &Directory, actions: &mut Vec<Action>) {
        let unheld: Vec<u32> = self
            .held
            .iter()
            .filter(|held| !held.explicit)
            .filter(|held| {
                directory.channel(held.ch).is_none_or(|channel| {
                    !self.patterns.iter().any(|pattern| pattern.matches(&channel))
                })
            })
            .map(|held| held.ch)
            .collect();
        for ch in unheld {
            self.leave(ch, actions);
        }
    }

    /// Stops what the (new) credentials no longer cover, and says so.
    pub(super) fn revoke(&mut self, directory: &Directory, actions: &mut Vec<Action>) {
        let permission = self.identity.permission.clone();
        self.patterns.retain(|pattern| permission.allows_some(pattern));
        let revoked: Vec<u32> = self
            .held
            .iter()
            .filter(|held| {
                directory.channel(held.ch).is_some_and(|channel| !permission.allows(&channel))
            })
            .map(|held| held.ch)
            .collect();
        if revoked.is_empty() {
            return;
        }
        let channels = revoked.iter().map(|ch| directory.name(*ch)).collect();
        for ch in revoked {
            self.leave(ch, actions);
        }
        let (id, errors, reason) = (None, Vec::new(), Some("revoked".into()));
        actions.push(Action::Reply(Reply::Unsubscribed { id, channels, errors, reason }));
    }

    fn leave(&mut self, ch: u32, actions: &mut Vec<Action>) {
        if let Some(held) = self.held.remove(ch) {
            actions.push(Action::Leave(ch, held.phase));
        }
    }
}
