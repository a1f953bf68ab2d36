//! Judges the backends of one pool by what requests met there: who is ejected, who comes back.
//!
//! Asked on a tick, and as soon as somebody has failed often enough in a row. What is asked first is who may come
//! back, so that room is known before anybody else goes: never more than `max_share` of the backends that could serve
//! are out (one at least may be, however small the share), and never the last one. A backend that could serve is one
//! that no person has taken out and that its probes call up; if others go down, so that too many are out, those with
//! the least time left come back early. Envoy's `max_ejection_percent` is a share of all hosts, dead ones included.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    Health,
    admin::Admin,
    ejection::Why,
    outliers::{Outlier, Traffic, by_failures, by_latency},
};
use crate::{config::EjectionRules, status::HealthStatus};

/// What is remembered of one pool from tick to tick. Losing it costs the counts of one interval.
#[derive(Debug, Default)]
pub struct Judge {
    window: Option<Window>,
    /// When it was last said that somebody was spared.
    spared: Option<Instant>,
}

/// Where nobody more may be out, somebody deserves it again and again, which is worth a line in a while.
const SPARED_PAUSE: Duration = Duration::from_secs(10);

/// How often an interval is looked at before it ends: a backend that fails everything is found out as soon as there is
/// enough to compare, and looking at ten thousand backends ten times in ten seconds costs nobody anything.
const LOOKS: u32 = 10;

/// An interval that goes on.
#[derive(Debug)]
struct Window {
    since: Instant,
    /// When it was looked at last.
    looked: Instant,
    /// By number, with the era in which they were counted.
    before: HashMap<u64, (u32, Traffic)>,
}

/// Where the requests of one client go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spread {
    /// To all backends in turn, or as their load has it: what fails because of the request fails everywhere.
    #[default]
    Everywhere,
    /// To one backend, by a hash or a cookie: a client can make its backend look worse than the others.
    ByClient,
}

/// How a pool is judged.
#[derive(Debug, Clone, Copy)]
pub struct Standards<'a> {
    /// By which rules; `None`: nobody is ejected by this configuration.
    pub rules: Option<&'a EjectionRules>,
    /// Where its requests go.
    pub spread: Spread,
}

/// One backend, as it is when the judge is asked.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Its number.
    pub id: u64,
    /// Its health, which rulings change.
    pub health: &'a mut Health,
    /// How often it has been judged anew.
    pub era: u32,
    /// Failures in a row that it has now.
    pub in_a_row: u32,
    /// The number was reached since the judge was last asked, even if a good answer has come meanwhile.
    pub reached: Option<u32>,
    /// Its counts; looked at only when [`Judge::wants_traffic`] said so.
    pub traffic: Traffic,
}

/// What was decided of one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It gets no requests for this long.
    Ejected {
        /// The backend's number.
        id: u64,
        /// What for.
        why: Why,
        /// For how long.
        length: Duration,
        /// How many ejections it has against it, with this one.
        count: u32,
    },
    /// It deserves to be ejected and is not: too many others are out. Said once in ten seconds.
    Spared {
        /// The backend's number.
        id: u64,
        /// What for it would have been.
        why: Why,
    },
    /// It gets requests again, as far as traffic goes. Its failures in a row are to be forgotten.
    Returned {
        /// The backend's number.
        id: u64,
        /// How long it was out.
        after: Duration,
        /// Why now.
        how: Return,
    },
}

impl Ruling {
    /// The number of the backend that was ruled on.
    pub fn backend(&self) -> u64 {
        let (Self::Ejected { id, .. } | Self::Spared { id, .. } | Self::Returned { id, .. }) = self;
        *id
    }
}

/// Why an ejection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// Its time was over.
    TimeOver,
    /// Its probes failed too, and are good again.
    ProbesGood,
    /// Too few others are left.
    Needed,
    /// The configuration ejects nobody any more.
    RulesOff,
}

impl Judge {
    /// Whether the next call looks at counts: an interval begins, or a tenth of it is over.
    pub fn wants_traffic(&self, rules: &EjectionRules, now: Instant) -> bool {
        let is_due = |window: &Window| {
            now.saturating_duration_since(window.looked) >= rules.interval / LOOKS
                || window.is_over(rules, now)
        };
        (rules.success_rate.is_some() || rules.latency.is_some()) && self.window.as_ref().is_none_or(is_due)
    }

