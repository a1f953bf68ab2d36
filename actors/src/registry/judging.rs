//! The registry as a judge: what comes of probes, and of what requests met.
//!
//! Counters are read on a tick; a request whose backend has failed often enough in a row asks for it at once. What is
//! decided, and by which rules, is `lb_core::health`.

use std::{collections::HashMap, sync::Arc, time::Duration};

use actix::{AsyncContext, Context};
use lb_core::{
    config::{AllDown, format_duration},
    health::{Judge, Return, Ruling, Thresholds},
    pool::{JUDGING_PAUSE, Member, ProbeRecord, judge},
    status::HealthStatus,
};
use log::{info, warn};
use tokio::time::Instant;

use super::BackendRegistry;
use crate::messages::*;

/// How exactly ejections end, and how late somebody is found whose message was lost. Looking at ten thousand backends
/// takes a millisecond.
const TICK: Duration = Duration::from_millis(500);

/// A worker may have looked at the snapshot before, and take its lease a moment after a drain has begun: so much later no
/// longer, and nothing in flight means that nothing will be.
pub(super) const DRAIN_SETTLES: Duration = Duration::from_millis(100);

impl BackendRegistry {
    pub(super) fn start_ticking(&self, ctx: &mut Context<Self>) {
        ctx.run_interval(TICK, |this, ctx| {
            this.judge(None, ctx);
            this.watch_drains(ctx);
            this.expire_live(ctx);
        });
    }

    /// Judges one pool, or all. The clock is tokio's, which tests can stop.
    pub(super) fn judge(&mut self, only: Option<&Arc<str>>, ctx: &mut Context<Self>) {
        let now = Instant::now().into_std();
        let mut by_pool: HashMap<&Arc<str>, Vec<&mut Member>> = HashMap::new();
        let wanted = |pool: &Arc<str>| only.is_none_or(|only| only == pool);
        for ((pool, _), member) in self.members.iter_mut().filter(|((pool, _), _)| wanted(pool)) {
            by_pool.entry(pool).or_default().push(member);
        }
        let (mut changed, mut returned) = (Vec::new(), Vec::new());
        for (name, mut members) in by_pool {
            let rules = self
                .config
                .pools
                .get(name)
                .and_then(|pool| pool.ejection.as_ref());
            let record = self.judges.entry(Arc::clone(name)).or_default();
            let rulings = judge(record, rules, &mut members, now);
            rulings.iter().for_each(|ruling| log(ruling, &members));
            if rulings
                .iter()
                .any(|ruling| !matches!(ruling, Ruling::Spared { .. }))
            {
                changed.push(Arc::clone(name));
            }
            for ruling in &rulings {
                if let Ruling::Returned { id, .. } = ruling {
                    returned.push(*id);
                }
            }
        }
        for backend in returned {
            if let Some(identity) = self.identities.get(&backend).cloned() {
                self.warm_up(&identity, now);
            }
        }
        if !changed.is_empty() {
            self.publish_soon(ctx);
        }
        for pool in changed {
            self.warn_if_none_is_up(&pool);
        }
    }

    /// Judges a pool because a request asks for it. Where nobody more may be out, requests ask thousands of times a
    /// second, so it is done again only after a pause; who comes in between is found by then, or on the next tick.
    pub(super) fn judge_now(&mut self, pool: Arc<str>, ctx: &mut Context<Self>) {
        if !self.judged.insert(Arc::clone(&pool)) {
            return;
        }
        self.judge(Some(&pool), ctx);
        ctx.run_later(JUDGING_PAUSE, move |this, ctx| {
            this.judge(Some(&pool), ctx);
            this.judged.remove(&pool);
        });
    }

    /// Notes whose drain has come to its end.
    pub(super) fn watch_drains(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now().into_std();
        let mut ended = false;
        for ((_, url), member) in &mut self.members {
            let mut admin = member.health.admin();
            let settled = now.saturating_duration_since(member.since) >= DRAIN_SETTLES;
            if settled && admin.observe(member.backend.in_flight(), now) {
                member.health.set_admin(admin, member.probed);
                info!("backend {url} is drained: nothing is in flight");
                ended = true;
            }
        }
        if ended {
            self.publish_soon(ctx);
        }
    }
}

