//! awc, and what stands under it: its clients, a guarded transport that ends its faults, and the way that a request's body
//! takes past it. No other lane knows of it.

mod backends;
mod clients;
mod connector;
mod guarded;
mod stream;
mod uploads;
mod watch;

pub(super) use self::{
    clients::UpstreamClients,
    guarded::{Fault, OFFERED_UPGRADE, OMITTED_LENGTH},
    stream::BackendStream,
    watch::{SwitchedAt, Watch, Wish},
};
