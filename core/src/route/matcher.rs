//! Finds the route of a request without walking through all of them.
//!
//! The order of routes, most specific first:
//!
//! 1. host: exact, then the longer wildcard, then any;
//! 2. path: exact, then the longest prefix, then regular expressions, then any;
//! 3. more conditions before fewer;
//! 4. as written.
//!
//! The first one of which all conditions hold is taken. So the tables are asked in this order: the host's own, those of its
//! wildcards, that of any host; in each the path as a whole, the prefixes from the longest, the patterns, the rest. What is
//! left in one place is walked through. A look-up allocates nothing and costs the same with ten routes and with ten
//! thousand, regular expressions apart, which are tried one by one.

mod hosts;
mod paths;

use std::sync::Arc;

use self::{
    hosts::Hosts,
    paths::{Entry, Paths},
};
use super::{Request, conditions::Parameters};
use crate::config::{HostPattern, PathPattern, RouteConfig};

/// All routes, compiled.
#[derive(Debug)]
pub struct Matcher {
    routes: Vec<Arc<RouteConfig>>,
    hosts: Hosts<Paths>,
    /// Whether a route speaks of paths, so that ambiguous ones are refused.
    has_paths: bool,
    /// The route that takes everything as it is, where there is nothing to decide.
    plain: bool,
}

impl Matcher {
    /// Compiles routes, in the order written.
    pub fn new(routes: &[Arc<RouteConfig>]) -> Self {
        let mut hosts: Hosts<Paths> = Hosts::default();
        for (index, route) in routes.iter().enumerate() {
            let entry = Entry {
                route: index as u32,
                others: route.when.others() as u32,
            };
            let everywhere = [HostPattern::Any];
            let patterns = if route.when.hosts.is_empty() {
                &everywhere[..]
            } else {
                &route.when.hosts
            };
            for pattern in patterns {
                hosts.table(pattern).insert(&route.when.path, entry);
            }
        }
        hosts.tables().for_each(Paths::finish);
        Self {
            has_paths: routes.iter().any(|route| route.when.path != PathPattern::Any),
            plain: matches!(routes, [only] if only.is_plain()),
            routes: routes.to_vec(),
            hosts,
        }
    }

    /// Whether every request takes the only route, and nothing has to be known of it.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// Whether a route speaks of paths.
    pub fn has_paths(&self) -> bool {
        self.has_paths
    }

    /// The routes, in the order written.
    pub fn routes(&self) -> &[Arc<RouteConfig>] {
        &self.routes
    }

    /// The place of a request's route among all; `None` if there is none.
    pub fn find(&self, request: &Request<'_>) -> Option<usize> {
        if self.plain {
            return Some(0);
        }
        let query = Parameters::new(request.query);
        let holds = |entry: &Entry| {
            entry.others == 0
                || self.routes[entry.route as usize]
                    .when
                    .others_hold(request, &query)
        };
        let found = self
            .hosts
            .find(request.host, |paths| paths.find(request.path, &holds));
        found.map(|entry| entry.route as usize)
    }
}

#[cfg(test)]
mod tests;
