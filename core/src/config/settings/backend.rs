//! `backends`: where requests go, and what is set for each.

use std::{collections::HashMap, sync::Arc};

use super::{
    Checker, Entry, Mapping, Place, Setting, Settings, Shape,
    field::{At, Change, Field, Leaf, lens, mapping},
    forms::{Form, Single, Switch, Whole},
    limits::MAX_CONNECTIONS,
    pool::{HEALTH_CHECK, Probes},
    shape::{Kind, Scalar},
};
use crate::config::{
    fields::Fields,
    model::{BackendConfig, BackendUrl, HealthCheck, PoolConfig, Priority, Scheme, Weight},
    node::{Node, Value, item_path},
    problem::Refusal,
    written::Written,
};

impl Settings for BackendConfig {
    const SHORT: Option<&'static str> = Some("url");
    const LATER: &'static [&'static str] = &["tls", "resolve"];
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "url",
            &Leaf(lens!(BackendConfig, url), &URL),
            "Where it is: `http://host:port`, without a path (the request's own is sent). It is the backend's identity within its pool.",
        )
        .default_is("none")
        .example("url: http://localhost:9001")
        .required(),
        Setting::new(
            "weight",
            &Leaf(lens!(BackendConfig, weight), &WEIGHT),
            "Its share relative to the others.",
        ),
        Setting::new(
            "priority",
            &Leaf(lens!(BackendConfig, priority), &PRIORITY),
            "Backends of priority 0 serve before those of 1, and so on.",
        )
        .see(&["failover", "backends[].backup"]),
        Setting::new("backup", &Backup, "Whether it serves after all priorities.")
            .see(&["failover", "backends[].priority"]),
        Setting::new(
            "max_connections",
            &Leaf(lens!(BackendConfig, max_connections), &AT_ONCE),
            "Requests and tunnels that it may hold at once, over all workers. When all backends are full, requests wait in the queue.",
        )
        .see(&["queue"]),
        Setting::new(
            "health_check",
            &OwnCheck,
            "`off`: it is never probed and always taken for up. A path or a mapping is merged over the pool's check.",
        )
        .default_is("as the pool has it")
        .see(&["health_check"]),
        Setting::new(
            "drain",
            &Leaf(lens!(BackendConfig, drain), &Switch),
            "It gets no new requests; those in flight finish.",
        )
        .see(&["backends[].maintenance"]),
        Setting::new(
            "maintenance",
            &Leaf(lens!(BackendConfig, maintenance), &Switch),
            "It gets neither requests nor probes.",
        )
        .see(&["backends[].drain"]),
    ];

    fn judge(&mut self, own: &Fields<'_>, checker: &mut Checker<'_>) {
        if self.drain && self.maintenance {
            let refusal = Refusal::new("must not be there beside `drain: true`");
            let hint = "in maintenance a backend gets nothing and is not probed; remove one of them";
            checker.refuse_setting(own, "maintenance", refusal.hint(hint));
        }
        if self.priority == Priority::BACKUP {
            let refusal = Refusal::new("must not be there beside `backup: true`");
            let hint = "a backup serves after all priorities; remove one of them";
            checker.refuse_setting(own, "priority", refusal.hint(hint));
        }
    }
}

const URL: Form<BackendUrl> = Form {
    expects: "a URL",
    kinds: || {
        vec![Kind::Text(
            "a URL such as `http://localhost:9001`",
            "^[hH][tT][tT][pP]://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?/?$",
        )]
    },
    parse: |written| {
        let url = written.text().parse();
        // A second item that is indented more than the first one is the rest of its text.
        url.map_err(|refusal: Refusal| match written.text().contains(" - ") {
            true => Refusal::new(refusal.rule)
                .hint("check the indentation: each item begins below the `-` of the one before"),
            false => refusal,
        })
    },
    show: |url| url.to_string(),
};

const WEIGHT: Form<Weight> = Form {
    expects: "a whole number",
    kinds: || vec![Kind::Whole(1, Weight::MAX as u32)],
    parse: |written| {
        let number =
            Whole(1, Weight::MAX.into())
                .number(written)
                .map_err(|refusal| match written.as_whole() {
                    Some(0) => refusal.hint(NOTHING),
                    _ => refusal,
                })?;
        let weight = u16::try_from(number).ok().and_then(Weight::new);
        weight.ok_or_else(|| Refusal::new("must be a weight"))
    },
    show: |weight| weight.get().to_string(),
};

