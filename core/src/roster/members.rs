//! Backends that come and go beside the file. What that means is in [`LiveMembers`](crate::live::LiveMembers); here it is put
//! in force: an added backend waits for its first probe, as one that a reload adds; a removed one gets nothing any more, at
//! once, and finishes what it has.

use std::{
    collections::BTreeSet,
    fmt, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Event, Roster};
use crate::{
    config::{BackendConfig, BackendUrl, DEFAULT_POOL, Refusal, Weight},
    live::{Change, LiveMembers, MOST_ADDED, Membership, UnknownTarget, find, find_pool},
    pool::{Identity, Member},
};

/// What a person wants of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberWish {
    /// A backend that the file does not have, or one that was removed live.
    Add {
        /// Its weight, if it is not the usual one.
        weight: Option<Weight>,
    },
    /// A backend less.
    Remove,
}

/// A wish, as it was typed.
#[derive(Debug, Clone)]
pub struct MemberChange {
    /// The backend.
    pub url: String,
    /// The pool. Without it a backend is added to `default` or to the only one, and removed from all that have it.
    pub pool: Option<String>,
    /// What to change.
    pub wish: MemberWish,
    /// For how long; `None`: until it is taken back.
    pub lasts: Option<Duration>,
}

/// What became of a wish.
#[derive(Debug, Clone, Default)]
pub struct MembersChanged {
    /// The backends that it is about, one a pool: those that are there, and those that are not any more.
    pub targets: Vec<Identity>,
    /// What was the case already.
    pub notes: Vec<String>,
    /// What follows.
    pub events: Vec<Event>,
}

/// Why a wish is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberRefusal {
    /// The URL is none.
    Url(Refusal),
    /// There is no such pool or backend.
    Unknown(UnknownTarget),
    /// It does not fit to what is the case: why, and what to do.
    Conflict(String, String),
}

impl MemberRefusal {
    /// For a person, line by line.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Unknown(unknown) => unknown.lines(),
            other => vec![other.to_string()],
        }
    }

    fn conflict(why: String, hint: &str) -> Self {
        Self::Conflict(why, hint.to_owned())
    }
}

impl fmt::Display for MemberRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(refusal) => write!(f, "the backend {refusal}"),
            Self::Unknown(unknown) => unknown.fmt(f),
            Self::Conflict(why, hint) => write!(f, "{why}; {hint}"),
        }
    }
}

impl std::error::Error for MemberRefusal {}

impl Roster {
    /// Adds or removes a backend beside the file.
    ///
    /// # Errors
    /// When it cannot be done; nothing has changed then.
    pub fn change_members(
        &mut self,
        change: &MemberChange,
        now: Instant,
    ) -> Result<MembersChanged, MemberRefusal> {
        match change.wish {
            MemberWish::Add { weight } => self.add(change, weight, now),
            MemberWish::Remove => self.remove_live(change, now),
        }
    }

    fn add(
        &mut self,
        change: &MemberChange,
        weight: Option<Weight>,
        now: Instant,
    ) -> Result<MembersChanged, MemberRefusal> {
        let target = Identity {
            pool: self.pool_for(change.pool.as_deref())?,
            url: backend_url(&change.url).map_err(MemberRefusal::Url)?,
        };
        let membership = self
            .live_members
            .change(&target)
            .map(|change| change.value.clone());
        let is_in_file = self.live_members.is_in_file(&target);
        if is_in_file && (weight.is_some() || change.lasts.is_some()) {
            return Err(MemberRefusal::conflict(
                format!(
                    "{} is in the file, which says its weight, and has no end",
                    target.url
                ),
                "add it without weight and time; `weight` changes its weight",
            ));
        }
        let changed = match membership {
            None if is_in_file => {
                return Ok(MembersChanged {
                    notes: vec![format!("{} is there already, as the file says", target.url)],
                    targets: vec![target],
                    ..MembersChanged::default()
                });
            }
            Some(Membership::Removed) => self.edit(|members| members.take_back(&target)),
            Some(Membership::Added(before)) => {
                let backend = BackendConfig {
                    weight: weight.unwrap_or(before.weight),
                    ..before
                };
                let times = (now, change.lasts);
                self.edit(|members| members.set(target.clone(), Membership::Added(backend), times))
            }
            None if self.live_members.added() >= MOST_ADDED => {
                let why = format!("{MOST_ADDED} backends have been added live, and no more may be");
                return Err(MemberRefusal::conflict(
                    why,
                    "write them into the file, and reload",
                ));
            }
            None => {
                let backend = BackendConfig {
                    weight: weight.unwrap_or_default(),
                    probed: self.probes_in(&target.pool),
                    ..BackendConfig::new(target.url.clone())
                };
                let times = (now, change.lasts);
                self.edit(|members| members.set(target.clone(), Membership::Added(backend), times))
            }
        };
        let mut events = self.reseat_if(changed, now);
        events.push(Event::Added {
            backend: target.clone(),
            lasts: change.lasts,
        });
        Ok(MembersChanged {
            targets: vec![target],
            events,
            ..MembersChanged::default()
        })
    }

