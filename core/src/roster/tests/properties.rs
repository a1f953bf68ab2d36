//! Whatever happens in whatever order, the roster keeps its word.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;
use crate::health::Health;

/// Something that happens. Numbers choose among the backends that there are then.
#[derive(Debug, Clone)]
enum Step {
    Apply(Vec<Vec<Written>>),
    RetireRemoved,
    Probe(usize, ProbeVerdict),
    Requests {
        pool: usize,
        count: usize,
        fail: bool,
        hold: bool,
    },
    EndHeld(usize),
    FailedInARow(usize),
    JudgeAgain(usize),
    Wish(usize, Wish, Option<u64>),
    Member {
        host: usize,
        pool: Option<usize>,
        wish: MemberWish,
        lasts: Option<u64>,
    },
    CheckerEnds(usize),
    Pass(u64),
    Resume,
}

/// A backend in a file: which of a few hosts, and what is said of it.
#[derive(Debug, Clone)]
struct Written {
    host: usize,
    settings: &'static str,
}

const HOSTS: [&str; 5] = ["a", "b", "c", "192.0.2.1", "e"];
const POOLS: [&str; 2] = ["p", "q"];

fn config_with(pools: &[Vec<Written>]) -> Config {
    let backends = |written: &Vec<Written>| {
        let mut all = BTreeMap::new();
        written.iter().for_each(|one| {
            all.entry(one.host).or_insert(one.settings);
        });
        let items = all
            .iter()
            .map(|(host, settings)| format!("{{url: \"http://{}\"{settings}}}", HOSTS[*host]));
        items.collect::<Vec<_>>().join(", ")
    };
    let named: Vec<(&str, String)> = POOLS.into_iter().zip(pools.iter().map(backends)).collect();
    let named: Vec<(&str, &str)> = named
        .iter()
        .map(|(name, backends)| (*name, &**backends))
        .collect();
    config_of(&named, "slow_start: 10s")
}

fn any_backends() -> impl Strategy<Value = Vec<Written>> {
    let settings = prop_oneof![
        4 => Just(""),
        1 => Just(", weight: 3"),
        1 => Just(", health_check: false"),
        1 => Just(", health_check: /own"),
        1 => Just(", drain: true"),
        1 => Just(", maintenance: true"),
        1 => Just(", max_connections: 2"),
        1 => Just(", backup: true"),
    ];
    let written = (0..HOSTS.len(), settings).prop_map(|(host, settings)| Written { host, settings });
    prop::collection::vec(written, 1..5)
}

fn any_pools() -> impl Strategy<Value = Vec<Vec<Written>>> {
    prop::collection::vec(any_backends(), 1..=2)
}

fn any_member_wish() -> impl Strategy<Value = MemberWish> {
    let weight = crate::config::Weight::new(3);
    prop_oneof![
        2 => Just(MemberWish::Add { weight: None }),
        1 => Just(MemberWish::Add { weight }),
        2 => Just(MemberWish::Remove),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        5 => Just(ProbeVerdict::Passed),
        5 => Just(ProbeVerdict::Failed),
        1 => Just(ProbeVerdict::NotAsked),
    ];
    let wish = prop_oneof![
        Just(Wish::Drain),
        Just(Wish::Maintenance),
        Just(Wish::Serve),
        Just(Wish::Weight(crate::config::Weight::new(7).unwrap())),
        Just(Wish::FileWeight),
    ];
    prop_oneof![
        2 => any_pools().prop_map(Step::Apply),
        1 => Just(Step::RetireRemoved),
        8 => (any::<usize>(), verdict).prop_map(|(who, verdict)| Step::Probe(who, verdict)),
        4 => (0..2usize, 1..30usize, any::<bool>(), any::<bool>())
            .prop_map(|(pool, count, fail, hold)| Step::Requests { pool, count, fail, hold }),
        2 => any::<usize>().prop_map(Step::EndHeld),
        2 => any::<usize>().prop_map(Step::FailedInARow),
        1 => (0..2usize).prop_map(Step::JudgeAgain),
        2 => (any::<usize>(), wish, prop::option::of(1..100u64))
            .prop_map(|(who, wish, lasts)| Step::Wish(who, wish, lasts)),
        2 => (0..HOSTS.len(), prop::option::of(0..2usize), any_member_wish(), prop::option::of(1..100u64))
            .prop_map(|(host, pool, wish, lasts)| Step::Member { host, pool, wish, lasts }),
        1 => any::<usize>().prop_map(Step::CheckerEnds),
        4 => prop_oneof![Just(100u64), Just(1_000), Just(11_000), Just(60_000)].prop_map(Step::Pass),
        1 => Just(Step::Resume),
    ]
}

