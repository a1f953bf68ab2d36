//! Picking a backend from a pool.
//!
//! First attempts take turns on one cursor that all workers share, so the order is strict across them. Retries have
//! a cursor of their own: they skip what the request has tried already, and would otherwise push the first attempts
//! out of step, or pile onto the neighbour of a dead backend.
//!
//! When no backend is up, all are candidates: a request that may fail is better than one that certainly does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use super::{Backend, Lease, Member, PoolState};
use crate::{
    config::{PoolConfig, StrategyName},
    retry::RetryBudget,
    status::HealthStatus,
    strategy::Schedule,
};

/// What a request tells the pool when it asks for a backend.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The worker that asks; its shard counts the request.
    pub worker: usize,
    /// When it asks.
    pub now: Instant,
    /// The backends that this request has been sent to already.
    pub tried: &'a Tried,
}

/// The backends that one request has tried.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tried {
    ids: [u64; Tried::MOST],
    len: usize,
}

impl Tried {
    /// As many attempts as the configuration may allow: 10 retries and the first.
    pub const MOST: usize = 11;

    /// Notes an attempt. Beyond [`Tried::MOST`] the oldest is forgotten.
    pub fn add(&mut self, backend: &Backend) {
        self.ids[self.len % Self::MOST] = backend.id();
        self.len += 1;
    }

    /// How many attempts there were.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether this is the first attempt.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn contains(&self, backend: &Backend) -> bool {
        self.ids[..self.len.min(Self::MOST)].contains(&backend.id())
    }
}

/// Why there is no backend for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoBackend {
    /// The pool has none that may get requests.
    #[error("no backend of the pool may get requests")]
    NoneEligible,
    /// The request has tried all there are.
    #[error("every backend of the pool has been tried")]
    AllTried,
}

/// A pool as one snapshot has it.
#[derive(Debug)]
pub struct Pool {
    name: Arc<str>,
    config: Arc<PoolConfig>,
    members: Box<[Member]>,
    candidates: Box<[u32]>,
    schedule: Arc<Schedule>,
    state: Arc<PoolState>,
}

/// What of a pool outlives its snapshots.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    first: AtomicU64,
    retry: AtomicU64,
}

impl Pool {
    /// Works out who is a candidate and in which order they take turns.
    pub fn new(name: Arc<str>, config: Arc<PoolConfig>, members: Vec<Member>, state: Arc<PoolState>) -> Self {
        let indices_of = |wanted: fn(HealthStatus) -> bool| -> Vec<u32> {
            let all = members.iter().enumerate();
            all.filter(|(_, member)| wanted(member.health.status()))
                .map(|(index, _)| index as u32)
                .collect()
        };
        let mut candidates = indices_of(|health| health == HealthStatus::Up);
        if candidates.is_empty() {
            candidates = indices_of(|_| true);
        }
        let weights: Vec<u16> = candidates
            .iter()
            .map(|&index| members[index as usize].weight.get())
            .collect();
        let schedule = state.schedule(weights);
        Self {
            name,
            config,
            members: members.into(),
            candidates: candidates.into(),
            schedule,
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

    /// How many retries its requests may still cost.
    pub fn retry_budget(&self) -> &RetryBudget {
        &self.state.retry_budget
    }

    /// Requests that its backends have got so far.
    pub fn requests(&self) -> u64 {
        self.members
            .iter()
            .map(|member| member.backend.counts().requests)
            .sum()
    }

    /// Whether it belongs to a route with a strategy of its own, over the backends of the pool with this name.
    pub fn is_own_of_a_route(&self) -> bool {
        self.state.own_of_a_route
    }

    /// Whether both are the same pool, of this snapshot or another.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }

    /// The same backends, chosen in another way, with turns of their own.
    pub(super) fn with_strategy(&self, strategy: StrategyName, state: Arc<PoolState>) -> Self {
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

    /// Chooses a backend that the request has not tried yet.
    ///
    /// # Errors
    /// [`NoBackend`] when there is none.
    pub fn pick(&self, ask: &Ask<'_>) -> Result<Lease, NoBackend> {
        let member = if ask.tried.is_empty() {
            self.next_in_turn()?
        } else {
            self.next_untried(ask.tried)?
        };
        Ok(Lease::new(Arc::clone(&member.backend), ask.worker, ask.now))
    }

    /// Whether a pick would find a backend that the request has not tried yet.
    pub fn has_untried(&self, tried: &Tried) -> bool {
        let pickable = |member: &&Member| member.health.status() != HealthStatus::Pending;
        self.members
            .iter()
            .filter(pickable)
            .any(|member| !tried.contains(&member.backend))
    }

    fn next_in_turn(&self) -> Result<&Member, NoBackend> {
        let tick = self.state.cursors.first.fetch_add(1, Relaxed);
        self.candidate_at(tick).ok_or(NoBackend::NoneEligible)
    }

    fn next_untried(&self, tried: &Tried) -> Result<&Member, NoBackend> {
        // Two rounds of the candidates find an untried one soon, unless weights are very uneven.
        for _ in 0..2 * self.candidates.len() {
            let tick = self.state.cursors.retry.fetch_add(1, Relaxed);
            match self.candidate_at(tick) {
                Some(member) if !tried.contains(&member.backend) => return Ok(member),
                Some(_) => {}
                None => break,
            }
        }
        let untried = |member: &&Member| !tried.contains(&member.backend);
        let candidates = || self.candidates.iter().map(|&index| &self.members[index as usize]);
        // All that are up were tried: one that is down is still better than a certain error.
        let down = || {
            self.members
                .iter()
                .filter(|member| member.health.status() == HealthStatus::Down)
        };
        candidates()
            .find(untried)
            .or_else(|| down().find(untried))
            .ok_or(NoBackend::AllTried)
    }

    fn candidate_at(&self, tick: u64) -> Option<&Member> {
        let candidate = self.schedule.at(tick)?;
        Some(&self.members[self.candidates[candidate] as usize])
    }
}
