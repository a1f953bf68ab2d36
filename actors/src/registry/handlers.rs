//! What the registry does with each message: it asks the roster, carries out what comes of it, and replies.

use std::time::Instant;

use actix::{ActorContext, Context, Handler, MessageResult, ResponseFuture};
use lb_core::{
    live::UnknownTarget,
    pool::{Identity, Lease, NoBackend},
    roster::{Event, LiveChange, MemberRefusal},
    status::{LiveReport, RemovedBackend},
};
use log::{info, warn};

use super::{BackendRegistry, Stopping, log_lines::TARGET, now};
use crate::messages::*;

impl Handler<ApplyPlan> for BackendRegistry {
    type Result = ResponseFuture<Applied>;

    fn handle(&mut self, message: ApplyPlan, ctx: &mut Self::Context) -> Self::Result {
        let events = self.roster.apply(&message.plan, now());
        let stopping = self.carry_out(events, ctx);
        let generation = self.roster.generation();
        let lines = message.plan.lines();
        lines
            .iter()
            .for_each(|line| info!(target: TARGET, "generation {generation}: {line}"));
        after_the_end_of(stopping, Applied { generation })
    }
}

impl Handler<RetireRemoved> for BackendRegistry {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: RetireRemoved, ctx: &mut Self::Context) -> Self::Result {
        let events = self.roster.retire_removed();
        after_the_end_of(self.carry_out(events, ctx), ())
    }
}

impl Handler<ChangeLive> for BackendRegistry {
    type Result = ResponseFuture<LiveReport>;

    fn handle(&mut self, message: ChangeLive, ctx: &mut Self::Context) -> Self::Result {
        match self.roster.find(&message.url, message.pool.as_deref()) {
            Err(unknown) => after_the_end_of(Stopping::new(), refusal(&unknown)),
            Ok(targets) => {
                let (stopping, warnings) = self.change(&targets, &message, ctx);
                after_the_end_of(stopping, self.report(targets, warnings))
            }
        }
    }
}

impl Handler<ChangeMembers> for BackendRegistry {
    type Result = ResponseFuture<Result<LiveReport, MemberRefusal>>;

    fn handle(&mut self, ChangeMembers(change): ChangeMembers, ctx: &mut Self::Context) -> Self::Result {
        match self.roster.change_members(&change, now()) {
            Err(refusal) => after_the_end_of(Stopping::new(), Err(refusal)),
            Ok(changed) => {
                let removed = self.removed(&changed.events);
                let stopping = self.carry_out(changed.events, ctx);
                let mut warnings = changed.notes;
                if !removed.is_empty() {
                    warnings.extend(self.warnings(&changed.targets));
                }
                let report = self.report(changed.targets, warnings);
                after_the_end_of(stopping, Ok(LiveReport { removed, ..report }))
            }
        }
    }
}

impl BackendRegistry {
    /// Which backends are gone by these events.
    fn removed(&self, events: &[Event]) -> Vec<RemovedBackend> {
        let removed = |event: &Event| match event {
            Event::Removed {
                backend, in_flight, ..
            } => Some(RemovedBackend {
                pool: backend.pool.to_string(),
                url: backend.url.to_string(),
                in_flight: *in_flight,
                in_file: self.roster.is_in_file(backend),
            }),
            _ => None,
        };
        events.iter().filter_map(removed).collect()
    }

    /// Does what is asked, if it is more than a look; returns the checkers that are to stop, and what there is to warn of.
    fn change(
        &mut self,
        targets: &[Identity],
        message: &ChangeLive,
        ctx: &mut Context<Self>,
    ) -> (Stopping, Vec<String>) {
        let Some(wish) = message.change else {
            return Default::default();
        };
        let lasts = message.lasts;
        let events = self.roster.change(targets, LiveChange { wish, lasts }, now());
        (self.carry_out(events, ctx), self.warnings(targets))
    }