/// What people, picks and waiting commands see of a snapshot; not what only counts inside.
fn shown(snapshot: &Snapshot, now: Instant) -> Vec<String> {
    let pools = snapshot.pools().iter().flat_map(|pool| {
        pool.members().iter().map(move |member| {
            let status = member.status(now);
            format!(
                "{} {} {} {:?} {} {:?} {:?} {:?} {:?} {:?} {} {:?} {:?}",
                pool.name(),
                status.url,
                status.weight,
                member.priority,
                status.health,
                member.max_connections,
                member.warming_since,
                member.since,
                member.health.ejection().term().map(|term| term.until),
                member.health.admin(),
                status.ejections,
                member.live,
                (member.health.probed(), member.health.is_decided()),
            )
        })
    });
    let head = std::iter::once(format!(
        "{} {:?} {:?}",
        snapshot.generation(),
        snapshot.config(),
        snapshot.live_members().changes().collect::<Vec<_>>()
    ));
    head.chain(pools).collect()
}

struct World {
    stage: Stage,
    held: Vec<Lease>,
}

impl World {
    fn someone(&self, who: usize) -> Option<Identity> {
        let all: Vec<Identity> = self.stage.roster.identities().collect();
        (!all.is_empty()).then(|| all[who % all.len()].clone())
    }

    fn id_of(&self, who: usize) -> Option<u64> {
        let identity = self.someone(who)?;
        Some(self.stage.roster.member(&identity)?.backend.id())
    }

    fn take(&mut self, step: &Step) -> Vec<Event> {
        let now = self.stage.now;
        match step {
            Step::Apply(pools) => {
                let plan = ReloadPlan::between(self.stage.roster.file(), &config_with(pools));
                // The watcher hands over no plan that changes nothing.
                if plan.is_empty() {
                    return Vec::new();
                }
                let shown = plan.apply(self.stage.roster.file());
                let events = self.stage.roster.apply(&plan, now);
                assert_eq!(
                    **self.stage.roster.file(),
                    shown,
                    "what is shown is what is applied"
                );
                events
            }
            Step::RetireRemoved => self.stage.roster.retire_removed(),
            Step::Probe(who, verdict) => {
                let Some(id) = self.id_of(*who) else {
                    return Vec::new();
                };
                let report = ProbeReport {
                    verdict: *verdict,
                    detail: String::new(),
                    took: Duration::ZERO,
                    addresses: Vec::new(),
                    passed: None,
                    failed: Vec::new(),
                };
                self.stage.roster.probed(id, report, now).events
            }
            Step::Requests {
                pool,
                count,
                fail,
                hold,
            } => {
                for turn in 0..*count {
                    let Some(lease) = self.stage.lease(POOLS[*pool], turn as u64) else {
                        break;
                    };
                    match (hold, fail) {
                        (true, _) => self.held.push(lease),
                        (_, true) => drop(lease.finish(Outcome::BackendFailed, now)),
                        (_, false) => drop(lease.finish(Outcome::Answered, now)),
                    }
                }
                Vec::new()
            }
            Step::EndHeld(count) => {
                self.held.truncate(self.held.len().saturating_sub(count % 8));
                Vec::new()
            }
            Step::FailedInARow(who) => {
                let id = self.id_of(*who).unwrap_or(0);
                self.stage.roster.failed_in_a_row(id, now)
            }
            Step::JudgeAgain(pool) => self.stage.roster.judge_again(&POOLS[*pool].into(), now),
            Step::Wish(who, wish, lasts) => {
                let Some(target) = self.someone(*who) else {
                    return Vec::new();
                };
                let (wish, lasts) = (*wish, lasts.map(seconds));
                self.stage
                    .roster
                    .change(&[target], LiveChange { wish, lasts }, now)
            }
            Step::Member {
                host,
                pool,
                wish,
                lasts,
            } => {
                let change = MemberChange {
                    url: format!("http://{}", HOSTS[*host]),
                    pool: pool.map(|pool| POOLS[pool].to_owned()),
                    wish: *wish,
                    lasts: lasts.map(seconds),
                };
                let changed = self.stage.roster.change_members(&change, now);
                changed.map_or_else(|_| Vec::new(), |changed| changed.events)
            }
            Step::CheckerEnds(who) => {
                let Some(id) = self.id_of(*who) else {
                    return Vec::new();
                };
                self.stage.checkers.remove(&id);
                self.stage.roster.checker_ended(id)
            }
            Step::Pass(millis) => {
                self.stage.now += Duration::from_millis(*millis);
                self.stage.roster.tick(self.stage.now)
            }
            Step::Resume => {
                let factory = Arc::clone(&self.stage.roster.factory);
                self.stage.roster = Roster::resume(&self.stage.published, factory);
                self.stage.checkers.clear();
                self.stage.roster.start_checkers()
            }
        }
    }
}

