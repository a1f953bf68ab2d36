//! Which backend awc means. awc pools connections by the authority of a URI, and two pools may have a backend of the same
//! URL: different backends, each with its own health, addresses and timeouts. So awc is told a name with the backend's
//! number instead, and the connector finds the backend by it, also one that a reload has just removed.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::{Arc, Weak},
};

use awc::http::uri::Authority;
use lb_core::pool::Backend;

/// Begins the name of a backend; never seen outside of the process.
const PREFIX: &str = "backend-";

/// Backends that are forgotten are looked for when there are so many names, and then each time they have doubled.
const FEW: usize = 64;

/// The backends that one worker has sent requests to.
#[derive(Clone, Default)]
pub(super) struct Backends(Rc<Table>);

#[derive(Default)]
struct Table {
    known: RefCell<HashMap<u64, Known>>,
    many: Cell<usize>,
}

struct Known {
    name: Authority,
    backend: Weak<Backend>,
}

impl Backends {
    /// The name of a backend, under which the connector finds it for as long as somebody holds it.
    pub(super) fn name(&self, backend: &Arc<Backend>) -> Option<Authority> {
        let mut known = self.0.known.borrow_mut();
        if let Some(known) = known.get(&backend.id()) {
            return Some(known.name.clone());
        }
        if known.len() >= self.0.many.get().max(FEW) {
            known.retain(|_, known| known.backend.strong_count() > 0);
            self.0.many.set(known.len() * 2);
        }
        let name: Authority = format!("{PREFIX}{}", backend.id()).parse().ok()?;
        known.insert(
            backend.id(),
            Known {
                name: name.clone(),
                backend: Arc::downgrade(backend),
            },
        );
        Some(name)
    }

    /// The backend of this name.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Backend>> {
        let id = name.strip_prefix(PREFIX)?.parse().ok()?;
        self.0.known.borrow().get(&id)?.backend.upgrade()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn backend(id: u64) -> Arc<Backend> {
        Arc::new(Backend::new(id, "http://a".parse().unwrap(), 1))
    }

    #[test]
    fn backends_of_one_url_are_different_ones() {
        let backends = Backends::default();
        let (one, two) = (backend(1), backend(2));
        let names = [&one, &two].map(|backend| backends.name(backend).unwrap());
        assert_ne!(names[0], names[1]);
        assert_eq!(backends.find(names[1].as_str()).unwrap().id(), 2);
        assert!(backends.find("backend-3").is_none() && backends.find("a:80").is_none());
    }

    #[test]
    fn those_that_are_gone_are_forgotten() {
        let backends = Backends::default();
        let stays = backend(0);
        let name = backends.name(&stays).unwrap();
        for id in 1..10_000 {
            backends.name(&backend(id));
        }
        assert!(backends.0.known.borrow().len() <= FEW + 1);
        assert_eq!(backends.find(name.as_str()).unwrap().id(), 0);
    }
}
