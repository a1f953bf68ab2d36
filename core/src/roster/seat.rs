//! What a configuration makes of a backend: a new member of a pool, or a change of one that stays.

use std::{sync::Arc, time::Instant};

use crate::{
    config::{BackendConfig, PoolConfig},
    health::{Admin, Health},
    pool::{Backend, Member},
};

/// A member's place, as the configuration has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat<'a> {
    pub(super) pool: &'a PoolConfig,
    pub(super) config: &'a BackendConfig,
}

/// The seats of a pool, in the order of the file.
pub(super) fn backends_of(pool: &PoolConfig) -> impl Iterator<Item = Seat<'_>> {
    pool.backends.iter().map(move |config| Seat { pool, config })
}

/// A backend that has not been there before, in this health if it is probed.
pub(super) fn new_member(backend: Arc<Backend>, seat: Seat<'_>, health: Health, now: Instant) -> Member {
    let Seat { pool, config } = seat;
    backend.set_failures_limit(failures_limit(pool));
    let probed = config.check(&pool.health_check).is_some();
    let mut health = if probed { health } else { Health::unprobed() };
    health.set_admin(Admin::configured(config.drain, config.maintenance), probed);
    Member {
        probed,
        ..Member::new(backend, config, health, now)
    }
}

/// Takes over what a configuration says of a backend that stays, under what was changed of it live; what is known of it
/// stays, too. `true` if it serves again with that.
pub(super) fn change_member(member: &mut Member, seat: Seat<'_>, now: Instant) -> bool {
    let pool = seat.pool;
    member.live = member.live.rewritten(seat.config);
    let config = &member.live.over(seat.config);
    let before = member.health.status();
    let probed = config.check(&pool.health_check).is_some();
    let (was, admin) = (
        member.health.admin(),
        Admin::configured(config.drain, config.maintenance),
    );
    if !was.is_same_order(&admin) {
        member.health.set_admin(admin, probed);
    }
    // A maintenance begins and ends with what is known of probes.
    let in_service = was != Admin::Maintenance && admin != Admin::Maintenance;
    if in_service && member.probed != probed {
        member.health.set_probed(probed);
    }
    member.probed = probed;
    member.weight = config.weight;
    member.priority = config.priority;
    member.max_connections = config.max_connections;
    member.backend.set_failures_limit(failures_limit(pool));
    member.note_change(before, now)
}

/// After how many failures in a row a request says so; 0: never.
fn failures_limit(pool: &PoolConfig) -> u32 {
    let rules = pool.ejection.as_ref();
    rules.and_then(|rules| rules.consecutive).unwrap_or(0)
}
