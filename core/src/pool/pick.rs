//! Picking a backend from a pool: the tiers in their order, and in each the strategy.
//!
//! First attempts take turns on one cursor that all workers share, so the order is strict across them. Retries have
//! a cursor of their own: they skip what the request has tried already, and would otherwise push the first attempts
//! out of step, or pile onto the neighbour of a dead backend.
//!
//! **Tiers.** A tier serves when the ones above it have nobody that may get the request: all down, tried or full. With
//! `failover: gradual` a lower one helps earlier, as Envoy's priority levels do: a tier carries the part of all requests
//! that is up of it, by weight, times the overprovisioning, and what is left goes to the next.
//!
//! When no backend is up, all are candidates that no person has taken out, in one tier: a request that may fail is better
//! than one that certainly does. `all_down: fail` turns that round.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{
    Ask, Backend, Lease, Member, NoBackend, PoolState, Queue, Tried,
    lease::Meter,
    tier::{Candidate, Nobody, Rules, Tier},
};
use crate::{
    attempts::RetryBudget,
    config::{AllDown, Failover, PoolConfig, Priority, StrategyConfig},
    status::HealthStatus,
    sticky::StickyId,
    strategy::{Algorithm, Draw, mix},
};

/// A pool as one snapshot has it.
#[derive(Debug)]
pub struct Pool {
    name: Arc<str>,
    config: Arc<PoolConfig>,
    members: Box<[Member]>,
    tiers: Box<[Tier]>,
    /// With gradual failover, up to which random number a tier serves; else empty.
    parts: Box<[u32]>,
    rules: Rules,
    /// Whether any backend has a limit, so that requests may wait.
    is_limited: bool,
    /// Which member a cookie means; empty without stickiness.
    sticky: Arc<HashMap<StickyId, u32>>,
    state: Arc<PoolState>,
}

/// Tells the random number of failover from those of the strategy.
const FAILOVER: u64 = 0xFA11_0FE2;

impl Pool {
    /// Works out who is a candidate and how one of them is chosen.
    pub fn new(name: Arc<str>, config: Arc<PoolConfig>, members: Vec<Member>, state: Arc<PoolState>) -> Self {
        let algorithm = config.strategy.algorithm();
        let is_held_counted = algorithm.bounds_load() || state.counts_held.load(Relaxed);
        let is_limited = members.iter().any(|member| member.max_connections.is_some());
        if is_limited {
            members
                .iter()
                .for_each(|member| member.backend.set_queue(&state.queue));
        }
        let rules = Rules {
            algorithm,
            slow_start: config.slow_start,
            meter: Meter {
                decay: config.strategy.decay(),
                held: is_held_counted.then(|| Arc::clone(&state.held)),
            },
        };
        let tiers = tiers(&members, algorithm, config.all_down);
        let parts = match config.failover {
            Failover::Gradual { overprovisioning } if tiers.len() > 1 => {
                parts(&members, overprovisioning.get())
            }
            _ => Box::default(),
        };
        let strategies = state.strategies(algorithm, &tiers);
        let tiers = tiers
            .into_iter()
            .zip(strategies)
            .map(|(candidates, strategy)| Tier::new(candidates, strategy, config.slow_start));
        let key = config.sticky.as_ref().and_then(|sticky| sticky.key.as_ref());
        let sticky = key.map_or_else(Arc::default, |key| state.sticky_members(&name, key, &members));
        Self {
            name,
            tiers: tiers.collect(),
            parts,
            rules,
            sticky,
            is_limited,
            config,
            members: members.into(),
            state,
        }
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its configuration.
    pub fn config(&self) -> &Arc<PoolConfig> {
        &self.config
    }

    /// All its backends, in the order of the file, whatever their health.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// How many retries its requests may still cost, and how many they have cost.
    pub fn retry_budget(&self) -> &RetryBudget {
        &self.state.retry_budget
    }

    /// The requests that wait for a place.
    pub fn queue(&self) -> &Arc<Queue> {
        &self.state.queue
    }

    /// Whether it belongs to a route with a strategy of its own, over the backends of the pool with this name.
    pub fn is_own_of_a_route(&self) -> bool {
        self.state.own_of_a_route
    }

    /// Whether both are the same pool, of this snapshot or another.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }

    /// Whether both choose among the same backends.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state.queue, &other.state.queue)
    }

