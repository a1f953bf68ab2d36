//! Live changes: a person's wish becomes part of a member, and a member with one is treated as if the file said so.
//!
//! What a wish means beside the file is `lb_core::live`; here it is put in force, published before the answer, and ended when
//! its time is over.

use std::{collections::HashSet, sync::Arc};

use actix::{Addr, AsyncContext, Context, Handler, ResponseFuture};
use lb_core::{
    config::format_duration,
    live::{Wish, ended, find},
    status::{LiveBackend, LiveReport},
};
use log::{info, warn};
use tokio::time::Instant;

use super::{
    BackendRegistry,
    judging::DRAIN_SETTLES,
    members::{Identity, change_member},
};
use crate::{health_checker::HealthChecker, messages::*};

type Stopping = Vec<Addr<HealthChecker>>;

impl BackendRegistry {
    /// Does what is asked, and tells how the backends are then. The checkers have to end before it is in force.
    fn change_live(&mut self, message: &ChangeLive, ctx: &mut Context<Self>) -> (LiveReport, Stopping) {
        // The clock is tokio's, which tests can stop.
        let now = Instant::now().into_std();
        let all: Vec<Identity> = self.members.keys().cloned().collect();
        let targets = match find(&message.url, message.pool.as_deref(), &all) {
            Ok(targets) => targets,
            Err(unknown) => return (refusal(unknown.lines()), Vec::new()),
        };
        let stopping = match message.change {
            Some(wish) => {
                let until = message.lasts.and_then(|lasts| now.checked_add(lasts));
                for identity in &targets {
                    if let Some(member) = self.members.get_mut(identity) {
                        member.live.wish(wish, now, until);
                    }
                }
                let stopping = self.settle(&targets.iter().cloned().collect());
                self.put_in_force(ctx);
                targets.iter().for_each(|target| self.log_wish(target, message));
                ctx.run_later(DRAIN_SETTLES, Self::watch_drains);
                stopping
            }
            None => Vec::new(),
        };
        (self.report(targets, message.change.is_some()), stopping)
    }

    fn report(&self, targets: Vec<Identity>, changed: bool) -> LiveReport {
        let snapshot = self.handle.snapshot();
        let now = Instant::now().into_std();
        let trouble = |(pool, _): &Identity| snapshot.pool(pool)?.trouble();
        let warnings = targets.iter().filter(|_| changed).filter_map(trouble);
        let warnings: Vec<String> = warnings.collect();
        warnings.iter().for_each(|warning| warn!("{warning}"));
        let backend = |identity: Identity| {
            let backend = self.members.get(&identity)?.status(now);
            let pool = identity.0.to_string();
            Some(LiveBackend { pool, backend })
        };
        LiveReport {
            applied: true,
            problems: Vec::new(),
            backends: targets.into_iter().filter_map(backend).collect(),
            warnings,
        }
    }

    /// Ends what has come to its end.
    pub(super) fn expire_live(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now().into_std();
        let mut over = HashSet::new();
        for (identity, member) in &mut self.members {
            let expired = member.live.expire(now);
            if expired.is_empty() {
                continue;
            }
            let lines = ended(expired, &member.live);
            lines
                .iter()
                .for_each(|line| info!("{}: live {line}", name(identity)));
            over.insert(identity.clone());
        }
        if over.is_empty() {
            return;
        }
        let stopping = self.settle(&over);
        // Lost only when the checker is gone, which is what is wanted.
        stopping.iter().for_each(|checker| checker.do_send(StopChecker));
        self.put_in_force(ctx);
    }

    /// Puts in force what the live changes of these backends say; returns the checkers that have to end.
    fn settle(&mut self, changed: &HashSet<Identity>) -> Stopping {
        let (config, now) = (Arc::clone(&self.config), Instant::now().into_std());
        let (mut stopping, mut returned) = (Vec::new(), Vec::new());
        for (name, pool) in &config.pools {
            for backend in &pool.backends {
                let identity = (Arc::clone(name), backend.url.clone());
                let Some(member) = self.members.get_mut(&identity) else {
                    continue;
                };
                if !changed.contains(&identity) {
                    continue;
                }
                let shared = &pool.health_check;
                let check = member.live.over(backend).check(shared).cloned().map(Arc::new);
                if change_member(member, (pool, backend), now) {
                    returned.push(identity.clone());
                }
                if self.checks.get(&identity) == check.as_ref() {
                    continue;
                }
                stopping.extend(self.checkers.remove(&member.backend.id()));
                match check {
                    Some(check) => self.checks.insert(identity, check),
                    None => self.checks.remove(&identity),
                };
            }
        }
        for identity in &returned {
            self.warm_up(identity, now);
        }
        stopping
    }

    fn log_wish(&self, identity: &Identity, message: &ChangeLive) {
        let (Some(member), Some(wish)) = (self.members.get(identity), message.change) else {
            return;
        };
        let lasts = message
            .lasts
            .map(|lasts| format!(" for {}", format_duration(lasts)));
        let lasts = lasts.unwrap_or_default();
        let what = match wish {
            Wish::Weight(_) | Wish::FileWeight => format!("weight {}", member.live.weight().get()),
            Wish::Drain | Wish::Maintenance | Wish::Serve => member.live.order().as_str().to_owned(),
        };
        let in_flight = member.backend.in_flight();
        info!(
            "{}: {what}{lasts} by command, {in_flight} in flight",
            name(identity)
        );
    }
}

/// As the log names a backend.
fn name((pool, url): &Identity) -> String {
    format!("backend {url} of pool {pool}")
}

fn refusal(problems: Vec<String>) -> LiveReport {
    LiveReport {
        applied: false,
        problems,
        backends: Vec::new(),
        warnings: Vec::new(),
    }
}

impl Handler<ChangeLive> for BackendRegistry {
    type Result = ResponseFuture<LiveReport>;

    fn handle(&mut self, message: ChangeLive, ctx: &mut Self::Context) -> Self::Result {
        let (report, stopping) = self.change_live(&message, ctx);
        Box::pin(async move {
            // An error means that the checker is gone already.
            futures::future::join_all(stopping.iter().map(|checker| checker.send(StopChecker))).await;
            report
        })
    }
}