impl BackendRegistry {
    /// Judges by one probe; says when the next one is due.
    pub(super) fn observe(&mut self, message: ProbeFinished, ctx: &mut Context<Self>) -> NextProbe {
        let Some(identity) = self.identities.get(&message.backend) else {
            return NextProbe::Never;
        };
        let (Some(member), Some(check)) = (self.members.get_mut(identity), self.checks.get(identity)) else {
            return NextProbe::Never;
        };
        let ProbeReport {
            ok,
            detail,
            took,
            addresses,
            ours,
        } = message.report;
        if ours {
            warn!(
                "cannot probe {}: {detail}; its health stays as it was",
                identity.1
            );
            return NextProbe::Soon;
        }
        let now = std::time::Instant::now();
        if !addresses.is_empty() {
            member.backend.set_addresses(&addresses);
        }
        let first = !member.health.is_decided();
        let thresholds = Thresholds {
            rise: check.rise,
            fall: check.fall,
        };
        let before = member.health.status();
        let transition = member.health.observe(ok, thresholds);
        member.note_change(before, now);
        match transition.map(|transition| transition.to) {
            Some(HealthStatus::Up) => match member.health.status() {
                HealthStatus::Up => info!("backend {} is up: {detail}", identity.1),
                other => info!(
                    "the probes of backend {}, which is {other}, are good: {detail}",
                    identity.1
                ),
            },
            Some(_) => warn!("backend {} is down: {detail}", identity.1),
            None => {}
        }
        member.backend.set_last_probe(ProbeRecord {
            ok,
            detail,
            took,
            at: now,
        });
        let changing = member.health.is_changing();
        let pool = Arc::clone(&identity.0);
        if transition.is_some() {
            let identity = identity.clone();
            self.warm_up(&identity, now);
            // With one more or one less that could serve, others may have to come back.
            self.judge(Some(&pool), ctx);
        }
        if first || transition.is_some() {
            self.publish_soon(ctx);
        }
        if first && !self.retiring.is_empty() {
            // Lost only if the checker is gone, which is what is asked for.
            self.retire(false)
                .iter()
                .for_each(|checker| checker.do_send(StopChecker));
        }
        if transition.is_some() {
            self.warn_if_none_is_up(&pool);
        }
        if changing {
            NextProbe::Soon
        } else {
            NextProbe::Usual
        }
    }

    fn warn_if_none_is_up(&self, pool: &Arc<str>) {
        let mut members = self.members.iter().filter(|((name, _), _)| name == pool);
        if !members.all(|(_, member)| !member.health.is_up()) {
            return;
        }
        match self.config.pools.get(pool).map(|pool| pool.all_down) {
            Some(AllDown::Fail) => warn!("no backend of pool {pool} is up: requests are refused"),
            _ => warn!("no backend of pool {pool} is up: requests are tried at all of them"),
        }
    }
}

/// What is remembered of each pool for its judgement.
pub(super) type Judges = HashMap<Arc<str>, Judge>;

fn log(ruling: &Ruling, members: &[&mut Member]) {
    let (Ruling::Ejected { id, .. } | Ruling::Spared { id, .. } | Ruling::Returned { id, .. }) = ruling;
    let Some(member) = members.iter().find(|member| member.backend.id() == *id) else {
        return;
    };
    let url = member.backend.url();
    match ruling {
        Ruling::Ejected {
            why, length, count, ..
        } => {
            let length = format_duration(*length);
            warn!("backend {url} is ejected for {length}: {why} (ejection {count})");
        }
        Ruling::Spared { why, .. } => {
            warn!("backend {url} is not ejected though it had {why}: no more of its pool may be out");
        }
        Ruling::Returned { after, how, .. } => {
            let why = match how {
                Return::TimeOver => "its time is over",
                Return::ProbesGood => "its probes failed and are good again",
                Return::Needed => "too few others are left",
                Return::RulesOff => "ejection is off",
            };
            let after = format_duration(Duration::from_secs(after.as_secs()));
            info!(
                "backend {url} is {} after an ejection of {after}: {why}",
                member.health.status()
            );
        }
    }
}