    /// The same backends, chosen in another way, with turns of their own.
    pub(super) fn with_strategy(&self, strategy: StrategyConfig, state: Arc<PoolState>) -> Self {
        let config = PoolConfig {
            strategy,
            ..PoolConfig::clone(&self.config)
        };
        Self::new(
            Arc::clone(&self.name),
            Arc::new(config),
            self.members.to_vec(),
            state,
        )
    }

    pub(super) fn state(&self) -> &Arc<PoolState> {
        &self.state
    }

    /// Chooses a backend that the request has not tried yet and that has a place for it. While others wait for a place,
    /// a first attempt finds none: they were there before.
    ///
    /// # Errors
    /// [`NoBackend`] when there is none.
    pub fn pick(&self, ask: &Ask<'_>) -> Result<Lease, NoBackend> {
        if ask.tried.is_empty() && self.is_limited && !self.state.queue.is_empty() {
            return Err(NoBackend::Saturated);
        }
        self.pick_in_turn(ask)
    }

    /// The same for a request whose turn it is in the pool's queue.
    ///
    /// # Errors
    /// [`NoBackend`] when there is none.
    pub fn pick_in_turn(&self, ask: &Ask<'_>) -> Result<Lease, NoBackend> {
        if let Some(lease) = self.pick_sticky(ask) {
            return Ok(lease);
        }
        let first = ask.tried.is_empty();
        let cursors = &self.state.cursors;
        let (cursor, random) = if first {
            (&cursors.first, ask.random)
        } else {
            (&cursors.retry, mix(ask.random ^ ask.tried.len() as u64))
        };
        let draw = Draw {
            cursor,
            random,
            key: ask.key,
        };
        // What belongs to one key goes to one tier.
        let places = self.rules.algorithm.has_places();
        let begin = self.first_tier(ask.key.filter(|_| places).unwrap_or(random));
        // Whoever a lower tier was meant for comes back to the ones above.
        let (above, from_begin) = self.tiers.split_at(begin);
        let mut full = false;
        for tier in from_begin.iter().chain(above) {
            match tier.take(ask, draw, &self.rules) {
                Ok(taken) => return Ok(self.lease(&taken.backend, ask)),
                Err(nobody) => full |= nobody == Nobody::Free,
            }
        }
        match (full, first) {
            (true, _) => Err(NoBackend::Saturated),
            (false, true) => Err(NoBackend::NoneEligible),
            (false, false) => self.pick_down(ask),
        }
    }

    /// The backend that the client was told to come back to, if it still serves such clients and has a place: one that
    /// is up, or that a person lets drain.
    fn pick_sticky(&self, ask: &Ask<'_>) -> Option<Lease> {
        let member = self.sticky_member(ask.sticky?)?;
        if ask.tried.contains(&member.backend) {
            return None;
        }
        let taken = member.backend.start(ask.worker, member.max_connections);
        taken.then(|| self.lease(&member.backend, ask))
    }

    fn sticky_member(&self, id: StickyId) -> Option<&Member> {
        let &index = self.sticky.get(&id)?;
        let member = &self.members[index as usize];
        (member.health.is_up() || member.health.finishes_sessions()).then_some(member)
    }

    /// Whether the backend that a client was told to come back to still serves such clients.
    pub fn keeps_clients(&self, id: StickyId) -> bool {
        self.sticky_member(id).is_some()
    }

    /// What a client is told that this backend served, to come back to it; `None` if the pool tells nobody.
    pub fn sticky_id(&self, backend: &Backend) -> Option<StickyId> {
        let key = self.config.sticky.as_ref()?.key.as_ref()?;
        Some(key.id_of(&self.name, backend.url()))
    }

    /// Whether a pick would find a backend that the request has not tried yet.
    pub fn has_untried(&self, tried: &Tried) -> bool {
        self.members
            .iter()
            .filter(|member| member.health.is_up() || self.is_last_resort(member))
            .any(|member| !tried.contains(&member.backend))
    }

    /// Whether a retry may go there when all that are up were tried. One that nobody has ever heard of is no better than
    /// an error.
    fn is_last_resort(&self, member: &Member) -> bool {
        let heard_of = !matches!(member.health.status(), HealthStatus::Pending);
        self.config.all_down == AllDown::Try && heard_of && member.health.may_be_tried()
    }

