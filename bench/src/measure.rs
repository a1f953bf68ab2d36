//! One measurement: a balancer is started, loaded, read and ended. Every measurement has a process of its own, so that
//! none inherits memory or connections from the one before.

use std::{
    net::SocketAddr,
    ops::Range,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::{
    balancers::Balancer,
    cases::{CaseId, posts_and_gets},
    configs::Setup,
    figures::{Figure, Figures},
    load::{Engine, Sample},
    machine::Cores,
    process::Process,
    usage,
};

/// Not measured: connections are opened, pools and caches filled.
const LONGEST_WARM_UP: Duration = Duration::from_millis(500);
/// Nor this, before a window: looking for the balancer's processes takes milliseconds, in which the load neither asks nor
/// answers. And after the last one the backends answer for so long.
const SETTLING: Duration = Duration::from_millis(20);
/// Which backend is frozen.
const FROZEN: usize = 1;
/// Nobody is said to have noticed a frozen backend until no request has waited so long, for four windows in a row.
const STUCK: Duration = Duration::from_millis(300);
const WINDOW: Duration = Duration::from_millis(250);
const QUIET_WINDOWS: u32 = 4;
/// The slowest to notice, a proxy without health checks, needs one timeout of 2 s for each connection.
const NOTICE_WITHIN: Duration = Duration::from_secs(25);
/// How long backends keep idle connections in the case idle-close. Clients pause for up to 4 ms, so that connections
/// are idle for about as long, and many are closed just when they are about to be used; far more often than in
/// earnest, or a run would have to take a day.
const IDLE_LIMIT: Range<Duration> = Duration::from_millis(1)..Duration::from_millis(20);

/// Where and how long.
pub(crate) struct Bench<'a> {
    pub(crate) cores: &'a Cores,
    pub(crate) folder: &'a Path,
    pub(crate) open_files: u64,
    pub(crate) window: Duration,
    pub(crate) requests: u64,
    pub(crate) interrupted: Arc<AtomicBool>,
}

/// What came of it.
pub(crate) enum Outcome {
    Measured(Figures, Option<String>),
    /// The balancer cannot do this at all.
    Cannot(&'static str),
}

/// A balancer under load.
struct Run<'a> {
    bench: &'a Bench<'a>,
    // The balancer ends before its backends do.
    process: Process,
    engine: Engine,
    address: SocketAddr,
    _folder: TempDir,
}

impl Bench<'_> {
    /// Measures one balancer in one case; `per_second` is the rate of an open loop.
    ///
    /// # Errors
    /// If the balancer does not start or does not work, and on an interrupt.
    pub(crate) fn measure(&self, case: CaseId, balancer: &Balancer, per_second: f64) -> Result<Outcome> {
        let mut run = self.start(case, balancer)?;
        if case == CaseId::IdleClose {
            return run.close_idle();
        }
        if !run.engine.start(case.load(per_second), run.address)? {
            return Ok(Outcome::Cannot("does not pass on an upgrade"));
        }
        run.engine.run_for(self.window.min(LONGEST_WARM_UP))?;
        let mut figures = Figures::new();
        let mut sample = run.window(&mut figures)?;
        if case == CaseId::Frozen {
            figures.insert(Figure::UndisturbedP99, milliseconds(&sample, 0.99));
            figures.insert(Figure::Noticed, run.freeze()?.as_secs_f64());
            sample = run.window(&mut figures)?;
        }
        if sample.requests == 0 {
            bail!("no answers: {}", sample.reason.as_deref().unwrap_or("none came"));
        }
        run.end()?;
        Ok(Outcome::Measured(figures, sample.reason))
    }

    /// Whether the user wants it to end.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Relaxed)
    }

    fn start(&self, case: CaseId, balancer: &Balancer) -> Result<Run<'_>> {
        let folder = tempfile::tempdir_in(self.folder)?;
        let mut engine = Engine::new(Arc::clone(&self.interrupted))?;
        let setup = Setup {
            backends: engine.backends(),
            workers: case.workers(),
            temper: case.temper(),
            open_files: self.open_files,
        };
        // What is started inherits the core of the thread that starts it.
        self.cores.to_balancer(case.pinned())?;
        let started = balancer.start(&setup, folder.path(), || engine.run_for(Duration::from_millis(5)));
        self.cores.to_load(case.pinned())?;
        let (process, address) = started?;
        Ok(Run {
            bench: self,
            process,
            engine,
            address,
            _folder: folder,
        })
    }
}

