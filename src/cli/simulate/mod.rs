//! `simple-lb simulate`: which strategy is right for this pool, and what happens if a backend dies or traffic doubles?
//! Runs the balancer's own strategies in the model of [`lb_simulation`].

mod args;
mod plot;
mod scene;
mod spec;
mod table;
mod values;
mod verdict;
mod words;

use std::{fs, path::Path, thread, time::Instant};

use lb_core::config::StrategyConfig;
use lb_simulation::{Report, Scenario};
use serde_json::json;

pub(super) use args::{EXAMPLES, SimulateArgs};
use scene::{NoScene, Scene};

use super::{
    exit,
    output::{error_line, json as print_json, line},
};

pub(super) fn simulate(args: &SimulateArgs, config: Option<&Path>, json: bool) -> u8 {
    let place = args
        .plot
        .as_deref()
        .map_or(Ok(()), plot::may_write)
        .map_err(NoScene::Usage);
    let scene = match place.and_then(|()| Scene::new(args, config)) {
        Ok(scene) => scene,
        Err(NoScene::Config(problems)) => {
            problems.iter().for_each(error_line);
            return exit::INVALID_CONFIG;
        }
        Err(NoScene::Usage(refusal)) => {
            error_line(format_args!("error: {refusal}"));
            error_line("\nFor more information, try 'simple-lb simulate --help'.");
            return exit::USAGE;
        }
    };
    let reports = run_all(&scene.scenario, &scene.strategies);
    if json {
        print_json(&as_json(&scene, &reports));
    } else {
        table::lines(&scene, &reports).iter().for_each(line);
    }
    let Some(path) = &args.plot else {
        return exit::DONE;
    };
    match fs::write(path, plot::plot(&scene, &reports)) {
        Ok(()) => exit::DONE,
        Err(error) => {
            error_line(format_args!(
                "--plot: cannot write {}: {error}",
                lb_core::config::shown_path(path)
            ));
            exit::FAILED
        }
    }
}

/// One after the other on each core; every run is on its own, so the order of their ends does not matter.
fn run_all(scenario: &Scenario, strategies: &[StrategyConfig]) -> Vec<Report> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let base = Instant::now();
    let mut reports = Vec::with_capacity(strategies.len());
    for some in strategies.chunks(cores) {
        thread::scope(|scope| {
            let runs = some
                .iter()
                .map(|strategy| scope.spawn(move || lb_simulation::run(scenario, strategy, base)));
            let runs: Vec<_> = runs.collect();
            reports.extend(runs.into_iter().filter_map(|run| run.join().ok()));
        });
    }
    reports
}

fn as_json(scene: &Scene, reports: &[Report]) -> serde_json::Value {
    let scenario = &scene.scenario;
    let serving = scenario.serving_slots();
    let backends = scenario.pool.backends.iter().zip(&scenario.backends).zip(serving);
    let backends: Vec<_> = backends
        .map(|((backend, model), serving)| {
            json!({
                "url": backend.url.to_string(),
                "weight": backend.weight.get(),
                "slots": model.slots,
                "serves": serving > 0,
            })
        })
        .collect();
    let troubles = scene
        .troubles
        .iter()
        .map(|(concerned, trouble)| json!({ "backends": concerned, "what": trouble.in_words() }));
    let troubles: Vec<_> = troubles.collect();
    let left_out: Vec<_> = scenario.pool.sticky.iter().map(|_| "sticky").collect();
    let best = verdict::best(reports, scene.configured.as_deref()).map(|best| &best.strategy);
    json!({
        "seed": scenario.seed,
        "pool": scenario.name,
        "configured": scene.configured,
        "duration_seconds": scenario.duration.as_secs_f64(),
        "rate": scenario.load.rate,
        "capacity": scenario.capacity(),
        "mean_service_seconds": scenario.service.mean_seconds(),
        "backends": backends,
        "troubles": troubles,
        "left_out": left_out,
        "strategies": reports,
        "best": best,
    })
}
