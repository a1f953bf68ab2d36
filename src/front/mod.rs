//! Fronts: they read requests and write responses, whatever carries these to a backend and back.
//!
//! A front knows no lane. The wiring gives it one, by one of two seams: [`Service`] takes whole messages from
//! fronts of any version; [`h1::Lane`] takes a connection that speaks HTTP/1.1, for a lane that passes its bytes on.

mod call;
mod downstream;
pub mod h1;
mod link;
mod pulse;
mod timer;
mod worker;

pub use self::{
    call::{BrokenOff, Call, Length, Response, Service},
    link::{CallLimits, Link},
    worker::FrontWorker,
};
pub(crate) use self::{
    downstream::Downstream,
    link::Switched,
    pulse::Pulse,
    timer::{TICK, Timer},
    worker::{KeptConfig, READ_SIZE},
};