    /// Judges. `subjects` are all backends of the pool.
    pub fn judge(
        &mut self,
        standards: Standards<'_>,
        subjects: &mut [Subject<'_>],
        now: Instant,
    ) -> Vec<Ruling> {
        let Some(rules) = standards.rules else {
            self.window = None;
            return release_where(subjects, now, |_| Some(Return::RulesOff));
        };
        let mut rulings = release_where(subjects, now, |health| {
            let term = health.ejection.term()?;
            match () {
                () if term.is_cleared() => Some(Return::ProbesGood),
                () if now >= term.until => Some(Return::TimeOver),
                () => None,
            }
        });
        rulings.extend(make_room(rules, subjects, now));
        for ruling in &rulings {
            if let (Ruling::Returned { id, .. }, Some(window)) = (ruling, &mut self.window) {
                // What it did before its ejection is paid for; the interval counts it from the next one on.
                window.before.remove(id);
            }
        }
        for subject in subjects.iter_mut() {
            subject.health.ejection.forgive(rules, now);
        }
        let mut offenders = in_a_row(rules, subjects);
        if self.wants_traffic(rules, now) {
            offenders.extend(self.outliers(rules, subjects, now));
        }
        let (mut out, most) = room(rules, subjects);
        for offender in offenders {
            let subject = &subjects[offender.index];
            let (id, why) = (subject.id, offender.why);
            // There can be two reasons for one.
            if !subject.health.is_up() {
                continue;
            }
            let is_compared = matches!(why, Why::SuccessRate { .. });
            if is_compared && standards.spread == Spread::ByClient && is_any_out_by_comparison(subjects) {
                continue;
            }
            let subject = &mut subjects[offender.index];
            if out < most {
                let length = subject.health.ejection.eject(why, rules, now);
                let count = subject.health.ejection.count();
                rulings.push(Ruling::Ejected {
                    id,
                    why,
                    length,
                    count,
                });
                out += 1;
            } else if offender.is_news && self.says_spared(now) {
                rulings.push(Ruling::Spared { id, why });
            }
        }
        rulings
    }

    fn says_spared(&mut self, now: Instant) -> bool {
        let lately = |said: Instant| now.saturating_duration_since(said) < SPARED_PAUSE;
        if self.spared.is_some_and(lately) {
            return false;
        }
        self.spared = Some(now);
        true
    }

    /// Looks at the interval so far; where it is over, begins the next.
    fn outliers(&mut self, rules: &EjectionRules, subjects: &[Subject<'_>], now: Instant) -> Vec<Offender> {
        let next = || Window {
            since: now,
            looked: now,
            before: subjects
                .iter()
                .map(|subject| (subject.id, (subject.era, subject.traffic)))
                .collect(),
        };
        let Some(window) = &mut self.window else {
            self.window = Some(next());
            return Vec::new();
        };
        window.looked = now;
        let counted = |(index, subject): (usize, &Subject<'_>)| {
            let (era, before) = window.before.get(&subject.id)?;
            // What it did before it came back counts no more.
            (subject.health.is_up() && *era == subject.era).then(|| (index, subject.traffic.since(before)))
        };
        let (indices, traffic): (Vec<usize>, Vec<Traffic>) =
            subjects.iter().enumerate().filter_map(counted).unzip();
        let is_over = window.is_over(rules, now);
        let failures = rules.success_rate.as_ref();
        // Means need an interval to settle; shares of failures have a bound that holds at any time.
        let latency = rules.latency.as_ref().filter(|_| is_over);
        let found = [
            failures.map(|rule| by_failures(&traffic, rule)),
            latency.map(|rule| by_latency(&traffic, rule)),
        ];
        if is_over {
            self.window = Some(next());
        }
        let mut all = Vec::new();
        for mut found in found.into_iter().flatten() {
            let id = |outlier: &Outlier| subjects[indices[outlier.index]].id;
            found.sort_by(|one, other| other.by.total_cmp(&one.by).then(id(one).cmp(&id(other))));
            all.extend(found.iter().map(|outlier| Offender {
                index: indices[outlier.index],
                why: outlier.why,
                // It would be said again with each look.
                is_news: false,
            }));
        }
        all
    }
}

impl Window {
    fn is_over(&self, rules: &EjectionRules, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= rules.interval
    }
}

/// Somebody to be ejected, if there is room.
struct Offender {
    index: usize,
    why: Why,
    /// Whether it is said if nothing comes of it.
    is_news: bool,
}

/// Those that failed often enough in a row, the worst first.
fn in_a_row(rules: &EjectionRules, subjects: &[Subject<'_>]) -> Vec<Offender> {
    let Some(limit) = rules.consecutive else {
        return Vec::new();
    };
    let failures = |subject: &Subject<'_>| subject.in_a_row.max(subject.reached.unwrap_or(0));
    let failed = |(_, subject): &(usize, &Subject<'_>)| {
        subject.health.is_up() && (subject.in_a_row >= limit || subject.reached.is_some())
    };
    let mut found: Vec<_> = subjects.iter().enumerate().filter(failed).collect();
    found.sort_by_key(|(_, subject)| (u32::MAX - failures(subject), subject.id));
    found
        .into_iter()
        .map(|(index, subject)| Offender {
            index,
            why: Why::InARow(failures(subject).max(limit)),
            is_news: subject.reached.is_some(),
        })
        .collect()
}

/// Whether one is out already because it failed more than the others. Where clients are tied to backends, that may have
/// been its clients' doing, who are at another one now.
fn is_any_out_by_comparison(subjects: &[Subject<'_>]) -> bool {
    let terms = subjects
        .iter()
        .filter_map(|subject| subject.health.ejection.term());
    terms
        .into_iter()
        .any(|term| matches!(term.why, Why::SuccessRate { .. }))
}

/// Whether it would get requests if traffic had nothing against it.
fn could_serve(subject: &Subject<'_>) -> bool {
    subject.health.admin == Admin::Serving && subject.health.probed() == HealthStatus::Up
}

/// How many of those that could serve are out, and how many may be.
fn room(rules: &EjectionRules, subjects: &[Subject<'_>]) -> (usize, usize) {
    let (mut all, mut out) = (0_usize, 0_usize);
    for subject in subjects.iter().filter(|subject| could_serve(subject)) {
        all += 1;
        out += usize::from(subject.health.ejection.term().is_some());
    }
    let share = rules.max_share.as_fraction();
    let most = if share > 0.0 {
        ((all as f64 * share).floor() as usize).max(1)
    } else {
        0
    };
    (out, most.min(all.saturating_sub(1)))
}

/// Lets those back early that are out beyond the share, because others have gone.
fn make_room(rules: &EjectionRules, subjects: &mut [Subject<'_>], now: Instant) -> Vec<Ruling> {
    let (out, most) = room(rules, subjects);
    let end = |subject: &Subject<'_>| {
        let term = subject.health.ejection.term().filter(|_| could_serve(subject));
        term.map(|term| (term.until, subject.id))
    };
    let mut ends: Vec<_> = subjects.iter().filter_map(end).collect();
    ends.sort_unstable();
    ends.truncate(out.saturating_sub(most));
    let Some(&last) = ends.last() else {
        return Vec::new();
    };
    let needed: Vec<_> = subjects
        .iter()
        .map(|subject| end(subject).is_some_and(|end| end <= last))
        .collect();
    let mut needed = needed.into_iter();
    release_where(subjects, now, |_| {
        needed.next().unwrap_or_default().then_some(Return::Needed)
    })
}

fn release_where(
    subjects: &mut [Subject<'_>],
    now: Instant,
    mut decide: impl FnMut(&Health) -> Option<Return>,
) -> Vec<Ruling> {
    let mut rulings = Vec::new();
    for subject in subjects {
        let Some(how) = decide(subject.health) else {
            continue;
        };
        if let Some(after) = subject.health.ejection.release(now) {
            subject.in_a_row = 0;
            subject.reached = None;
            rulings.push(Ruling::Returned {
                id: subject.id,
                after,
                how,
            });
        }
    }
    rulings
}
