//! Whether this instance is ready to be sent requests, and why not.

use serde::Serialize;
use utoipa::ToSchema;

use super::AdminState;

/// What `/readyz` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// Whether requests are served, with everything that belongs to it.
    pub(super) ready: bool,
    /// Why not; empty where it is ready.
    pub(super) reasons: Vec<&'static str>,
}

/// What `/healthz` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Liveness {
    /// It is: else there would be no response.
    pub(super) alive: bool,
}

/// What readiness depends on.
#[derive(Debug, Clone, Copy)]
struct Facts {
    serves: bool,
    stops: bool,
    has_registry: bool,
    has_watcher: bool,
}

impl Readiness {
    /// Of an instance as it is now.
    pub(super) fn of(state: &AdminState) -> Self {
        Self::from(Facts {
            serves: state.serves(),
            stops: state.traffic.is_draining() || state.watcher.stop_requested().borrow().is_some(),
            has_registry: state
                .registry
                .registry()
                .is_some_and(|registry| registry.connected()),
            has_watcher: state.watcher.is_running(),
        })
    }
}

impl From<Facts> for Readiness {
    fn from(facts: Facts) -> Self {
        let reasons = [
            (facts.stops, "the instance stops"),
            (!facts.serves && !facts.stops, "the first probes are not in yet"),
            (!facts.has_registry, "the registry is being started again"),
            (
                !facts.has_watcher,
                "the configuration watcher is being started again",
            ),
        ];
        let reasons: Vec<_> = reasons
            .iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, why)| *why)
            .collect();
        Self {
            ready: reasons.is_empty(),
            reasons,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_part_is_named() {
        let all = Facts {
            serves: true,
            stops: false,
            has_registry: true,
            has_watcher: true,
        };
        let reasons = |facts: Facts| Readiness::from(facts).reasons.join(", ");
        assert!(Readiness::from(all).ready);
        assert_eq!(
            reasons(Facts { serves: false, ..all }),
            "the first probes are not in yet"
        );
        assert_eq!(
            reasons(Facts {
                stops: true,
                serves: false,
                ..all
            }),
            "the instance stops"
        );
        let none = Facts {
            has_registry: false,
            has_watcher: false,
            ..all
        };
        assert!(!Readiness::from(none).ready);
        assert_eq!(
            reasons(none),
            "the registry is being started again, the configuration watcher is being started again"
        );
    }
}