    /// All that are up were tried: one that is not is still better than a certain error.
    fn pick_down(&self, ask: &Ask<'_>) -> Result<Lease, NoBackend> {
        let untried = |member: &&Member| {
            !member.health.is_up() && self.is_last_resort(member) && !ask.tried.contains(&member.backend)
        };
        let mut none = NoBackend::AllTried;
        for member in self.members.iter().filter(untried) {
            if member.backend.start(ask.worker, member.max_connections) {
                return Ok(self.lease(&member.backend, ask));
            }
            none = NoBackend::Saturated;
        }
        Err(none)
    }

    /// For a request that the backend has counted in.
    fn lease(&self, backend: &Arc<Backend>, ask: &Ask<'_>) -> Lease {
        if ask.tried.is_empty() {
            self.state.retry_budget.earn(ask.worker, ask.now);
        }
        Lease::new(Arc::clone(backend), ask.worker, ask.now, &self.rules.meter)
    }

    fn first_tier(&self, random: u64) -> usize {
        if self.parts.is_empty() {
            return 0;
        }
        let random = (mix(random ^ FAILOVER) >> 32) as u32;
        self.parts.iter().position(|&end| random <= end).unwrap_or(0)
    }
}

/// The candidates by priority. What has nobody that serves is no tier.
fn tiers(members: &[Member], algorithm: Algorithm, all_down: AllDown) -> Vec<Vec<Candidate>> {
    let is_up = |member: &Member| member.health.is_up();
    if !members.iter().any(is_up) {
        let may_be_tried = |member: &&Member| all_down == AllDown::Try && member.health.may_be_tried();
        let all: Vec<_> = members
            .iter()
            .filter(may_be_tried)
            .map(|member| candidate(member, true))
            .collect();
        return if all.is_empty() { Vec::new() } else { vec![all] };
    }
    let mut tiers: BTreeMap<Priority, Vec<Candidate>> = BTreeMap::new();
    for member in members {
        let serves = is_up(member);
        if serves || algorithm.has_places() {
            let tier = tiers.entry(member.priority).or_default();
            tier.push(candidate(member, serves));
        }
    }
    let serves = |tier: &Vec<Candidate>| tier.iter().any(|candidate| candidate.serves);
    tiers.into_values().filter(serves).collect()
}

fn candidate(member: &Member, serves: bool) -> Candidate {
    Candidate {
        backend: Arc::clone(&member.backend),
        weight: member.weight.get(),
        serves,
        max_connections: member.max_connections,
        warming_since: member.warming_since,
    }
}

/// Up to which of all 32-bit numbers each tier serves, one after the other.
fn parts(members: &[Member], overprovisioning: f64) -> Box<[u32]> {
    let mut weights: BTreeMap<Priority, (u64, u64)> = BTreeMap::new();
    for member in members {
        let (up, all) = weights.entry(member.priority).or_default();
        let weight = u64::from(member.weight.get());
        // Of one that has just been added nothing is known, and nothing is missing.
        *all += match member.health.status() {
            HealthStatus::Pending => 0,
            _ => weight,
        };
        *up += if member.health.is_up() { weight } else { 0 };
    }
    let tiers: Vec<_> = weights.into_values().filter(|(up, _)| *up > 0).collect();
    let mut end = 0.0;
    let ends = tier_loads(&tiers, overprovisioning).into_iter().map(|load| {
        end += load;
        (end * f64::from(u32::MAX)) as u32
    });
    ends.collect()
}

/// With gradual failover, the share of all requests that each tier gets, from 0 to 1 in sum. A tier is given as the weight of
/// it that is up, above 0, and its whole weight. `overprovisioning` multiplies the healthy capacity of a tier.
pub fn tier_loads(tiers: &[(u64, u64)], overprovisioning: f64) -> Vec<f64> {
    let able = tiers
        .iter()
        .map(|&(up, all)| (up as f64 / all as f64 * overprovisioning).min(1.0));
    let mut left = 1.0_f64;
    let mut loads: Vec<f64> = able
        .map(|able| {
            let load = able.min(left);
            left -= load;
            load
        })
        .collect();
    // What nobody is able to carry is carried in the same proportion.
    let whole: f64 = loads.iter().sum();
    loads.iter_mut().for_each(|load| *load /= whole);
    loads
}
