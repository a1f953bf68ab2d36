//! Live changes: what a person orders of single backends while the balancer runs, beside the file.
//!
//! They lie over the configuration like a sheet of glass: a backend is treated as if the file said what the live change
//! says, and the file's own word shows again as soon as the change is taken away. So nothing else knows two ways
//! of draining. There is one change a backend and kind (an order, a weight), and the last one counts.
//!
//! **What says the same as the file is no live change.** It ends the one that there was, and a reload that makes the file say
//! it does so too: a weight that was tried out live and then written down leaves nothing behind that would have to be
//! taken back.
//!
//! Which backends there are can be changed, too: [`LiveMembers`] says how.
//!
//! They survive reloads and a registry that is started again, because they are part of a snapshot's members. A backend that
//! a reload removes loses them, and the end of the process ends them all.

mod members;
mod request;
mod target;
mod words;

#[cfg(test)]
mod tests;

use std::time::Instant;

pub use self::{
    members::{LiveMembers, MOST_ADDED, Membership},
    request::{LiveRequest, Wish},
    target::{UnknownTarget, find, find_pool},
    words::{ended, reload_notes},
};

use crate::{
    config::{BackendConfig, Weight},
    health::{Admin, Drain},
    status::LiveStatus,
};

/// Whether a backend is in service, as a person has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// As far as its health allows.
    #[default]
    Serving,
    /// No new requests.
    Draining,
    /// No requests and no probes.
    Maintenance,
}

impl Order {
    /// What the file says.
    fn configured(config: &BackendConfig) -> Self {
        match Admin::configured(config.drain, config.maintenance) {
            Admin::Serving => Self::Serving,
            Admin::Draining(_) => Self::Draining,
            Admin::Maintenance => Self::Maintenance,
        }
    }

    /// As the status shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Maintenance => "maintenance",
        }
    }
}

impl From<Order> for Admin {
    fn from(order: Order) -> Self {
        match order {
            Order::Serving => Self::Serving,
            Order::Draining => Self::Draining(Drain::default()),
            Order::Maintenance => Self::Maintenance,
        }
    }
}

/// One live change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<T> {
    /// What holds instead of the file's word.
    pub value: T,
    /// When it began.
    pub since: Instant,
    /// When it ends by itself; `None`: when somebody takes it back.
    pub until: Option<Instant>,
}

impl<T> Change<T> {
    fn new(value: T, since: Instant, until: Option<Instant>) -> Self {
        Self { value, since, until }
    }
}

/// What the file says of one backend, and what was changed live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Live {
    file: Written,
    order: Option<Change<Order>>,
    weight: Option<Change<Weight>>,
}

/// The file's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Written {
    order: Order,
    weight: Weight,
}

/// What has come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// The order that did.
    pub order: Option<Order>,
    /// The weight that did.
    pub weight: Option<Weight>,
}

impl Expired {
    /// Whether nothing has.
    pub fn is_empty(&self) -> bool {
        self.order.is_none() && self.weight.is_none()
    }
}

impl Live {
    /// A backend of which nothing was changed.
    pub fn of(config: &BackendConfig) -> Self {
        Self::default().rewritten(config)
    }

    /// The same under the word of a new file. A change that says the same as that is none any more.
    pub fn rewritten(mut self, config: &BackendConfig) -> Self {
        self.file = Written {
            order: Order::configured(config),
            weight: config.weight,
        };
        self.order = self.order.filter(|change| change.value != self.file.order);
        self.weight = self.weight.filter(|change| change.value != self.file.weight);
        self
    }

    /// Takes a person's wish, which holds until then.
    pub fn wish(&mut self, wish: Wish, now: Instant, until: Option<Instant>) {
        let Written { order, weight } = self.file;
        match wish {
            Wish::Drain => self.order = change(self.order, order, Change::new(Order::Draining, now, until)),
            Wish::Maintenance => {
                self.order = change(self.order, order, Change::new(Order::Maintenance, now, until))
            }
            Wish::Serve => self.order = change(self.order, order, Change::new(Order::Serving, now, until)),
            Wish::Weight(value) => self.weight = change(self.weight, weight, Change::new(value, now, until)),
            Wish::FileWeight => self.weight = None,
        }
    }

    /// Ends what has come to its end.
    pub fn expire(&mut self, now: Instant) -> Expired {
        Expired {
            order: expire(&mut self.order, now),
            weight: expire(&mut self.weight, now),
        }
    }

    /// What holds.
    pub fn order(&self) -> Order {
        self.order.map_or(self.file.order, |change| change.value)
    }

    /// What holds.
    pub fn weight(&self) -> Weight {
        self.weight.map_or(self.file.weight, |change| change.value)
    }

    /// When the order that holds ends by itself.
    pub fn order_until(&self) -> Option<Instant> {
        self.order?.until
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.order.is_none() && self.weight.is_none()
    }

    /// Whether what such a wish speaks of is as the file says, so that nothing of it will end.
    pub fn is_as_file(&self, wish: Wish) -> bool {
        match wish {
            Wish::Weight(_) | Wish::FileWeight => self.weight.is_none(),
            Wish::Drain | Wish::Maintenance | Wish::Serve => self.order.is_none(),
        }
    }

    /// The backend as if the file said what holds.
    pub fn over(&self, config: &BackendConfig) -> BackendConfig {
        BackendConfig {
            weight: self.weight(),
            drain: self.order() == Order::Draining,
            maintenance: self.order() == Order::Maintenance,
            ..config.clone()
        }
    }

    /// The changes as the status report shows them.
    pub fn status(&self, now: Instant) -> Vec<LiveStatus> {
        let order = self.order.map(|change| LiveStatus {
            kind: "order".to_owned(),
            value: change.value.as_str().to_owned(),
            file: self.file.order.as_str().to_owned(),
            ..times(&change, now)
        });
        let weight = self.weight.map(|change| LiveStatus {
            kind: "weight".to_owned(),
            value: change.value.get().to_string(),
            file: self.file.weight.get().to_string(),
            ..times(&change, now)
        });
        order.into_iter().chain(weight).collect()
    }
}

/// The change that a wish makes of the one before; none if the file says the same.
fn change<T: Copy + PartialEq>(before: Option<Change<T>>, file: T, wished: Change<T>) -> Option<Change<T>> {
    let same = before.filter(|before| before.value == wished.value);
    (wished.value != file).then(|| Change {
        since: same.map_or(wished.since, |same| same.since),
        ..wished
    })
}

fn expire<T: Copy>(change: &mut Option<Change<T>>, now: Instant) -> Option<T> {
    let over = |change: &mut Change<T>| change.until.is_some_and(|until| until <= now);
    change.take_if(over).map(|change| change.value)
}

/// Since when a change holds and until when, of a report of it.
fn times<T>(change: &Change<T>, now: Instant) -> LiveStatus {
    LiveStatus {
        since_seconds: now.saturating_duration_since(change.since).as_secs(),
        until_seconds: change.until.map(|until| seconds_until(until, now)),
        ..LiveStatus::default()
    }
}

/// Whole seconds that are left. A part of a second is a second: nobody shall read that nothing is left.
pub(crate) fn seconds_until(until: Instant, now: Instant) -> u64 {
    let left = until.saturating_duration_since(now);
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}
