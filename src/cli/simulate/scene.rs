//! From what was typed and what is configured to a [`Scenario`].

use std::{path::Path, sync::Arc, time::Duration};

use lb_actors::config_watcher::load_file;
use lb_core::config::{self, BackendUrl, Config, DEFAULT_POOL, PoolConfig, StrategyConfig};
use lb_simulation::{BackendModel, Load, Scenario, Span};

use super::{
    args::{MOST_REQUESTS, SimulateArgs},
    spec::{Trouble, What},
    values::Rate,
    words,
};

/// How long a simulation lasts unless told otherwise.
const DURATION: Duration = Duration::from_secs(60);
/// Requests that are simulated at most unless more are asked for: a second or so for each strategy.
const REQUESTS: u64 = 1_000_000;
/// Backends that are simulated when there is neither a file nor `--backends`.
const BACKENDS: u32 = 10;
/// Backends are probed and judged all the time, whether requests come or not: this much takes some ten seconds.
const MOST_BACKEND_SECONDS: f64 = 2e7;
/// Times that all flapping backends together may go and come back: tens of megabytes.
const MOST_TURNS: f64 = 2e6;
/// How many backends a refusal lists.
const LISTED: usize = 10;

/// A scenario and what to say about it.
pub(super) struct Scene {
    pub(super) scenario: Scenario,
    /// Which pool it is, for people.
    pub(super) title: String,
    /// What goes wrong, and the backends that it happens to, by their places in the file.
    pub(super) troubles: Vec<(Vec<usize>, Trouble)>,
    /// The strategies to compare.
    pub(super) strategies: Vec<StrategyConfig>,
    /// The name of the configured one, if there is a file.
    pub(super) configured: Option<String>,
}

/// Why there is none.
pub(super) enum NoScene {
    /// What was typed makes no sense for this pool.
    Usage(String),
    /// The configuration cannot be read.
    Config(Vec<config::Problem>),
}

impl Scene {
    /// Without `config`, config.yaml in the current folder is taken if it is there.
    pub(super) fn new(args: &SimulateArgs, config: Option<&Path>) -> Result<Self, NoScene> {
        let here = Path::new(crate::cli::args::DEFAULT_CONFIG);
        let file = config.or_else(|| (args.backends.is_none() && here.exists()).then_some(here));
        let (name, pool, title) = match file {
            Some(path) => {
                let config = load_file(path).map_err(NoScene::Config)?.config;
                let (name, pool) = choose_pool(&config, args.pool.as_deref()).map_err(NoScene::Usage)?;
                let title = format!("pool {name} of {}", config::shown_path(path));
                (name, pool, title)
            }
            None if args.pool.is_some() => {
                let refusal = "--pool needs a configuration: name one with --config FILE";
                return Err(NoScene::Usage(refusal.to_owned()));
            }
            None => {
                let count = args.backends.unwrap_or(BACKENDS);
                let pool = equal_backends(count).map_err(NoScene::Config)?;
                let title = if args.backends.is_some() {
                    "a pool"
                } else {
                    "no config.yaml here, so a pool"
                };
                (Arc::from(DEFAULT_POOL), pool, title.to_owned())
            }
        };
        let configured = file.map(|_| pool.strategy.name().to_owned());
        Self::assemble(args, name, pool, (title, configured)).map_err(NoScene::Usage)
    }

