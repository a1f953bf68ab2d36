//! A pool's judge over its members: counters in, health out.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::Member;
use crate::health::{Judge, Ruling, Standards, Subject};

/// Between two judgements of one pool that requests ask for: where many fail at once, they ask thousands of times a second.
pub const JUDGING_PAUSE: Duration = Duration::from_millis(20);

/// Judges the members of one pool by what requests met there, and changes their health by it. The [roster](crate::roster) calls this on a tick.
pub fn judge(
    judge: &mut Judge,
    standards: Standards<'_>,
    members: &mut [Member],
    now: Instant,
) -> Vec<Ruling> {
    let reads_traffic = standards
        .rules
        .is_some_and(|rules| judge.wants_traffic(rules, now));
    let mut subjects: Vec<Subject<'_>> = members
        .iter_mut()
        .map(|member| Subject {
            id: member.backend.id(),
            health: &mut member.health,
            era: member.backend.era(),
            in_a_row: member.backend.failures_in_a_row(),
            reached: member.backend.take_reached(),
            traffic: if reads_traffic {
                member.backend.traffic()
            } else {
                Default::default()
            },
        })
        .collect();
    let rulings = judge.judge(standards, &mut subjects, now);
    if rulings.is_empty() {
        return rulings;
    }
    let numbers = members.iter().enumerate();
    let places: HashMap<u64, usize> = numbers
        .map(|(index, member)| (member.backend.id(), index))
        .collect();
    for ruling in &rulings {
        if matches!(ruling, Ruling::Spared { .. }) {
            continue;
        }
        let place = places.get(&ruling.backend());
        let Some(member) = place.and_then(|&index| members.get_mut(index)) else {
            continue;
        };
        member.since = now;
        if matches!(ruling, Ruling::Returned { .. }) {
            member.backend.forget_failures();
        }
    }
    rulings
}
