//! What is said of live changes that end, or that a reload meets.

use std::{sync::Arc, time::Instant};

use super::{Change, Expired, Live, Membership, seconds_until};
use crate::{
    config::{BackendChange, BackendConfig, BackendUrl, DEFAULT_POOL, ReloadPlan, format_seconds},
    pool::{Identity, Snapshot},
};

/// Of thousands nobody reads a list, and each reload would write it.
const MOST_NOTES: usize = 20;

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
    let mut notes = member_notes(running, plan, now);
    for (pool, change) in &plan.backends {
        let (BackendChange::Removed(config) | BackendChange::Changed { from: config, .. }) = change else {
            continue;
        };
        let Some(live) = running.member(pool, &config.url).map(|member| &member.live) else {
            continue;
        };
        let name = named(pool, &config.url);
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

/// A backend as a plan names it.
fn named(pool: &str, url: &BackendUrl) -> String {
    match pool {
        DEFAULT_POOL => url.to_string(),
        pool => format!("{pool} {url}"),
    }
}

/// What becomes of backends that were added and removed live.
fn member_notes(running: &Snapshot, plan: &ReloadPlan, now: Instant) -> Vec<String> {
    let live = running.live_members();
    if live.changes().next().is_none() {
        return Vec::new();
    }
    let after = live.rewritten(Arc::new(plan.apply(live.file())));
    let note = |(identity, change): (&Identity, &Change<Membership>)| {
        let left = change
            .until
            .map(|until| format_seconds(seconds_until(until, now)));
        let left = left.map_or(String::new(), |left| format!(" for {left}"));
        let is_pool_gone = !after.file().pools.contains_key(&identity.pool);
        let what = match (&change.value, after.change(identity).is_some()) {
            (Membership::Added(_), true) => format!("added live, stays{left}; the file does not have it"),
            (Membership::Added(_), false) if is_pool_gone => "added live, goes with its pool".to_owned(),
            (Membership::Added(_), false) => "added live, is the file's own now".to_owned(),
            (Membership::Removed, true) => format!("removed live, stays away{left}; the file has it"),
            (Membership::Removed, false) => "removed live, is gone from the file, too".to_owned(),
        };
        format!("{}: {what}", named(&identity.pool, &identity.url))
    };
    let mut notes: Vec<String> = live.changes().take(MOST_NOTES).map(note).collect();
    let more = live.changes().count() - notes.len();
    notes.extend((more > 0).then(|| format!("and {more} more backends that were added or removed live")));
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
