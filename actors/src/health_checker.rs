//! The HealthChecker: one a backend. It asks, reports and sleeps; what a result means is the registry's business.
//!
//! The next probe is scheduled when the last one was reported, so probes never overlap, and a slow registry slows
//! them down instead of being flooded. The first pause is a random part of the interval, so that checkers which began
//! together spread over it.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture, fut::ready,
};
use lb_core::{
    config::HealthCheck,
    pool::Backend,
    roster::{NextProbe, ProbeVerdict},
};

use crate::{gate::Gate, guard::EndGuard, messages::*, probe::Prober, registry::BackendRegistry};

/// Connect errors come by the thousand; one look-up a second is enough for them.
const RESOLVE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How often the name of a backend that is not probed is resolved.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(5);

/// Probes one backend.
pub struct HealthChecker {
    checking: Checking,
    /// Whether the last probe failed slowly; `None` before the first.
    hung: Option<bool>,
    resolved: Option<Instant>,
}

/// What a checker is started with.
pub(crate) struct Checking {
    pub(crate) backend: Arc<Backend>,
    /// `None`: the backend is not probed, only its name is kept resolved.
    pub(crate) check: Option<Arc<HealthCheck>>,
    pub(crate) prober: Rc<dyn Prober>,
    pub(crate) gate: Rc<Gate>,
    pub(crate) registry: Addr<BackendRegistry>,
    /// Tells of an end that nobody wanted.
    pub(crate) guard: EndGuard,
}

impl HealthChecker {
    pub(crate) fn new(checking: Checking) -> Self {
        Self {
            checking,
            hung: None,
            resolved: None,
        }
    }

    fn ask(&mut self, ctx: &mut Context<Self>) {
        let checking = &self.checking;
        if !checking.registry.connected() {
            // The next registry starts checkers of its own, and nobody shall ask twice.
            checking.guard.expect_end();
            ctx.terminate();
            return;
        }
        let Some(check) = checking.check.clone() else {
            self.resolve(ctx);
            ctx.run_later(RESOLVE_INTERVAL, Self::ask);
            return;
        };
        let (registry, backend) = (checking.registry.clone(), Arc::clone(&checking.backend));
        let (prober, gate) = (Rc::clone(&checking.prober), Rc::clone(&checking.gate));
        let (hanging, settings) = (self.hung == Some(true), Arc::clone(&check));
        let ask = async move {
            let id = backend.id();
            let report = {
                let _turn = gate.enter(hanging).await;
                prober.probe(backend.url(), &check).await
            };
            // One that refuses does so at once, and is no burden to others.
            let hung = report.verdict != ProbeVerdict::Passed && report.took >= check.timeout / 2;
            // Without an answer the registry is gone; the next one starts checkers of its own.
            let next = registry.send(ProbeFinished { backend: id, report }).await;
            (hung, next.unwrap_or(NextProbe::Never))
        };
        let then = ask
            .into_actor(self)
            .then(move |(hung, next), this, ctx: &mut Context<Self>| {
                let first = this.hung.replace(hung).is_none();
                let pause = match next {
                    // Those that began together shall not go on together.
                    NextProbe::Usual if first => Some(between(settings.fast_interval, settings.interval)),
                    NextProbe::Usual => Some(settings.interval),
                    NextProbe::Soon => Some(settings.fast_interval),
                    NextProbe::Never => None,
                };
                if let Some(pause) = pause {
                    ctx.run_later(jittered(pause, settings.jitter.as_fraction()), Self::ask);
                }
                ready(())
            });
        ctx.spawn(then);
    }

    fn resolve(&mut self, ctx: &mut Context<Self>) {
        if self
            .resolved
            .is_some_and(|last| last.elapsed() < RESOLVE_AGAIN_AFTER)
        {
            return;
        }
        self.resolved = Some(Instant::now());
        let Checking {
            backend,
            prober,
            registry,
            ..
        } = &self.checking;
        let (id, registry) = (backend.id(), registry.clone());
        let look_up = prober.resolve(backend.url());
        let report = async move {
            if let Ok(addresses) = look_up.await {
                // Lost only with the registry; the next look-up reports again.
                registry.do_send(AddressesResolved {
                    backend: id,
                    addresses,
                });
            }
        };
        ctx.spawn(report.into_actor(self));
    }
}

/// A random time between two, of which the first is not longer.
fn between(shortest: Duration, longest: Duration) -> Duration {
    shortest + longest.saturating_sub(shortest).mul_f64(fastrand::f64())
}

/// `pause`, longer or shorter by a random part of at most `share`.
fn jittered(pause: Duration, share: f64) -> Duration {
    pause.mul_f64(1.0 + share * (2.0 * fastrand::f64() - 1.0))
}

impl Actor for HealthChecker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.ask(ctx);
    }
}

impl Handler<ResolveNow> for HealthChecker {
    type Result = ();

    fn handle(&mut self, _: ResolveNow, ctx: &mut Self::Context) {
        self.resolve(ctx);
    }
}

impl Handler<StopChecker> for HealthChecker {
    type Result = ();

    fn handle(&mut self, _: StopChecker, ctx: &mut Self::Context) {
        self.checking.guard.expect_end();
        ctx.terminate();
    }
}
