//! Fronts: they read requests and write responses, whatever carries these to a backend and back.
//!
//! A front knows no lane. The wiring gives it one, by the seam that stands in [`h1::Lane`].

pub mod h1;
mod timer;
mod worker;

pub use self::worker::FrontWorker;
pub(crate) use self::{
    timer::{TICK, Timer},
    worker::{KeptConfig, READ_SIZE},
};
