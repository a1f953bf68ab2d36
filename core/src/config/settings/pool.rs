//! The settings of a pool. What stands at the top of the file is the default of all pools.

use std::{sync::Arc, time::Duration};

use super::{
    Checker, Place, Setting, Settings, Shape,
    backend::{Backends, backends},
    field::{At, Change, Field, Leaf, Part, lens, read_part},
    forms::{Form, Words, switched},
    shape::Kind,
    sticky::Sticky,
    strategy::{FailoverMode, Strategy},
    switched::Switched,
};
use crate::config::{
    fields::Fields,
    model::{AllDown, BackendConfig, DEFAULT_SLOW_START, HealthCheck, PoolConfig, StatusRanges},
    node::Node,
    problem::Refusal,
    units::{format_duration, parse_duration},
};

impl Settings for PoolConfig {
    const LATER: &'static [&'static str] = &["tls"];
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "strategy",
            &Leaf(lens!(PoolConfig, strategy), &Strategy),
            "How the next backend is chosen.",
        )
        .see(&["docs/strategies.md"])
        .on_routes(),
        Setting::new(
            "failover",
            &Leaf(lens!(PoolConfig, failover), &FailoverMode),
            "When backends of a lower priority serve.",
        )
        .see(&["backends[].priority", "backends[].backup"]),
        Setting::new(
            "slow_start",
            &Leaf(lens!(PoolConfig, slow_start), &SLOW_START),
            "A backend that comes back, or is added while others serve, begins with a tenth of its share and has the whole after this time.",
        )
        .danger("Too short floods caches that are still cold, too long overloads the others meanwhile."),
        Setting::new(
            "queue",
            &Part(lens!(PoolConfig, queue), "a whole number, off or a mapping"),
            "Requests that wait while every backend holds its `max_connections`.",
        )
        .see(&["backends[].max_connections"]),
        Setting::new(
            "sticky",
            &Leaf(lens!(PoolConfig, sticky), &Sticky),
            "Brings clients back to the backend that served them, by a cookie that reveals nothing.",
        )
        .see(&["docs/strategies.md"]),
        Setting::new(
            "backends",
            &Backends,
            "Where requests go, at least one backend. A text is its URL.",
        )
        .example("backends: [\"http://localhost:9001\", {url: \"http://localhost:9002\", weight: 3}]"),
        Setting::new(
            "health_check",
            &Check,
            "How backends are probed. A text is the path; `off` takes every backend for up.",
        )
        .example("health_check: /healthz")
        .see(&["docs/health.md"]),
        Setting::new(
            "ejection",
            &Switched(lens!(PoolConfig, ejection), "a whole number, a mapping or off"),
            "When backends get no requests for a time because of what requests met there, whatever their probes say.",
        )
        .see(&["docs/health.md"]),
        Setting::new(
            "all_down",
            &Leaf(
                lens!(PoolConfig, all_down),
                &Words("try or fail", &[("try", AllDown::Try), ("fail", AllDown::Fail)]),
            ),
            "What happens to requests when no backend is up: `try` sends them to those that are not, `fail` refuses them with 503. Backends that drain or are in maintenance are never tried.",
        ),
        Setting::new(
            "timeouts",
            &Part(lens!(PoolConfig, timeouts), "a mapping or a duration"),
            "How long to wait for what.",
        )
        .on_routes(),
        Setting::new(
            "retries",
            &Part(lens!(PoolConfig, retries), "a mapping or a whole number"),
            "When a failed request is sent to another backend.",
        )
        .on_routes(),
    ];
}

const SLOW_START: Form<Duration> = Form {
    expects: "a duration",
    kinds: || {
        vec![
            Kind::Duration(Duration::ZERO),
            Kind::Switch,
            Kind::Words(vec!["none", "0"]),
        ]
    },
    parse: |written| match (written.text(), switched(written)) {
        ("0" | "none", _) | (_, Some(false)) => Ok(Duration::ZERO),
        (_, Some(true)) => Ok(DEFAULT_SLOW_START),
        (text, None) => parse_duration(text),
    },
    show: |duration| format_duration(*duration),
};

pub(super) const HEALTH_CHECK: &str = "a path, a mapping or false";

/// `health_check` of a pool, which is read before its backends.
struct Check;

/// What is shown and changed of it.
const SHOWN: Part<PoolConfig, HealthCheck> = Part(lens!(PoolConfig, health_check), HEALTH_CHECK);

