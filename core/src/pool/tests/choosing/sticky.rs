//! Clients that come back.

use super::*;
use crate::{
    config::{SameSite, StickyConfig},
    health::Admin,
    sticky::{StickyId, StickyKey},
};

fn sticky_pool(ones: &[One]) -> Pool {
    pool_with(ones, |config| {
        config.sticky = Some(StickyConfig {
            cookie: "c".into(),
            secure: false,
            http_only: true,
            same_site: SameSite::Lax,
            ttl: None,
            key: Some(StickyKey::from_secret(b"key")),
        });
    })
}

fn id_of(pool: &Pool, index: usize) -> StickyId {
    pool.sticky_id(&pool.members()[index].backend).unwrap()
}

fn pick(pool: &Pool, sticky: StickyId, tried: &Tried) -> String {
    let ask = Ask {
        sticky: Some(sticky),
        ..ask(0, Instant::now(), tried)
    };
    host_of(&pool.pick(&ask).unwrap())
}

#[test]
fn a_client_gets_its_backend_whatever_the_turn() {
    let pool = sticky_pool(&vec![One::default(); 4]);
    for index in [2, 0, 3, 3, 1] {
        let host = pool.members()[index].backend.url().host().to_owned();
        assert_eq!(pick(&pool, id_of(&pool, index), &Tried::default()), host);
    }
}

#[test]
fn a_backend_that_is_down_tried_or_full_is_left() {
    let mut ones = vec![One::default(); 3];
    ones[1].health = down();
    ones[2] = at_most(1);
    let pool = sticky_pool(&ones);
    assert_eq!(pick(&pool, id_of(&pool, 1), &Tried::default()), "a");
    assert!(!pool.keeps_clients(id_of(&pool, 1)));
    let held = pool.pick(&Ask {
        sticky: Some(id_of(&pool, 2)),
        ..ask(0, Instant::now(), &Tried::default())
    });
    assert_eq!(host_of(held.as_ref().unwrap()), "c");
    assert_eq!(pick(&pool, id_of(&pool, 2), &Tried::default()), "a");
    assert!(pool.keeps_clients(id_of(&pool, 2)), "it only has no place now");
    let mut tried = Tried::default();
    tried.add(&pool.members()[0].backend);
    drop(held);
    assert_eq!(pick(&pool, id_of(&pool, 0), &tried), "c");
}

#[test]
fn one_that_drains_serves_its_own_clients_on_and_no_others() {
    let mut ones = vec![One::default(); 2];
    ones[0].health.set_admin(Admin::configured(true, false), true);
    let pool = sticky_pool(&ones);
    assert_eq!(pick(&pool, id_of(&pool, 0), &Tried::default()), "a");
    for step in 0..10 {
        let other = pool.pick(&ask(step, Instant::now(), &Tried::default())).unwrap();
        assert_eq!(host_of(&other), "b");
    }
    let mut ones = vec![One::default(); 2];
    ones[0].health.set_admin(Admin::configured(false, true), true);
    let pool = sticky_pool(&ones);
    assert_eq!(
        pick(&pool, id_of(&pool, 0), &Tried::default()),
        "b",
        "maintenance serves nobody"
    );
}