    /// What there is to warn of after a change of these backends.
    fn warnings(&self, targets: &[Identity]) -> Vec<String> {
        let snapshot = self.handle.snapshot();
        let trouble = |target: &Identity| snapshot.pool(&target.pool)?.trouble();
        let warnings: Vec<String> = targets.iter().filter_map(trouble).collect();
        warnings
            .iter()
            .for_each(|warning| warn!(target: TARGET, "{warning}"));
        warnings
    }

    fn report(&self, targets: Vec<Identity>, warnings: Vec<String>) -> LiveReport {
        let now = now();
        let backends = targets
            .iter()
            .filter_map(|target| self.roster.status_of(target, now));
        LiveReport {
            applied: true,
            problems: Vec::new(),
            backends: backends.collect(),
            warnings,
            removed: Vec::new(),
        }
    }
}

fn refusal(unknown: &UnknownTarget) -> LiveReport {
    LiveReport {
        applied: false,
        problems: unknown.lines(),
        backends: Vec::new(),
        warnings: Vec::new(),
        removed: Vec::new(),
    }
}

/// Replies when these checkers have ended: no probe of theirs is under way then.
fn after_the_end_of<T: 'static>(stopping: Stopping, reply: T) -> ResponseFuture<T> {
    Box::pin(async move {
        // An error means that the checker is gone already.
        futures::future::join_all(stopping.iter().map(|checker| checker.send(StopChecker))).await;
        reply
    })
}

impl Handler<Pick> for BackendRegistry {
    type Result = Result<Lease, NoBackend>;

    fn handle(&mut self, message: Pick, _: &mut Self::Context) -> Self::Result {
        self.handle
            .pick(&self.handle.ask_of_control_plane(&message.tried))
    }
}

impl Handler<GetStatus> for BackendRegistry {
    type Result = MessageResult<GetStatus>;

    fn handle(&mut self, _: GetStatus, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.handle.snapshot().status(Instant::now()))
    }
}

impl Handler<ProbeFinished> for BackendRegistry {
    type Result = MessageResult<ProbeFinished>;

    fn handle(&mut self, message: ProbeFinished, ctx: &mut Self::Context) -> Self::Result {
        let probed = self.roster.probed(message.backend, message.report, now());
        self.carry_out_unasked(probed.events, ctx);
        MessageResult(probed.next)
    }
}

impl Handler<AddressesResolved> for BackendRegistry {
    type Result = ();

    fn handle(&mut self, message: AddressesResolved, _: &mut Self::Context) {
        if let Some(member) = self.roster.member_of(message.backend) {
            member.backend.addresses().set(&message.addresses);
        }
    }
}

impl Handler<ConnectFailed> for BackendRegistry {
    type Result = ();

    fn handle(&mut self, message: ConnectFailed, _: &mut Self::Context) {
        if let Some(checker) = self.checkers.get(&message.backend) {
            // Lost only when the checker is gone; its successor resolves at once.
            checker.do_send(ResolveNow);
        }
    }
}

impl Handler<FailedInARow> for BackendRegistry {
    type Result = ();

    fn handle(&mut self, message: FailedInARow, ctx: &mut Self::Context) {
        let events = self.roster.failed_in_a_row(message.backend, now());
        self.carry_out_unasked(events, ctx);
    }
}

impl Handler<CheckerEnded> for BackendRegistry {
    type Result = ();

    fn handle(&mut self, message: CheckerEnded, ctx: &mut Self::Context) {
        self.checkers.remove(&message.backend);
        let events = self.roster.checker_ended(message.backend);
        self.carry_out_unasked(events, ctx);
    }
}

/// End with everything it started: the process stops.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(crate) struct Shutdown;

impl Handler<Shutdown> for BackendRegistry {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        self.guard.expect_end();
        self.handle.set_registry(None);
        for (_, checker) in self.checkers.drain() {
            // Lost only when the checker is gone, which is what is wanted.
            checker.do_send(StopChecker);
        }
        ctx.stop();
    }
}
