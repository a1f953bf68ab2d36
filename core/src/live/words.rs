//! What is said of live changes that end, or that a reload meets.

use std::time::Instant;

use super::{Expired, Live, seconds_until};
use crate::{
    config::{BackendChange, BackendConfig, DEFAULT_POOL, ReloadPlan, format_seconds},
    pool::Snapshot,
};

/// What a live change that has come to its end says, for the log; `live` is what holds now.
pub fn ended(expired: Expired, live: &Live) -> Vec<String> {
    let order = expired.order.map(|order| {
        let now = live.order().as_str();
        format!("{} is over: {now} again, as the file has it", order.as_str())
    });
    let weight = expired.weight.map(|weight| {
        let now = live.weight().get();
        format!("weight {} is over: {now} again, as the file has it", weight.get())
    });
    order.into_iter().chain(weight).collect()
}

/// What a reload has to say of the live changes that it meets, before it is carried out: those of removed backends end,
/// and those that hold against a new word of the file stay.
pub fn reload_notes(running: &Snapshot, plan: &ReloadPlan, now: Instant) -> Vec<String> {
    let mut notes = Vec::new();
    for (pool, change) in &plan.backends {
        let (BackendChange::Removed(config) | BackendChange::Changed { from: config, .. }) = change else {
            continue;
        };
        let Some(live) = running.member(pool, &config.url).map(|member| &member.live) else {
            continue;
        };
        let name = match &**pool {
            DEFAULT_POOL => config.url.to_string(),
            pool => format!("{pool} {}", config.url),
        };
        match change {
            BackendChange::Changed { from, to } => {
                notes.extend(kept(live, from, to, now).map(|what| format!("{name}: {what}")));
            }
            _ if live.is_empty() => {}
            _ => {
                let all: Vec<String> = live.status(now).iter().map(ToString::to_string).collect();
                notes.push(format!("{name}: live {} ends: it was removed", all.join(" and ")));
            }
        }
    }
    notes
}

/// Of the changes that the new file speaks of too.
fn kept(live: &Live, from: &BackendConfig, to: &BackendConfig, now: Instant) -> impl Iterator<Item = String> {
    let after = live.rewritten(to);
    let orders = (from.drain, from.maintenance) != (to.drain, to.maintenance);
    let order = live.order.filter(|_| orders).map(|change| {
        let stays = after.order.map(|change| change.until);
        say(change.value.as_str(), stays, now, "its order")
    });
    let weights = from.weight != to.weight;
    let weight = live.weight.filter(|_| weights).map(|change| {
        let stays = after.weight.map(|change| change.until);
        say(
            &format!("weight {}", change.value.get()),
            stays,
            now,
            "its weight",
        )
    });
    order.into_iter().chain(weight)
}

/// `stays`: whether and until when it does.
fn say(what: &str, stays: Option<Option<Instant>>, now: Instant, file: &str) -> String {
    match stays {
        None => format!("live {what} is what the file says now, and ends"),
        Some(None) => format!("live {what} stays; {file} in the file counts when it is taken back"),
        Some(Some(until)) => {
            let left = format_seconds(seconds_until(until, now));
            format!("live {what} stays for {left}; then {file} in the file counts")
        }
    }
}