const AT_ONCE: Form<Option<u32>> = Form {
    expects: "a whole number or none",
    kinds: || vec![Kind::Whole(1, MAX_CONNECTIONS), Kind::Words(vec!["none"])],
    parse: |written| match written.text() {
        "none" => Ok(None),
        _ => {
            let number = Whole(1, MAX_CONNECTIONS).number(written).map(Some);
            number.map_err(|refusal| match written.as_whole() {
                Some(0) => refusal.hint(NOTHING),
                _ => Refusal::new(format!("{}, or none", refusal.rule)),
            })
        }
    },
    show: |most| most.map_or("none".to_owned(), |most| most.to_string()),
};

const NOTHING: &str = "to send it nothing, write `drain: true`, or leave it out";

const PRIORITY: Form<Priority> = Form {
    expects: "a whole number",
    kinds: || vec![Kind::Whole(0, Priority::MAX as u32)],
    parse: |written| {
        let number = Whole(0, Priority::MAX.into()).number(written)?;
        let priority = u8::try_from(number).ok().and_then(Priority::new);
        priority.ok_or_else(|| Refusal::new("must be a priority"))
    },
    show: |priority| priority.to_string(),
};

/// `backup`, which is the last priority.
struct Backup;

impl Field<BackendConfig> for Backup {
    fn expects(&self) -> &'static str {
        Single::expects(&Switch)
    }

    fn shape(&self, _place: Place, _default: &BackendConfig) -> Shape {
        Shape::One(Scalar(Switch.kinds()))
    }

    fn value(&self, of: &BackendConfig) -> Option<String> {
        Some(Switch.write(&(of.priority == Priority::BACKUP)))
    }

    fn read(&self, to: &mut BackendConfig, (own, key): At<'_>, checker: &mut Checker<'_>) {
        let written = own.scalar(key, checker.problems);
        if checker.value(&written, |written| Switch.parse(written)) == Some(true) {
            to.priority = Priority::BACKUP;
        }
    }

    /// `priority` says it.
    fn lines(&self, _key: &str, _of: &BackendConfig) -> Vec<(String, String)> {
        Vec::new()
    }

    fn changes(&self, _key: &str, _from: &BackendConfig, _to: &BackendConfig) -> Vec<Change<BackendConfig>> {
        Vec::new()
    }

    fn put(&self, _from: &BackendConfig, _to: &mut BackendConfig) {}
}

/// `health_check` of a backend: whether it is probed, and how, if it says so itself. It is read with its pool's.
struct OwnCheck;

impl Field<BackendConfig> for OwnCheck {
    fn expects(&self) -> &'static str {
        HEALTH_CHECK
    }

    fn shape(&self, place: Place, _default: &BackendConfig) -> Shape {
        let mut shape = mapping(&HealthCheck::default(), place);
        if let Some((scalar, _)) = &mut shape.single {
            scalar.0.push(Kind::Switch);
        }
        Shape::Mapping(shape)
    }

    fn value(&self, _of: &BackendConfig) -> Option<String> {
        None
    }

    fn read(&self, _to: &mut BackendConfig, _at: At<'_>, _checker: &mut Checker<'_>) {}

    fn lines(&self, key: &str, of: &BackendConfig) -> Vec<(String, String)> {
        let own = of.own_check.as_ref().map_or("as the pool's", |_| "its own");
        let shown = if of.probed { own } else { "off" };
        vec![(key.to_owned(), shown.to_owned())]
    }

    fn changes(&self, key: &str, from: &BackendConfig, to: &BackendConfig) -> Vec<Change<BackendConfig>> {
        let change = |key: &str, from: &str, to: &str| Change {
            key: key.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            restart: false,
            make: Arc::new(|_: &mut BackendConfig| {}),
        };
        let mut changes = Vec::new();
        if from.probed != to.probed {
            let shown = |on: bool| Switch.write(&on);
            changes.push(change(key, &shown(from.probed), &shown(to.probed)));
        }
        match (&from.own_check, &to.own_check) {
            (None, None) => {}
            (None, Some(_)) => changes.push(change(key, "as the pool's", "its own")),
            (Some(_), None) => changes.push(change(key, "its own", "as the pool's")),
            (Some(from), Some(to)) => {
                let own = HealthCheck::changes(from, to, &format!("{key}."));
                changes.extend(own.iter().map(|own| change(&own.key, &own.from, &own.to)));
            }
        }
        changes
    }

    fn put(&self, from: &BackendConfig, to: &mut BackendConfig) {
        to.probed = from.probed;
        to.own_check = from.own_check.clone();
    }
}

/// What to do about missing backends.
pub(in crate::config) const ADD_A_BACKEND: &str =
    "add at least one, for example `backends: [\"http://localhost:9001\"]`";

/// The list of a pool. It is read after the pool's check, which backends merge theirs over.
pub(super) struct Backends;

