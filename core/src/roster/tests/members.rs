//! Backends that come and go beside the file.

use super::*;
use crate::live::reload_notes;

fn change(stage: &mut Stage, typed: (&str, Option<&str>), wish: MemberWish, lasts: Option<u64>) -> String {
    let (url, pool) = typed;
    let change = MemberChange {
        url: url.to_owned(),
        pool: pool.map(str::to_owned),
        wish,
        lasts: lasts.map(seconds),
    };
    match stage.roster.change_members(&change, stage.now) {
        Err(refusal) => refusal.to_string(),
        Ok(changed) => {
            stage.carry_out(&changed.events);
            changed.notes.join("; ")
        }
    }
}

const ADD: MemberWish = MemberWish::Add { weight: None };
const REMOVE: MemberWish = MemberWish::Remove;

fn hosts(stage: &Stage, pool: &str) -> String {
    let members = stage.roster.members(pool).iter();
    let hosts: Vec<&str> = members.map(|member| member.backend.url().host()).collect();
    hosts.join(" ")
}

#[test]
fn an_added_backend_waits_for_its_first_probe_and_comes_last() {
    let mut stage = Stage::new(one_pool("http://a, http://c"));
    assert_eq!(change(&mut stage, ("b", None), ADD, None), "");
    assert_eq!(hosts(&stage, "p"), "a c b");
    assert_eq!(stage.health("p", "b"), HealthStatus::Pending);
    assert_eq!(stage.roster.generation(), 1, "the file is the same");
    stage.probe("p", "b", ProbeVerdict::Passed);
    assert_eq!(stage.health("p", "b"), HealthStatus::Up);
    let id = stage.id("p", "b");
    let weight = Weight::new(3);
    assert_eq!(
        change(
            &mut stage,
            ("http://b:80", Some("p")),
            MemberWish::Add { weight },
            Some(60)
        ),
        ""
    );
    assert_eq!(
        (
            stage.id("p", "b"),
            stage.member("p", "b").map(|member| member.weight)
        ),
        (id, weight)
    );
    stage.now += seconds(61);
    let events = stage.roster.tick(stage.now);
    stage.carry_out(&events);
    assert_eq!(hosts(&stage, "p"), "a c", "its time is over");
}

#[test]
fn a_removed_backend_is_gone_at_once_and_finishes_what_it_has() {
    let mut stage = Stage::new(one_pool("http://a, http://b"));
    let lease = (0..4)
        .filter_map(|turn| stage.lease("p", turn))
        .find(|lease| lease.backend().url().host() == "a");
    let id = stage.id("p", "a");
    assert_eq!(change(&mut stage, ("http://a", None), REMOVE, Some(60)), "");
    assert_eq!(change(&mut stage, ("http://b", None), REMOVE, None), "");
    assert_eq!(hosts(&stage, "p"), "");
    assert!(
        stage.lease("p", 0).is_none(),
        "nobody serves, not even one that was up"
    );
    let pools = stage.published.status(stage.now);
    let removed: Vec<_> = pools[0]
        .removed
        .iter()
        .map(|one| (&*one.url, one.until_seconds))
        .collect();
    assert_eq!(removed, [("http://a:80", Some(60)), ("http://b:80", None)]);
    stage.now += seconds(61);
    let events = stage.roster.tick(stage.now);
    stage.carry_out(&events);
    assert_eq!(hosts(&stage, "p"), "a");
    assert_eq!(
        stage.id("p", "a"),
        id,
        "it still held a request, and is the same one"
    );
    drop(lease);
    assert_eq!(change(&mut stage, ("http://b", None), ADD, None), "");
    assert_eq!(hosts(&stage, "p"), "a b", "in the order of the file");
}

#[test]
fn what_does_not_fit_is_refused_and_what_is_the_case_already_is_said() {
    let mut stage = Stage::new(config_of(&[("p", "http://a, http://b"), ("q", "http://a")], ""));
    let mut said = |url: &str, pool: Option<&str>, wish, lasts| change(&mut stage, (url, pool), wish, lasts);
    assert!(said("http://c", None, ADD, None).contains("say which is meant: p, q"));
    assert!(said("http://c", Some("x"), ADD, None).starts_with("there is no pool x"));
    assert!(said("https://c", Some("p"), ADD, None).contains("TLS to backends is not there yet"));
    assert!(said("http://c/x", Some("p"), ADD, None).contains("must not hold a path"));
    assert!(said("http://a", Some("p"), ADD, None).contains("is there already, as the file says"));
    assert!(said("http://a", Some("p"), ADD, Some(60)).contains("is in the file"));
    assert!(said("http://z", None, REMOVE, None).starts_with("there is no backend http://z"));
    assert_eq!(said("http://c", Some("p"), ADD, None), "");
    assert!(said("http://c", None, REMOVE, Some(60)).contains("nothing brings it back"));
    assert_eq!(said("http://c", None, REMOVE, None), "");
    assert!(said("http://c", None, REMOVE, None).starts_with("there is no backend http://c"));
    assert_eq!(said("http://a", None, REMOVE, None), "");
    assert_eq!(
        said("http://a", Some("q"), REMOVE, None),
        "http://a:80 was removed already"
    );
    assert_eq!(
        (hosts(&stage, "p"), hosts(&stage, "q")),
        ("b".to_owned(), String::new())
    );
}

#[test]
fn a_reload_keeps_what_was_changed_and_says_so_until_the_file_says_the_same() {
    let mut stage = Stage::new(one_pool("http://a, http://b"));
    change(&mut stage, ("http://c", None), ADD, None);
    change(&mut stage, ("http://b", None), REMOVE, Some(90));
    let notes = |stage: &Stage, next: &Config| {
        let plan = ReloadPlan::between(stage.roster.file(), next);
        (
            plan.lines().join("; "),
            reload_notes(&stage.published, &plan, stage.now).join("; "),
        )
    };
    let next = one_pool("http://a, http://b, http://d");
    assert_eq!(
        notes(&stage, &next),
        (
            "+ p http://d:80".to_owned(),
            "p http://b:80: removed live, stays away for 1m30s; the file has it; \
             p http://c:80: added live, stays; the file does not have it"
                .to_owned()
        )
    );
    stage.apply(&next);
    assert_eq!(hosts(&stage, "p"), "a d c");
    let next = one_pool("http://a, http://d, http://c");
    assert_eq!(
        notes(&stage, &next).1,
        "p http://b:80: removed live, is gone from the file, too; p http://c:80: added live, is the file's own now"
    );
    let id = stage.id("p", "c");
    stage.apply(&next);
    assert_eq!((hosts(&stage, "p"), stage.id("p", "c")), ("a d c".to_owned(), id));
    assert_eq!(stage.roster.live_members.changes().count(), 0);
    stage.apply(&one_pool("http://a"));
    assert_eq!(hosts(&stage, "p"), "a", "it is the file's own");
}

#[test]
fn a_registry_that_is_started_again_knows_what_was_added_and_removed() {
    let mut stage = Stage::new(one_pool("http://a, http://b"));
    change(&mut stage, ("http://c", None), ADD, None);
    change(&mut stage, ("http://a", None), REMOVE, None);
    let factory = Arc::clone(&stage.roster.factory);
    stage.roster = Roster::resume(&stage.published, factory);
    assert_eq!(hosts(&stage, "p"), "b c");
    stage.checkers.clear();
    let events = stage.roster.start_checkers();
    stage.carry_out(&events);
    assert_eq!(change(&mut stage, ("http://a", None), ADD, None), "");
    assert_eq!(hosts(&stage, "p"), "a b c");
}