impl Field<PoolConfig> for Check {
    fn expects(&self) -> &'static str {
        HEALTH_CHECK
    }

    fn shape(&self, place: Place, default: &PoolConfig) -> Shape {
        let mut shape = super::field::mapping(&default.health_check, place);
        if let Some((scalar, _)) = &mut shape.single {
            scalar.0.push(Kind::Switch);
        }
        Shape::Mapping(shape)
    }

    fn value(&self, _of: &PoolConfig) -> Option<String> {
        None
    }

    fn read(&self, _to: &mut PoolConfig, _at: At<'_>, _checker: &mut Checker<'_>) {}

    fn lines(&self, key: &str, of: &PoolConfig) -> Vec<(String, String)> {
        SHOWN.lines(key, of)
    }

    fn changes(&self, key: &str, from: &PoolConfig, to: &PoolConfig) -> Vec<Change<PoolConfig>> {
        SHOWN.changes(key, from, to)
    }

    fn put(&self, from: &PoolConfig, to: &mut PoolConfig) {
        SHOWN.put(from, to);
    }
}

/// A pool while it is read: what other pools, and its backends, take over from it.
#[derive(Clone)]
pub(in crate::config) struct Draft {
    pub(in crate::config) pool: PoolConfig,
    /// Whether backends are probed that say nothing else.
    probed: bool,
    /// Whether a check is written, after which 200-399 is alive unless it says otherwise.
    is_strict: bool,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            pool: PoolConfig::default(),
            probed: true,
            is_strict: false,
        }
    }
}

impl Draft {
    /// A pool's settings over those of the top of the file. Backends are nobody's default.
    pub(in crate::config) fn read(&self, own: &Fields<'_>, checker: &mut Checker<'_>) -> Self {
        let mut draft = self.clone();
        draft.pool.backends.clear();
        draft.pool.read(own, checker);
        draft.read_check(own, checker);
        let path = own.path_of("backends");
        if let Some(node) = own.node("backends") {
            draft.read_backends((node, &path), own.place, checker);
        }
        draft
    }

    /// A pool that is written as the list of its backends.
    pub(in crate::config) fn of_backends(&self, at: (&Node, &str), checker: &mut Checker<'_>) -> Self {
        let mut draft = self.clone();
        draft.read_backends(at, Place::Pool, checker);
        draft
    }

    fn read_backends(&mut self, at: (&Node, &str), place: Place, checker: &mut Checker<'_>) {
        let probes = Probes {
            on: self.probed,
            check: &self.pool.health_check,
            is_strict: self.is_strict,
        };
        self.pool.backends = backends(at, (place, &probes), checker);
    }

    fn read_check(&mut self, own: &Fields<'_>, checker: &mut Checker<'_>) {
        if own.node("health_check").is_none() {
            return;
        }
        match own.written("health_check").as_ref().and_then(switched) {
            // Off: what was inherited is nobody's any more.
            Some(false) => {
                *self = Self {
                    probed: false,
                    is_strict: false,
                    pool: PoolConfig {
                        health_check: HealthCheck::default(),
                        ..self.pool.clone()
                    },
                };
            }
            Some(true) => self.probed = true,
            None => {
                if !self.is_strict {
                    self.pool.health_check.status = StatusRanges::default();
                }
                (self.probed, self.is_strict) = (true, true);
                read_part(&mut self.pool.health_check, (own, "health_check"), checker);
            }
        }
    }
}

/// How the backends of a pool are probed unless they say so themselves.
pub(super) struct Probes<'c> {
    pub(super) on: bool,
    check: &'c HealthCheck,
    is_strict: bool,
}

impl Probes<'_> {
    /// Whether a backend is probed, and how, if it says so itself.
    pub(super) fn own(&self, backend: &mut BackendConfig, own: &Fields<'_>, checker: &mut Checker<'_>) {
        if own.node("health_check").is_none() {
            return;
        }
        match own.written("health_check").as_ref().and_then(switched) {
            Some(false) => backend.probed = false,
            Some(true) if self.on => {}
            Some(true) => {
                let rule = "must not be true while `health_check: false` turns probes off for all";
                let hint = "write `health_check: false` at single backends instead";
                checker.refuse_setting(own, "health_check", Refusal::new(rule).hint(hint));
            }
            None => {
                let mut check = self.check.clone();
                if !self.is_strict {
                    check.status = StatusRanges::default();
                }
                read_part(&mut check, (own, "health_check"), checker);
                backend.probed = true;
                backend.own_check = Some(Arc::new(check));
            }
        }
    }
}