impl Field<PoolConfig> for Backends {
    fn expects(&self) -> &'static str {
        "a list of backends"
    }

    fn shape(&self, place: Place, _default: &PoolConfig) -> Shape {
        let entries: Vec<Entry> = BackendConfig::entries(&nowhere(), place);
        Shape::Items(Box::new(Shape::Mapping(Mapping {
            single: Some((Scalar(URL.kinds()), Some("url"))),
            ..Mapping::new(entries)
        })))
    }

    fn value(&self, _of: &PoolConfig) -> Option<String> {
        None
    }

    fn read(&self, _to: &mut PoolConfig, _at: At<'_>, _checker: &mut Checker<'_>) {}

    /// `backends[0]  http://localhost:9001 weight 1, drain on`
    fn lines(&self, key: &str, of: &PoolConfig) -> Vec<(String, String)> {
        let usual = nowhere();
        let backends = of.backends.iter().enumerate();
        let lines = |(index, backend): (usize, &BackendConfig)| {
            let key = format!("{key}[{index}]");
            let all = backend.lines("").into_iter().zip(usual.lines(""));
            let said = all
                .filter(|((key, value), (_, usual))| *key != "url" && (*key == "weight" || value != usual));
            let said: Vec<_> = said.map(|((key, value), _)| format!("{key} {value}")).collect();
            let mut lines = vec![(key.clone(), format!("{} {}", backend.url, said.join(", ")))];
            let own = backend.own_check.iter();
            let own = own.flat_map(|own| own.lines(&format!("{key}.health_check.")));
            let pools = of.health_check.lines(&format!("{key}.health_check."));
            lines.extend(own.filter(|line| !pools.contains(line)));
            lines
        };
        backends.flat_map(lines).collect()
    }

    /// A plan knows backends by their identity, not by their place in the list.
    fn changes(&self, _key: &str, _from: &PoolConfig, _to: &PoolConfig) -> Vec<Change<PoolConfig>> {
        Vec::new()
    }

    fn put(&self, from: &PoolConfig, to: &mut PoolConfig) {
        to.backends = from.backends.clone();
    }
}

/// A backend of which nothing is known, for its defaults.
fn nowhere() -> BackendConfig {
    BackendConfig::new(BackendUrl::from_parts(Scheme::Http, "", 80))
}

/// Reads the list of a pool's backends.
pub(super) fn backends(
    (node, path): (&Node, &str),
    (place, probes): (Place, &Probes<'_>),
    checker: &mut Checker<'_>,
) -> Vec<BackendConfig> {
    let items = match &node.value {
        Value::List(items) if items.is_empty() => {
            let refusal = Refusal::new("must hold at least one backend");
            checker.problems.add(node.position, path, refusal, None);
            return Vec::new();
        }
        Value::List(items) => items,
        other => {
            let refusal = Refusal::new(format!("must be a list of backends, not {}", other.noun()));
            let hint = "begin each backend's line with `- `";
            let written = Some(node.written.as_str()).filter(|text| !text.is_empty());
            checker
                .problems
                .add(node.position, path, refusal.hint(hint), written);
            return Vec::new();
        }
    };
    let mut first_places: HashMap<BackendUrl, Written> = HashMap::new();
    let mut backends = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = item_path(path, index);
        let Some((backend, url)) = backend((item, &path), (place, probes), checker) else {
            continue;
        };
        if let Some(first) = first_places.get(&backend.url) {
            let rule = format!(
                "must not be there twice: {} is {} as well",
                first.place(),
                backend.url
            );
            let hint = "to send it more requests, give it a `weight`";
            checker.refuse(&url, Refusal::new(rule).hint(hint));
            continue;
        }
        first_places.insert(backend.url.clone(), url);
        backends.push(backend);
    }
    backends
}

/// A backend, and where its URL stands; `None` without one.
fn backend(
    (item, path): (&Node, &str),
    (place, probes): (Place, &Probes<'_>),
    checker: &mut Checker<'_>,
) -> Option<(BackendConfig, Written)> {
    let mut backend = BackendConfig {
        probed: probes.on,
        ..nowhere()
    };
    let url = match &item.value {
        Value::Mapping(entries) => {
            let keys = BackendConfig::keys(place);
            let own = Fields::read(entries, (path, item.position), keys, checker.problems);
            backend.read(&own, checker);
            probes.own(&mut backend, &own, checker);
            own.written("url")?
        }
        _ => {
            let expected = "a URL or a mapping with `url`";
            let url = crate::config::fields::scalar(item, path, expected, checker.problems)?;
            backend.url = checker.check(&url, |url| URL.parse(url))?;
            url
        }
    };
    (!backend.url.host().is_empty()).then_some((backend, url))
}
