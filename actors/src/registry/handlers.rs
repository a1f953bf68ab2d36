//! What the registry does with each message: a call, and an answer.

use std::{sync::Arc, time::Instant};

use actix::{ActorContext, Handler, MessageResult, ResponseFuture};
use lb_core::pool::{Lease, NoBackend};

use super::BackendRegistry;
use crate::messages::*;

impl Handler<ApplyPlan> for BackendRegistry {
    type Result = ResponseFuture<Applied>;

    fn handle(&mut self, message: ApplyPlan, ctx: &mut Self::Context) -> Self::Result {
        let stopping = self.apply(message.config, &message.plan, ctx);
        let generation = self.generation;
        Box::pin(async move {
            // An error means that the checker is gone already.
            futures::future::join_all(stopping.iter().map(|checker| checker.send(StopChecker))).await;
            Applied { generation }
        })
    }
}

impl Handler<RetireRemoved> for BackendRegistry {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: RetireRemoved, _: &mut Self::Context) -> Self::Result {
        let stopping = self.retire(true);
        Box::pin(async move {
            // An error means that the checker is gone already.
            futures::future::join_all(stopping.iter().map(|checker| checker.send(StopChecker))).await;
        })
    }
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
    type Result = NextProbe;

    fn handle(&mut self, message: ProbeFinished, ctx: &mut Self::Context) -> Self::Result {
        self.observe(message, ctx)
    }
}

impl Handler<AddressesResolved> for BackendRegistry {
    type Result = ();

    fn handle(&mut self, message: AddressesResolved, _: &mut Self::Context) {
        let identity = self.identities.get(&message.backend);
        if let Some(member) = identity.and_then(|identity| self.members.get(identity)) {
            member.backend.set_addresses(&message.addresses);
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
        let pool = self
            .identities
            .get(&message.backend)
            .map(|(pool, _)| Arc::clone(pool));
        if let Some(pool) = pool {
            self.judge_now(pool, ctx);
        }
    }
}

impl Handler<CheckerEnded> for BackendRegistry {
    type Result = ();

    fn handle(&mut self, message: CheckerEnded, ctx: &mut Self::Context) {
        self.checkers.remove(&message.backend);
        if let Some((_, url)) = self.identities.get(&message.backend) {
            log::error!("the health checker of {url} ended unexpectedly and is started again");
            self.handle.note_restart();
            self.start_checkers(ctx);
        }
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