    fn assemble(
        args: &SimulateArgs,
        name: Arc<str>,
        pool: PoolConfig,
        (title, configured): (String, Option<String>),
    ) -> Result<Self, String> {
        let mut backends = Scenario::healthy(&pool, args.slots);
        backends.iter_mut().for_each(|backend| backend.queue = args.queue);
        let mut troubles = Vec::new();
        for trouble in args.troubles() {
            let concerned = find(&pool, trouble)?;
            concerned
                .iter()
                .for_each(|&index| apply(&mut backends[index], trouble));
            troubles.push((concerned, trouble.clone()));
        }
        let mut scenario = Scenario {
            name,
            pool,
            backends,
            service: args.service,
            load: Load {
                rate: 1.0,
                curve: args.traffic.clone(),
            },
            duration: args.duration.unwrap_or(DURATION),
            unsafe_share: args.posts,
            clients: args.clients,
            seed: args.seed,
        };
        if scenario.capacity() <= 0.0 {
            return Err("no backend of the pool serves: each is drained or in maintenance".to_owned());
        }
        scenario.load.rate = match args.rate {
            Rate::PerSecond(rate) => rate,
            Rate::Capacity(part) => part * scenario.capacity(),
        };
        set_duration(&mut scenario, args)?;
        let end = scenario.duration;
        bound_turns(&troubles, end)?;
        let late = args.troubles().find(|trouble| trouble.span.from >= end);
        if let Some(late) = late {
            return Err(format!(
                "{} {}: begins after the end of the simulation at {}; a longer --duration or a lower --rate helps",
                late.flag,
                late.backend,
                words::seconds(end)
            ));
        }
        Ok(Self {
            strategies: args.strategy.of(&scenario.pool),
            scenario,
            title,
            troubles,
            configured,
        })
    }
}

impl Scene {
    /// What a plot marks: times with what happens then, in a few words. What happens all the time is none of it.
    pub(super) fn marks(&self) -> Vec<(Span, String)> {
        let sometimes = self
            .troubles
            .iter()
            .filter(|(_, trouble)| trouble.span != Span::ALWAYS);
        let mark = |(concerned, trouble): &(Vec<usize>, Trouble)| {
            let who = match concerned[..] {
                [one] => format!("b{}", one + 1),
                _ => "all".to_owned(),
            };
            (trouble.span, format!("{who} {}", words::mark(&trouble.what)))
        };
        let mut marks: Vec<_> = sometimes.map(mark).collect();
        marks.extend(self.scenario.load.curve.iter().filter_map(words::change_mark));
        marks
    }
}

/// The number of requests bounds the time, or the time the number.
fn set_duration(scenario: &mut Scenario, args: &SimulateArgs) -> Result<(), String> {
    let longest = args.duration.unwrap_or(if args.requests.is_some() {
        config::MAX_DURATION
    } else {
        DURATION
    });
    let most = args.requests.unwrap_or(if args.duration.is_some() {
        MOST_REQUESTS + 1
    } else {
        REQUESTS
    });
    let expected = scenario.load.expected(longest);
    if args.requests.is_none() && args.duration.is_some() && expected > MOST_REQUESTS as f64 {
        let lower = if args.traffic.is_empty() {
            "lower --rate"
        } else {
            "lower --rate or --traffic"
        };
        return Err(format!(
            "--duration: that would be {expected:.0} requests, more than {MOST_REQUESTS}; {lower}, or shorten it"
        ));
    }
    if !scenario.load.highest().is_finite() {
        return Err("--traffic: all of these together are no number of requests any more".to_owned());
    }
    scenario.duration = scenario.load.time_for(most, scenario.seed, longest);
    if scenario.load.time_for(1, scenario.seed, scenario.duration) == scenario.duration && most > 1 {
        return Err(format!(
            "not one request would come in {}: raise --rate, now {}/s, or --duration",
            words::seconds(scenario.duration),
            words::rate(scenario.load.rate)
        ));
    }
    let (seconds, backends) = (scenario.duration.as_secs_f64(), scenario.backends.len());
    let most = MOST_BACKEND_SECONDS / backends as f64;
    if seconds > most {
        return Err(format!(
            "that would be {seconds:.0}s, and {backends} backends are simulated for {most:.0}s at most; shorten --duration, or raise \
             --rate"
        ));
    }
    Ok(())
}

