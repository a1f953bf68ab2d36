//! Slow start: when a backend that comes up counts as warming.

use std::time::Instant;

use super::Roll;

impl Roll {
    /// Begins the slow start of members that have just come up beside others that serve.
    pub(super) fn warm_up(&mut self, came_up: &[usize], now: Instant) {
        for &index in came_up {
            let mut others = self.members.iter().enumerate();
            let others_serve = others.any(|(other, member)| other != index && member.health.is_up());
            let member = &mut self.members[index];
            member.warming_since = (others_serve && member.health.is_up()).then_some(now);
        }
    }
}
