//! A report for tests of what is printed: a balancer at rest.

use lb_core::status::{BackendStatus, PoolStatus, StatusReport};

/// A backend that is up and has done nothing.
pub(super) fn backend(url: String) -> BackendStatus {
    BackendStatus {
        url,
        weight: 1,
        ..BackendStatus::default()
    }
}

/// A balancer with these pools.
pub(super) fn report<const POOLS: usize>(pools: [(&str, Vec<BackendStatus>); POOLS]) -> StatusReport {
    let pool = |(name, backends): (&str, _)| PoolStatus {
        name: name.to_owned(),
        backends,
        ..PoolStatus::default()
    };
    StatusReport {
        pools: pools.map(pool).into(),
        ..StatusReport::default()
    }
}
