//! The backends of one priority, and how one of them is chosen: the strategy, over those that are up, were not tried
//! and are not full, with regard to those that have only just come back.
//!
//! **Slow start.** For `slow_start` after it came back, or was added to a pool that serves, a backend counts with a
//! part of its weight, from a tenth up to the whole, in proportion to time. A part of a weight is a probability here,
//! not another weight: strategies are built for whole weights, and what they were built from stays as it is while time
//! passes, so nothing has to be rebuilt or refreshed, and the part is exact at each pick.
//!
//! - Most strategies choose among the warm ones only. Before that, a draw in proportion to all weights, those in parts
//!   included, says whether it is the turn of one that is warming. So its share is what its part of the weight says
//!   under every strategy. (Strategies that look at load would run to an idle newcomer, whatever its weight: this
//!   is what slow start is for.) They pass it over if it is busier already than their own choice.
//! - `hash` and `first` have nothing to draw: for them a warming backend takes its part of what would be its own, `hash`
//!   by key, so that each key moves once.
//!
//! Parts are relative to the part of the warmest one: slow start spares a backend beside others that carry the load, and
//! where all are cold, the load has to be carried all the same. Where all began together, all have their whole weight.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::{Ask, Backend, lease::Meter};
use crate::strategy::{Algorithm, Alias, Candidates, Draw, Strategy, WarmUp, is_lighter, mix};

/// What a warming backend begins with: enough to fill its caches.
const LEAST_PART: f64 = 0.1;

/// Draws for the turn of a warming one before the turn is a warm one's.
const MOST_DRAWS: usize = 8;

/// A full backend may be met between the choice and the taking; then the choice is made anew, at most so often.
const MOST_RACES: usize = 4;

/// One that may be chosen. All that a choice looks at is here, so that it costs one line of memory, and the backend's.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) backend: Arc<Backend>,
    pub(super) weight: u16,
    /// Only strategies with fixed places have candidates that do not serve.
    pub(super) serves: bool,
    pub(super) max_connections: Option<u32>,
    pub(super) warming_since: Option<Instant>,
}

impl Candidate {
    fn is_full(&self) -> bool {
        self.max_connections
            .is_some_and(|most| self.backend.in_flight() >= u64::from(most))
    }

    /// Counts a request in, if there is a place for it; who asked has to make a lease of it.
    pub(super) fn take(&self, worker: usize) -> Option<&Self> {
        self.backend.start(worker, self.max_connections).then_some(self)
    }
}

/// How a pool chooses, for all its tiers.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) algorithm: Algorithm,
    pub(super) slow_start: Duration,
    pub(super) meter: Meter,
}

/// Candidates of one priority.
#[derive(Debug)]
pub(super) struct Tier {
    candidates: Box<[Candidate]>,
    strategy: Arc<Strategy>,
    warming: Option<Warming>,
    /// The weight of those that serve.
    weight: u64,
}

/// Present while some are colder than others.
#[derive(Debug)]
struct Warming {
    /// When the last one will be warm.
    until: Instant,
    /// Since when the warmest one is on slow start; `None`: it is warm.
    warmest: Option<Instant>,
    all: Alias,
}

impl Warming {
    /// `None` where all are equally warm, however warm that is.
    fn of(candidates: &[Candidate], weights: &[u16], slow_start: Duration) -> Option<Self> {
        let serving = candidates.iter().filter(|candidate| candidate.serves);
        let since = || serving.clone().map(|candidate| candidate.warming_since);
        // `None`, which is warm, comes before every time.
        let (warmest, coldest) = (since().min()?, since().max()??);
        if slow_start.is_zero() || warmest == Some(coldest) {
            return None;
        }
        Some(Self {
            until: coldest.checked_add(slow_start)?,
            warmest,
            all: Alias::new(weights),
        })
    }
}

/// Why a tier has nobody for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nobody {
    /// All were tried.
    Untried,
    /// Some were not, and all of those are full.
    Free,
}

impl Tier {
    pub(super) fn new(candidates: Vec<Candidate>, strategy: Arc<Strategy>, slow_start: Duration) -> Self {
        let weights = |candidate: &Candidate| if candidate.serves { candidate.weight } else { 0 };
        let weights: Vec<u16> = candidates.iter().map(weights).collect();
        Self {
            weight: weights.iter().map(|&weight| u64::from(weight)).sum(),
            warming: Warming::of(&candidates, &weights, slow_start),
            candidates: candidates.into(),
            strategy,
        }
    }

    /// Chooses a candidate and takes one of its places.
    #[inline]
    pub(super) fn take(&self, ask: &Ask<'_>, draw: Draw<'_>, rules: &Rules) -> Result<&Candidate, Nobody> {
        for _ in 0..MOST_RACES {
            let Some(index) = self.choose(ask, draw, rules) else {
                break;
            };
            if let Some(taken) = self.candidates[index].take(ask.worker) {
                return Ok(taken);
            }
        }
        self.take_any(ask)
    }

    /// Whoever has a place, or the certainty that nobody has.
    #[cold]
    fn take_any(&self, ask: &Ask<'_>) -> Result<&Candidate, Nobody> {
        let untried = |candidate: &&Candidate| candidate.serves && !ask.tried.contains(&candidate.backend);
        let mut untried = self.candidates.iter().filter(untried).peekable();
        if untried.peek().is_none() {
            return Err(Nobody::Untried);
        }
        untried
            .find_map(|candidate| candidate.take(ask.worker))
            .ok_or(Nobody::Free)
    }

