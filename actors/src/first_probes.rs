//! Waiting for the first results of backends that were added, by a reload or by a command.

use std::time::Duration;

use lb_core::{
    config::PoolConfig,
    pool::{Identity, Member},
    status::HealthStatus,
};
use tokio::time::timeout;

use crate::RegistryHandle;

/// Added to the longest timeout of a probe.
const PROBE_GRACE: Duration = Duration::from_secs(1);

/// Waits until each of these backends was probed once, and says of those that are not up why. Those that an operator has taken
/// out are no surprise.
pub async fn first_probes(registry: &RegistryHandle, added: &[Identity]) -> Vec<String> {
    let longest = registry
        .snapshot()
        .config()
        .pools
        .values()
        .map(PoolConfig::longest_probe)
        .max();
    let decided = registry.wait_until(|snapshot| {
        let mut members = added
            .iter()
            .filter_map(|one| snapshot.member(&one.pool, &one.url));
        members.all(|member| member.health.is_decided())
    });
    // Not decided in time is a state like any other, and is reported below.
    let _in_time = timeout(longest.unwrap_or_default() + PROBE_GRACE, decided).await;
    let snapshot = registry.snapshot();
    let members = added
        .iter()
        .filter_map(|one| snapshot.member(&one.pool, &one.url));
    let is_surprise =
        |member: &&Member| member.health.may_be_tried() && member.health.status() != HealthStatus::Up;
    members
        .filter(is_surprise)
        .map(|member| {
            let probe = member.backend.last_probe();
            let why = probe.map_or("no result yet".to_owned(), |probe| probe.detail);
            format!("{} is {}: {why}", member.backend.url(), member.health.status())
        })
        .collect()
}
