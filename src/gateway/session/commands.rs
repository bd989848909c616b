//! One command → actions.

use std::time::Duration;

use fantail_model::Micros;
use fantail_wire::client::{Command, CommandError, Details, Id, Reply};
use fantail_wire::codes::Code;

use super::directory::Directory;
use super::state::{Action, SessionState};
use crate::auth::Authenticator;

/// What a command is answered with.
pub(crate) struct Context<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) authenticator: &'a Authenticator,
    /// Monotonic.
    pub(crate) now: Duration,
    pub(crate) wall: Micros,
}

impl SessionState {
    /// Takes one command, or the reason why it could not be read.
    pub(crate) fn command(
        &mut self,
        command: Result<Command, CommandError>,
        context: &Context<'_>,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        if !self.commands.take(context.now) {
            let id = command.as_ref().map_or_else(|e| e.id.clone(), |c| id_of(c).cloned());
            let message = format!(
                "more than {} commands a second (burst {}); slow down",
                self.limits.commands_per_s, self.limits.commands_burst
            );
            let limit = Some(self.limits.commands_per_s.into());
            let details = Details { limit, ..Details::default() };
            actions.push(error(id, Code::RateExceeded, message, details));
            self.abused(context.now, &mut actions);
            return actions;
        }
        match command {
            Ok(Command::Subscribe { id, channels }) => {
                self.subscribe(id, channels, context, &mut actions);
            }
            Ok(Command::Unsubscribe { id, channels }) => {
                self.unsubscribe(id, &channels, context, &mut actions);
            }
            Ok(Command::List { id }) => actions.push(self.list(id, context.directory)),
            Ok(Command::Ping { id }) => {
                actions.push(Action::Reply(Reply::Pong { id, time: context.wall }));
            }
            Ok(Command::Auth { id, token }) => self.auth(id, &token, context, &mut actions),
            Err(refused) => {
                let at = refused.at.map(|at| at as u64);
                let details = Details { at, ..Details::default() };
                actions.push(error(refused.id, refused.code, refused.message, details));
                self.abused(context.now, &mut actions);
            }
        }
        actions
    }

    fn list(&self, id: Option<Id>, directory: &Directory) -> Action {
        let channels = self.held.iter().map(|held| directory.name(held.ch)).collect();
        let patterns = self.patterns.iter().map(ToString::to_string).collect();
        Action::Reply(Reply::Subscriptions { id, channels, patterns })
    }

    /// A fresh token: the same user, possibly other channels.
    fn auth(
        &mut self,
        id: Option<Id>,
        token: &str,
        context: &Context<'_>,
        actions: &mut Vec<Action>,
    ) {
        let identity = match context.authenticator.renew(&self.identity, token) {
            Ok(identity) => identity,
            Err(refusal) => {
                let message = refusal.message().to_owned();
                actions.push(error(id, refusal.code(), message, Details::default()));
                self.abused(context.now, actions);
                return;
            }
        };
        self.renew(identity);
        let expires = self.identity.expires();
        actions.push(Action::Reply(Reply::Authenticated { id, expires }));
        self.revoke(context.directory, actions);
    }
}

/// An error reply.
pub(super) fn error(id: Option<Id>, code: Code, message: String, details: Details) -> Action {
    Action::Reply(Reply::Error { id, code, message, details })
}

fn id_of(command: &Command) -> Option<&Id> {
    match command {
        Command::Subscribe { id, .. }
        | Command::Unsubscribe { id, .. }
        | Command::List { id }
        | Command::Ping { id }
        | Command::Auth { id, .. } => id.as_ref(),
    }
}