type Known = HashMap<Identity, (u64, Health)>;

fn known(roster: &Roster) -> Known {
    let member = |identity: Identity| {
        let member = roster.member(&identity)?;
        Some((identity, (member.backend.id(), member.health)))
    };
    roster.identities().filter_map(member).collect()
}

/// The configuration's backends are the members, in its order; nobody is in two places; and those that need a checker
/// have one.
fn assert_places(stage: &Stage) {
    let roster = &stage.roster;
    for (name, pool) in &roster.config().pools {
        let urls: Vec<_> = pool.backends.iter().map(|backend| &backend.url).collect();
        let members: Vec<_> = roster
            .members(name)
            .iter()
            .map(|member| member.backend.url())
            .collect();
        assert_eq!(members, urls, "members of {name}");
    }
    assert!(roster.pools.keys().eq(roster.config().pools.keys()));
    let mut places: Vec<Identity> = roster.identities().collect();
    for (name, roll) in &roster.pools {
        places.extend(
            roll.retiring
                .iter()
                .map(|member| Identity::new(name, member.backend.url())),
        );
    }
    let held = roster.removed.iter();
    places.extend(
        held.filter(|(_, backend)| backend.upgrade().is_some_and(|held| held.in_flight() > 0))
            .map(|(identity, _)| identity.clone()),
    );
    let distinct: BTreeSet<&Identity> = places.iter().collect();
    assert_eq!(
        distinct.len(),
        places.len(),
        "nobody is in two places: {places:?}"
    );
    let needs = |identity: &Identity| {
        let member = roster.member(identity).unwrap();
        (member.probed || identity.url.literal_address().is_none()).then(|| member.backend.id())
    };
    let needed: BTreeSet<u64> = roster
        .identities()
        .filter_map(|identity| needs(&identity))
        .collect();
    assert_eq!(stage.checkers, needed, "checkers");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn any_sequence_keeps_members_health_checkers_and_the_snapshot_right(
        first in any_pools(),
        steps in prop::collection::vec(any_step(), 1..40),
    ) {
        let mut world = World { stage: Stage::new(config_with(&first)), held: Vec::new() };
        for step in &steps {
            let before = known(&world.stage.roster);
            let held: HashMap<Identity, u64> = world.stage.roster.removed.iter()
                .filter_map(|(identity, backend)| {
                    let backend = backend.upgrade().filter(|backend| backend.in_flight() > 0)?;
                    Some((identity.clone(), backend.id()))
                })
                .collect();
            let was_shown = shown(&world.stage.published, world.stage.now);
            let events = world.take(step);
            let was_shown = match step {
                // Time alone changes what a report says of it.
                Step::Pass(_) => shown(&world.stage.published, world.stage.now),
                _ => was_shown,
            };
            let publishes = world.stage.carry_out(&events);
            let is_shown = shown(&world.stage.roster.snapshot(Some(&world.stage.published)), world.stage.now);
            prop_assert_eq!(publishes, is_shown != was_shown, "{:?}: {}", step, words(&events));
            assert_places(&world.stage);
            let after = known(&world.stage.roster);
            for (identity, (id, health)) in &after {
                match (before.get(identity), held.get(identity)) {
                    (Some((was, _)), _) => prop_assert_eq!(id, was, "{} stays itself", identity),
                    (None, Some(was)) => prop_assert_eq!(id, was, "{} is held, and the same again", identity),
                    (None, None) => {}
                }
                let (Step::Apply(_), Some((_, known))) = (step, before.get(identity)) else { continue };
                // A person's order and whether it is probed are the file's; all else is known, and stays.
                if health.admin().is_same_order(&known.admin()) && health.probed() != known.probed() {
                    let member = world.stage.roster.member(identity).unwrap();
                    prop_assert!(!member.probed || !known.is_decided() || health.probed() == HealthStatus::Up, "{}", identity);
                }
                if health.admin().is_same_order(&known.admin()) {
                    prop_assert_eq!(health.ejection(), known.ejection(), "{}", identity);
                }
            }
        }
    }
}
