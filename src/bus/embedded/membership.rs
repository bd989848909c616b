//! Groups of the in-process bus: partitions are dealt to the members in the order they joined.
//! Owns who is a member; there is nobody who could be paused unnoticed, so all is always sure.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::bell::Bell;
use crate::membership::{Held, Membership, MembershipError};

/// All groups of a bus.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// A lock, because members join and leave on any thread; held for one list operation.
    members: Mutex<HashMap<String, Vec<u64>>>,
    bells: Mutex<Vec<(u64, Arc<Bell>)>>,
}

pub(super) struct EmbeddedMembership {
    groups: Arc<Groups>,
    group: String,
    partitions: u32,
    number: u64,
    bell: Arc<Bell>,
    told: Option<Held>,
}

impl Groups {
    fn members(&self) -> MutexGuard<'_, HashMap<String, Vec<u64>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bells(&self) -> MutexGuard<'_, Vec<(u64, Arc<Bell>)>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        self.bells().iter().for_each(|(_, bell)| bell.wake());
    }
}

impl EmbeddedMembership {
    pub(super) fn join(groups: Arc<Groups>, group: &str, partitions: u32, number: u64) -> Self {
        let bell = Arc::new(Bell::default());
        groups.members().entry(group.to_owned()).or_default().push(number);
        groups.bells().push((number, Arc::clone(&bell)));
        groups.ring();
        Self { groups, group: group.to_owned(), partitions, number, bell, told: None }
    }

    fn held(&self) -> Held {
        let members = self.groups.members();
        let members = members.get(&self.group).map_or(&[][..], Vec::as_slice);
        let at = members.iter().position(|number| *number == self.number);
        let partitions = match at {
            Some(at) => (0..self.partitions).skip(at).step_by(members.len().max(1)).collect(),
            None => Default::default(),
        };
        Held { partitions, is_sure: true }
    }
}

impl Membership for EmbeddedMembership {
    fn poll(&mut self, timeout: Duration) -> Result<Held, MembershipError> {
        let held = self.held();
        if self.told.as_ref() == Some(&held) {
            self.bell.wait(timeout);
        }
        let held = self.held();
        self.told = Some(held.clone());
        Ok(held)
    }
}

impl Drop for EmbeddedMembership {
    fn drop(&mut self) {
        if let Some(members) = self.groups.members().get_mut(&self.group) {
            members.retain(|number| *number != self.number);
        }
        self.groups.bells().retain(|(number, _)| *number != self.number);
        self.groups.ring();
    }
}