impl Run<'_> {
    /// Measures for the length of a window.
    fn window(&mut self, figures: &mut Figures) -> Result<Sample> {
        let tree = self.process.tree();
        self.engine.run_for(SETTLING)?;
        let own_before = usage::own_cpu();
        let before = usage::cpu(&tree);
        self.engine.take();
        self.engine.run_for(self.bench.window)?;
        let sample = self.engine.take();
        let cpu = usage::cpu(&tree).saturating_sub(before).as_secs_f64();
        let own = usage::own_cpu().saturating_sub(own_before).as_secs_f64();
        let took = sample.took.as_secs_f64();
        figures.extend([
            (Figure::Rate, sample.requests as f64 / took),
            (Figure::Cpu, cpu * 1e6 / sample.requests.max(1) as f64),
            (Figure::P50, milliseconds(&sample, 0.5)),
            (Figure::P99, milliseconds(&sample, 0.99)),
            (Figure::P999, milliseconds(&sample, 0.999)),
            (Figure::Memory, usage::memory(&tree) as f64 / 1024.0),
            (Figure::Busy, cpu / took),
            (Figure::LoadBusy, own / took),
            (Figure::Failed, sample.failures as f64),
        ]);
        Ok(sample)
    }

    /// Freezes a backend and waits until that disturbs nobody; returns how long it did.
    fn freeze(&mut self) -> Result<Duration> {
        self.engine.freeze(FROZEN);
        self.engine.take();
        let frozen = Instant::now();
        let mut quiet = 0;
        while frozen.elapsed() < NOTICE_WITHIN {
            self.engine.run_for(WINDOW)?;
            let sample = self.engine.take();
            let longest = Duration::from_nanos(sample.latency.max()).max(self.engine.longest_wait());
            let is_quiet = sample.failures == 0 && sample.requests > 0 && longest < STUCK;
            quiet = if is_quiet { quiet + 1 } else { 0 };
            if quiet == QUIET_WINDOWS {
                return Ok(frozen.elapsed().saturating_sub(WINDOW * QUIET_WINDOWS));
            }
        }
        bail!(
            "still disturbed {} s after a backend froze",
            NOTICE_WITHIN.as_secs()
        )
    }

    /// Closes the clients, and lets backends answer what was under way: a balancer that stops waits for that.
    fn end(&mut self) -> Result<()> {
        self.engine.stop()?;
        self.engine.run_for(SETTLING)
    }

    /// Counts what fails while backends close idle connections.
    fn close_idle(&mut self) -> Result<Outcome> {
        self.engine.close_idle(IDLE_LIMIT);
        let requests = self.bench.requests;
        let most = Duration::from_secs(30) + Duration::from_millis(requests);
        let mut figures = Figures::new();
        let mut reason = None;
        for (load, figure) in posts_and_gets(requests)
            .into_iter()
            .zip([Figure::FailedPosts, Figure::FailedGets])
        {
            self.engine.start(load, self.address)?;
            self.engine.run_requests(requests, most)?;
            let sample = self.engine.take();
            if sample.requests + sample.failures < requests {
                bail!(
                    "only {} of {requests} requests in {} s",
                    sample.requests,
                    most.as_secs()
                );
            }
            figures.insert(figure, sample.failures as f64);
            reason = reason.or(sample.reason);
        }
        self.end()?;
        Ok(Outcome::Measured(figures, reason))
    }
}

fn milliseconds(sample: &Sample, quantile: f64) -> f64 {
    sample.latency.value_at_quantile(quantile) as f64 / 1e6
}
