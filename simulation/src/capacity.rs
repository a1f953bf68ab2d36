//! What a pool manages when all is well: what those of its backends manage that requests go to then. Who is drained or in
//! maintenance gets none, and who stands in for others gets none before they fail, so neither counts: a load is measured
//! by this, and half of what nobody gets is too much for the rest.

use std::collections::BTreeMap;

use super::Scenario;
use lb_core::{
    config::{BackendConfig, Failover, Priority},
    health::Admin,
    pool::tier_loads,
};

/// Backends of one priority.
#[derive(Debug, Default)]
struct Tier {
    /// The weight of those that serve.
    up: u64,
    /// The weight of all.
    all: u64,
    /// The slots of those that serve.
    slots: u64,
    /// The part of all requests that it gets, 0 to 1.
    load: f64,
}

impl Scenario {
    /// Requests a second that the pool manages when all is well; 0 if nobody serves. Where tiers share the load, it is full
    /// when the first of them is.
    pub fn capacity(&self) -> f64 {
        let tiers = self.tiers();
        let loaded = tiers.values().filter(|tier| tier.load > 0.0);
        let full = loaded.map(|tier| tier.slots as f64 / tier.load);
        full.reduce(f64::min).unwrap_or(0.0) / self.service.mean_seconds()
    }

    /// How many requests each backend works on at the same time, at most, while all is well: its slots, if it serves then
    /// and may hold so many requests.
    pub fn serving_slots(&self) -> Vec<u32> {
        let tiers = self.tiers();
        let is_loaded = |priority| tiers.get(priority).is_some_and(|tier| tier.load > 0.0);
        self.slots()
            .map(|(backend, slots)| {
                if serves(backend) && is_loaded(&backend.priority) {
                    slots
                } else {
                    0
                }
            })
            .collect()
    }

    /// The tiers, as [`Pool`](lb_core::pool::Pool) makes them at the start.
    fn tiers(&self) -> BTreeMap<Priority, Tier> {
        let mut tiers: BTreeMap<Priority, Tier> = BTreeMap::new();
        for (backend, slots) in self.slots() {
            let tier = tiers.entry(backend.priority).or_default();
            let weight = u64::from(backend.weight.get());
            tier.all += weight;
            if serves(backend) {
                tier.up += weight;
                tier.slots += u64::from(slots);
            }
        }
        tiers.retain(|_, tier| tier.up > 0);
        let loads = match self.pool.failover {
            Failover::Whole => vec![1.0],
            Failover::Gradual { overprovisioning } => {
                let weights: Vec<_> = tiers.values().map(|tier| (tier.up, tier.all)).collect();
                tier_loads(&weights, overprovisioning.get())
            }
        };
        for (tier, load) in tiers.values_mut().zip(loads) {
            tier.load = load;
        }
        tiers
    }

    /// Each backend with the slots that can work, given how many requests it may hold.
    fn slots(&self) -> impl Iterator<Item = (&BackendConfig, u32)> {
        let backends = self.pool.backends.iter().zip(&self.backends);
        backends.map(|(backend, model)| {
            let most = backend.max_connections.unwrap_or(u32::MAX);
            (backend, model.slots.min(most))
        })
    }
}

/// Whether no person has taken it out.
fn serves(backend: &BackendConfig) -> bool {
    Admin::configured(backend.drain, backend.maintenance) == Admin::Serving
}
