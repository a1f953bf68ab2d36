//! Settings that are read by code of their own: their shape, and what is shown of them.

use super::{
    Checker, Mapping, Place, Settings, Shape,
    backend::Backends,
    field::{At, Change, Field},
    shape::{Kind, Scalar},
};
use crate::config::model::{Config, PoolConfig, RouteConfig};

/// A setting that its mapping's own code reads, and a plan's own code compares.
pub(in crate::config) struct ByCode<M> {
    pub(in crate::config) expects: &'static str,
    pub(in crate::config) shape: fn() -> Shape,
    pub(in crate::config) lines: fn(&str, &M) -> Vec<(String, String)>,
}

impl<M> Field<M> for ByCode<M> {
    fn expects(&self) -> &'static str {
        self.expects
    }

    fn shape(&self, _place: Place, _default: &M) -> Shape {
        (self.shape)()
    }

    fn value(&self, _of: &M) -> Option<String> {
        None
    }

    fn read(&self, _to: &mut M, _at: At<'_>, _checker: &mut Checker<'_>) {}

    fn lines(&self, key: &str, of: &M) -> Vec<(String, String)> {
        (self.lines)(key, of)
    }

    fn changes(&self, _key: &str, _from: &M, _to: &M) -> Vec<Change<M>> {
        Vec::new()
    }

    fn put(&self, _from: &M, _to: &mut M) {}
}

pub(super) const POOLS: ByCode<Config> = ByCode {
    expects: "a mapping of names to pools",
    shape: || {
        let default = PoolConfig::default();
        let pool = Mapping::new(PoolConfig::entries(&default, Place::Pool)).requiring("backends");
        Shape::Named {
            name: Scalar(vec![Kind::Text(
                "at most 64 letters, digits, `-`, `_` and `.`",
                "^[A-Za-z0-9._-]{1,64}$",
            )]),
            value: Box::new(Shape::Either(vec![
                Shape::Mapping(pool),
                Backends.shape(Place::Pool, &default),
            ])),
            filled: true,
        }
    },
    // Each pool's settings are shown with its name.
    lines: |_, config| {
        let pools = config.pools.iter();
        let prefix = |name: &str| match name {
            crate::config::model::DEFAULT_POOL => String::new(),
            name => format!("pools.{name}."),
        };
        pools.flat_map(|(name, pool)| pool.lines(&prefix(name))).collect()
    },
};

pub(super) const ROUTES: ByCode<Config> = ByCode {
    expects: "a list of routes",
    shape: || {
        let route = RouteConfig::everything_to(crate::config::model::DEFAULT_POOL.into());
        Shape::Items(Box::new(Shape::Mapping(Mapping {
            one_of: super::route::ACTIONS.to_vec(),
            ..Mapping::new(RouteConfig::entries(&route, Place::Route))
        })))
    },
    // Its conditions, then what it says.
    lines: |key, config| {
        let routes = config.routes.iter().enumerate();
        let lines = |(index, route): (usize, &std::sync::Arc<RouteConfig>)| {
            let key = format!("{key}[{index}]");
            let settings = route.settings().into_iter();
            let settings = settings.map(|(setting, value)| (format!("{key}.{setting}"), value));
            let mut lines: Vec<_> = settings.collect();
            lines.insert(0, (key, route.when.to_string()));
            lines
        };
        routes.flat_map(lines).collect()
    },
};