/// Backends that come and go too often for the memory.
fn bound_turns(troubles: &[(Vec<usize>, Trouble)], end: Duration) -> Result<(), String> {
    for (concerned, trouble) in troubles {
        let What::Flap(flap) = trouble.what else {
            continue;
        };
        let turns = end.as_secs_f64() / (flap.up + flap.down).as_secs_f64() * concerned.len() as f64;
        if turns > MOST_TURNS {
            return Err(format!(
                "{} {}: that would be {turns:.0} turns, more than {MOST_TURNS}; make them longer, or --duration shorter",
                trouble.flag, trouble.backend
            ));
        }
    }
    Ok(())
}

fn choose_pool(config: &Config, wanted: Option<&str>) -> Result<(Arc<str>, PoolConfig), String> {
    let name = match wanted {
        Some(name) => name,
        None => match config.pools.keys().next() {
            Some(only) if config.pools.len() == 1 => only,
            _ => DEFAULT_POOL,
        },
    };
    let found = config.pools.get_key_value(name);
    found
        .map(|(name, pool)| (Arc::clone(name), pool.clone()))
        .ok_or_else(|| {
            let pools: Vec<&str> = config.pools.keys().map(AsRef::as_ref).collect();
            match wanted {
                _ if pools.is_empty() => "the configuration has no backends; try --backends 3".to_owned(),
                Some(_) => format!(
                    "--pool: there is no pool {name:?}; there are {}",
                    pools.join(", ")
                ),
                None => format!("say which pool with --pool; there are {}", pools.join(", ")),
            }
        })
}

/// A pool with every default, as a file with nothing but backends gives it.
fn equal_backends(count: u32) -> Result<PoolConfig, Vec<config::Problem>> {
    let urls: Vec<String> = (1..=count).map(|number| format!("http://b{number}")).collect();
    let one = "port: 0\nbackends: [\"http://b1\"]\n";
    let config = config::load(one, "simulate", &|_| None).map_err(|error| error.problems)?;
    let mut pool = config.pools.into_values().next().ok_or_else(Vec::new)?;
    let first = pool.backends[0].clone();
    let parsed = urls.iter().filter_map(|url| url.parse::<BackendUrl>().ok());
    pool.backends = parsed
        .map(|url| config::BackendConfig { url, ..first.clone() })
        .collect();
    Ok(pool)
}

/// The backends that a trouble means.
fn find(pool: &PoolConfig, trouble: &Trouble) -> Result<Vec<usize>, String> {
    let typed = trouble.backend.trim_end_matches('/');
    if typed == "all" {
        return Ok((0..pool.backends.len()).collect());
    }
    let urls = || pool.backends.iter().map(|backend| &backend.url);
    let written: Option<BackendUrl> = typed.parse().or_else(|_| format!("http://{typed}").parse()).ok();
    let matching: Vec<usize> = urls()
        .enumerate()
        .filter(|(_, url)| Some(*url) == written.as_ref() || url.authority() == typed)
        .map(|(index, _)| index)
        .collect();
    if !matching.is_empty() {
        return Ok(matching);
    }
    let number = typed
        .strip_prefix('b')
        .and_then(|number| number.parse::<usize>().ok());
    if let Some(number) = number.filter(|number| (1..=pool.backends.len()).contains(number)) {
        return Ok(vec![number - 1]);
    }
    let listed: Vec<String> = urls().take(LISTED).map(ToString::to_string).collect();
    let more = if pool.backends.len() > LISTED { ", …" } else { "" };
    Err(format!(
        "{} {}: is no backend of the pool; write b1 to b{}, all, or one of {}{more}",
        trouble.flag,
        trouble.backend,
        pool.backends.len(),
        listed.join(", ")
    ))
}

fn apply(model: &mut BackendModel, trouble: &Trouble) {
    let span = trouble.span;
    match trouble.what {
        What::Slow(factor) => model.slow.push((span, factor)),
        What::Failing(share) => model.failing.push((span, share)),
        What::Dead => model.dead.push(span),
        What::Frozen => model.frozen.push(span),
        What::Cold(cold) => model.cold = Some(cold),
        What::Flap(flap) => model.flap = Some(flap),
    }
}