    fn remove_live(&mut self, change: &MemberChange, now: Instant) -> Result<MembersChanged, MemberRefusal> {
        let mut all: Vec<Identity> = self.identities().collect();
        let removed = |(identity, change): (&Identity, &Change<Membership>)| {
            (change.value == Membership::Removed).then(|| identity.clone())
        };
        all.extend(self.live_members.changes().filter_map(removed));
        let targets = find(&change.url, change.pool.as_deref(), &all).map_err(MemberRefusal::Unknown)?;
        let is_added = |target: &&Identity| !self.live_members.is_in_file(target);
        if let (Some(added), Some(_)) = (targets.iter().find(is_added), change.lasts) {
            return Err(MemberRefusal::conflict(
                format!(
                    "{} was added live: once removed, nothing brings it back",
                    added.url
                ),
                "remove it without a time",
            ));
        }
        let (mut changed, mut leaving, mut notes) = (false, Vec::new(), Vec::new());
        for target in &targets {
            match self.member(target).map(|member| member.backend.in_flight()) {
                Some(in_flight) => leaving.push(Event::Removed {
                    backend: target.clone(),
                    lasts: change.lasts,
                    in_flight,
                }),
                None => notes.push(format!("{} was removed already", target.url)),
            }
            let times = (now, change.lasts);
            changed |= match self.live_members.is_in_file(target) {
                true => self.edit(|members| members.set(target.clone(), Membership::Removed, times)),
                false => self.edit(|members| members.take_back(target)),
            };
        }
        let mut events = self.reseat_if(changed, now);
        events.append(&mut leaving);
        let mut pools: Vec<Arc<str>> = targets.iter().map(|target| Arc::clone(&target.pool)).collect();
        pools.dedup();
        events.extend(pools.iter().filter_map(|pool| self.none_is_up(pool)));
        Ok(MembersChanged {
            targets,
            notes,
            events,
        })
    }

    /// Ends what has come to its end.
    pub(super) fn expire_members(&mut self, now: Instant) -> Vec<Event> {
        let is_over = |change: &Change<Membership>| change.until.is_some_and(|until| until <= now);
        if !self.live_members.changes().any(|(_, change)| is_over(change)) {
            return Vec::new();
        }
        let over = Arc::make_mut(&mut self.live_members).expire(now);
        let over = over
            .into_iter()
            .map(|(backend, membership)| Event::MembershipOver {
                backend,
                was_added: membership != Membership::Removed,
            });
        let mut events: Vec<Event> = over.collect();
        events.extend(self.reseat(now));
        events
    }

    fn reseat_if(&mut self, changed: bool, now: Instant) -> Vec<Event> {
        if changed { self.reseat(now) } else { Vec::new() }
    }

    /// Seats members anew by the file and what lies over it. Those that are removed serve no longer, not even where nobody else
    /// is up: a person has said so.
    fn reseat(&mut self, now: Instant) -> Vec<Event> {
        let config = self.live_members.over();
        let retiring: BTreeSet<Identity> = self
            .pools
            .iter()
            .flat_map(|(pool, roll)| {
                let retiring = roll.retiring.iter();
                retiring.map(|member| Identity::new(pool, member.backend.url()))
            })
            .collect();
        let mut known = mem::take(&mut self.pools);
        for (name, pool) in &config.pools {
            let roll = known.remove(name).unwrap_or_default();
            self.seat_pool(name, pool, roll, now);
        }
        let mut left = Vec::new();
        for (pool, roll) in &mut self.pools {
            let is_known = |member: &Member| retiring.contains(&Identity::new(pool, member.backend.url()));
            let (stay, go): (Vec<_>, Vec<_>) = mem::take(&mut roll.retiring).into_iter().partition(is_known);
            roll.retiring = stay;
            left.extend(go.into_iter().map(|member| (Arc::clone(pool), member)));
        }
        left.iter().for_each(|(pool, member)| self.remove(pool, member));
        self.in_force(config)
    }

    /// The pool that a backend is added to.
    fn pool_for(&self, named: Option<&str>) -> Result<Arc<str>, MemberRefusal> {
        let pools: Vec<Arc<str>> = self.config.pools.keys().cloned().collect();
        match named {
            Some(named) => find_pool(named, &pools).map_err(MemberRefusal::Unknown),
            None => match (
                pools.as_slice(),
                pools.iter().find(|name| &***name == DEFAULT_POOL),
            ) {
                (_, Some(default)) => Ok(Arc::clone(default)),
                ([only], None) => Ok(Arc::clone(only)),
                ([], None) => Err(MemberRefusal::conflict(
                    "there is no pool: the routes respond by themselves".to_owned(),
                    "write `backends` into the file, and reload",
                )),
                (several, None) => {
                    let names: Vec<_> = several.iter().map(|name| &**name).collect();
                    Err(MemberRefusal::conflict(
                        "there are several pools, and none is called default".to_owned(),
                        &format!("say which is meant: {}", names.join(", ")),
                    ))
                }
            },
        }
    }

    /// Whether backends of a pool are probed where they say nothing of it.
    fn probes_in(&self, pool: &str) -> bool {
        let pool = self.live_members.file().pools.get(pool);
        pool.is_none_or(|pool| pool.backends.iter().any(|backend| backend.probed))
    }

    fn edit(&mut self, change: impl FnOnce(&mut LiveMembers) -> bool) -> bool {
        change(Arc::make_mut(&mut self.live_members))
    }
}

/// As `drain` takes it: the scheme may be left out.
fn backend_url(text: &str) -> Result<BackendUrl, Refusal> {
    let with_scheme = || {
        format!("http://{text}")
            .parse()
            .ok()
            .filter(|_| !text.contains("://"))
    };
    text.parse()
        .or_else(|refusal: Refusal| with_scheme().ok_or(refusal))
}
