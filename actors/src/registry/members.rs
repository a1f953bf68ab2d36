//! What a configuration makes of a backend: a new member of a pool, or a change of one that stays.

use std::{collections::HashMap, sync::Arc, time::Instant};

use lb_core::{
    config::{BackendConfig, BackendUrl, Config, HealthCheck, PoolConfig},
    health::{Admin, Health},
    pool::{Backend, Member},
};

use crate::probe::literal_address;

pub(super) type Identity = (Arc<str>, BackendUrl);
pub(super) type Checks = HashMap<Identity, Arc<HealthCheck>>;

/// How each backend is probed, of those that are; what was changed of it live counts as if the file said it.
pub(super) fn checks(config: &Config, members: &HashMap<Identity, Member>) -> Checks {
    let mut checks = Checks::new();
    for (name, pool) in &config.pools {
        let shared = Arc::new(pool.health_check.clone());
        for backend in &pool.backends {
            let identity = (Arc::clone(name), backend.url.clone());
            let live = members.get(&identity).map(|member| member.live);
            let live = live.unwrap_or_default().rewritten(backend);
            if live.over(backend).check(&shared).is_some() {
                let check = backend.own_check.as_ref().unwrap_or(&shared);
                checks.insert(identity, Arc::clone(check));
            }
        }
    }
    checks
}

pub(super) fn new_member(
    backend: Arc<Backend>,
    (pool, config): (&PoolConfig, &BackendConfig),
    health: Health,
    now: Instant,
) -> Member {
    backend.set_failures_limit(failures_limit(pool));
    if let Some(address) = literal_address(&config.url) {
        backend.set_addresses(&[address]);
    }
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
pub(super) fn change_member(
    member: &mut Member,
    (pool, config): (&PoolConfig, &BackendConfig),
    now: Instant,
) -> bool {
    member.live = member.live.rewritten(config);
    let config = &member.live.over(config);
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
    pool.ejection
        .as_ref()
        .and_then(|rules| rules.consecutive)
        .unwrap_or(0)
}