    #[inline]
    fn choose(&self, ask: &Ask<'_>, draw: Draw<'_>, rules: &Rules) -> Option<usize> {
        let all = self.view(ask, rules, Warm::Whatever);
        match &self.warming {
            Some(warming) if ask.now < warming.until => self
                .choose_while_warming(warming, &all, draw)
                .or_else(|| self.strategy.choose(draw, &all)),
            _ => self.strategy.choose(draw, &all),
        }
    }

    #[cold]
    fn choose_while_warming(&self, warming: &Warming, all: &View<'_>, draw: Draw<'_>) -> Option<usize> {
        let random = mix(draw.random ^ SLOW_START);
        let only = |warm| self.view(all.ask, all.rules, warm);
        match all.rules.algorithm.warm_up() {
            WarmUp::ByKey => {
                let of_key = mix(draw.key.unwrap_or(random));
                return self.strategy.choose(draw, &only(Warm::InPart(of_key)));
            }
            WarmUp::ByChance => return self.strategy.choose(draw, &only(Warm::InPart(random))),
            WarmUp::InTurn => {}
        }
        let turn = self.turn_of_warming(warming, all, random);
        let turn = turn.filter(|&index| all.admits(index));
        if turn.is_some() && !all.rules.algorithm.weighs_load() {
            return turn;
        }
        let warm = self.strategy.choose(draw, &only(Warm::Wholly));
        match (turn, warm) {
            (Some(warming), Some(warm)) if is_lighter(all, warm, warming) => Some(warm),
            (Some(warming), _) => Some(warming),
            (None, warm) => warm,
        }
    }

    /// Draws in proportion to weights in part: by whole weights, and again where the part that is missing was hit.
    fn turn_of_warming(&self, warming: &Warming, all: &View<'_>, mut random: u64) -> Option<usize> {
        for _ in 0..MOST_DRAWS {
            let index = warming.all.draw(random)?;
            random = mix(random);
            let part = all.part(index);
            if part >= 1.0 {
                return None;
            }
            if hits(random, part) {
                return Some(index);
            }
            random = mix(random);
        }
        None
    }

    fn view<'a>(&'a self, ask: &'a Ask<'a>, rules: &'a Rules, warm: Warm) -> View<'a> {
        View {
            tier: self,
            ask,
            rules,
            warm,
        }
    }
}

/// Tells the random number of slow start from those of the strategy.
const SLOW_START: u64 = 0x5105_57A2;

/// Whether a random number falls into a part of the whole.
fn hits(random: u64, part: f64) -> bool {
    ((random >> 32) as f64) < part * 4_294_967_296.0
}

/// Which of those that are warming may be chosen.
#[derive(Debug, Clone, Copy)]
enum Warm {
    /// All.
    Whatever,
    /// None.
    Wholly,
    /// Those whose part this number falls into.
    InPart(u64),
}

/// The candidates, as one request sees them.
struct View<'a> {
    tier: &'a Tier,
    ask: &'a Ask<'a>,
    rules: &'a Rules,
    warm: Warm,
}

impl View<'_> {
    #[inline]
    fn is_untried(&self, candidate: &Candidate) -> bool {
        self.ask.tried.is_empty() || !self.ask.tried.contains(&candidate.backend)
    }

    #[inline]
    fn is_warm_enough(&self, index: usize) -> bool {
        match self.warm {
            Warm::Whatever => true,
            Warm::Wholly => self.part(index) >= 1.0,
            Warm::InPart(random) => hits(random, self.part(index)),
        }
    }

    /// How much of its weight a candidate has, measured by the warmest one.
    fn part(&self, index: usize) -> f64 {
        let warmest = self.tier.warming.as_ref().and_then(|warming| warming.warmest);
        self.warmed_up(self.tier.candidates[index].warming_since) / self.warmed_up(warmest)
    }

    /// How far a candidate has warmed up that has been on slow start since then: from [`LEAST_PART`] to 1.
    fn warmed_up(&self, since: Option<Instant>) -> f64 {
        let Some(since) = since else {
            return 1.0;
        };
        let warm = self.ask.now.saturating_duration_since(since);
        if warm >= self.rules.slow_start {
            return 1.0;
        }
        LEAST_PART + (1.0 - LEAST_PART) * warm.as_secs_f64() / self.rules.slow_start.as_secs_f64()
    }
}

impl Candidates for View<'_> {
    fn len(&self) -> usize {
        self.tier.candidates.len()
    }

    #[inline]
    fn admits(&self, index: usize) -> bool {
        let candidate = &self.tier.candidates[index];
        candidate.serves && !candidate.is_full() && self.is_untried(candidate) && self.is_warm_enough(index)
    }

    #[inline]
    fn load(&self, index: usize) -> Option<u64> {
        let candidate = &self.tier.candidates[index];
        // Read once: this runs for all candidates.
        let held = candidate.backend.in_flight();
        let is_full = candidate
            .max_connections
            .is_some_and(|most| held >= u64::from(most));
        let is_open =
            candidate.serves && !is_full && self.is_untried(candidate) && self.is_warm_enough(index);
        is_open.then(|| held + candidate.backend.linger().load(self.ask.now))
    }

    fn weight(&self, index: usize) -> u16 {
        self.tier.candidates[index].weight
    }

    fn in_flight(&self, index: usize) -> u64 {
        self.tier.candidates[index].backend.load(self.ask.now)
    }

    fn latency(&self, index: usize) -> Option<f64> {
        let backend = &self.tier.candidates[index].backend;
        let decay = self.rules.meter.decay?;
        backend
            .latency()
            .estimate(self.ask.now, decay, backend.in_flight() == 0)
    }

    fn total_in_flight(&self) -> u64 {
        let held = self.rules.meter.held.as_ref();
        held.map_or(0, |held| held.load(Relaxed))
    }

    fn total_weight(&self) -> u64 {
        self.tier.weight
    }
}
