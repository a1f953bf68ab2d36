//! What the log says of the roster's events. An event that only asks for something to be done has no line.

use std::time::Duration;

use lb_core::{
    config::{AllDown, format_duration},
    health::{Return, Ruling},
    live::{Wish, ended},
    pool::Identity,
    roster::Event,
    status::HealthStatus,
};
use log::{error, info, warn};

/// What people filter the log by: the registry, whichever of its files writes.
pub(super) const TARGET: &str = "lb_actors::registry";

/// Logs an event, if it is one for the log.
pub(super) fn log(event: &Event) {
    match event {
        Event::Publish(_)
        | Event::StartChecker { .. }
        | Event::StopChecker { .. }
        | Event::JudgeAgain { .. }
        | Event::WatchDrains { .. } => {}
        Event::Transition {
            backend,
            probed,
            health,
            detail,
        } => transition(backend, *probed, *health, detail),
        Event::NotProbed { backend, detail } => {
            warn!(target: TARGET, "cannot probe {}: {detail}; its health stays as it was",
                backend.url
            );
        }
        Event::Ruled {
            backend,
            ruling,
            health,
        } => ruled(backend, ruling, *health),
        Event::Drained { backend } => {
            info!(target: TARGET, "backend {} is drained: nothing is in flight", backend.url)
        }
        Event::Changed {
            backend,
            wish,
            live,
            lasts,
            in_flight,
        } => {
            let lasts = match lasts {
                _ if live.is_as_file(*wish) => ", as the file says,".to_owned(),
                lasts => for_time(*lasts),
            };
            let what = match wish {
                Wish::Weight(_) | Wish::FileWeight => format!("weight {}", live.weight().get()),
                Wish::Drain | Wish::Maintenance | Wish::Serve => live.order().as_str().to_owned(),
            };
            info!(target: TARGET, "{backend}: {what}{lasts} by command, {in_flight} in flight");
        }
        Event::Added { backend, lasts } => {
            info!(target: TARGET, "{backend}: added by command{}", for_time(*lasts));
        }
        Event::Removed {
            backend,
            lasts,
            in_flight,
        } => {
            let lasts = for_time(*lasts);
            info!(target: TARGET, "{backend}: removed by command{lasts}, {in_flight} in flight");
        }
        Event::MembershipOver { backend, was_added } => {
            let what = match was_added {
                true => "live addition is over: it is removed, as the file does not have it",
                false => "live removal is over: it is there again, as the file says",
            };
            info!(target: TARGET, "{backend}: {what}");
        }
        Event::Expired {
            backend,
            expired,
            live,
        } => ended(*expired, live)
            .iter()
            .for_each(|line| info!(target: TARGET, "{backend}: live {line}")),
        Event::NoneIsUp { pool, all_down } => match all_down {
            AllDown::Fail => warn!(target: TARGET, "no backend of pool {pool} is up: requests are refused"),
            AllDown::Try => {
                warn!(target: TARGET, "no backend of pool {pool} is up: requests are tried at all of them")
            }
        },
        Event::CheckerLost { backend } => {
            let url = &backend.url;
            error!(target: TARGET, "the health checker of {url} ended unexpectedly and is started again");
        }
    }
}

/// ` for 10m`
fn for_time(lasts: Option<Duration>) -> String {
    lasts.map_or(String::new(), |lasts| format!(" for {}", format_duration(lasts)))
}

fn transition(backend: &Identity, probed: HealthStatus, health: HealthStatus, detail: &str) {
    let url = &backend.url;
    match (probed, health) {
        (HealthStatus::Up, HealthStatus::Up) => info!(target: TARGET, "backend {url} is up: {detail}"),
        (HealthStatus::Up, other) => {
            info!(target: TARGET, "the probes of backend {url}, which is {other}, are good: {detail}");
        }
        _ => warn!(target: TARGET, "backend {url} is down: {detail}"),
    }
}

fn ruled(backend: &Identity, ruling: &Ruling, health: HealthStatus) {
    let url = &backend.url;
    match ruling {
        Ruling::Ejected {
            why, length, count, ..
        } => {
            let length = format_duration(*length);
            warn!(target: TARGET, "backend {url} is ejected for {length}: {why} (ejection {count})");
        }
        Ruling::Spared { why, .. } => {
            warn!(target: TARGET, "backend {url} is not ejected though it had {why}: no more of its pool may be out");
        }
        Ruling::Returned { after, how, .. } => {
            let why = match how {
                Return::TimeOver => "its time is over",
                Return::ProbesGood => "its probes failed and are good again",
                Return::Needed => "too few others are left",
                Return::RulesOff => "ejection is off",
            };
            let after = format_duration(Duration::from_secs(after.as_secs()));
            info!(target: TARGET, "backend {url} is {health} after an ejection of {after}: {why}");
        }
    }
}
