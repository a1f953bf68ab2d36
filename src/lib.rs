//! simple-lb: an HTTP load balancer. The data plane and the command line; what the balancer knows and decides is in
//! `lb-core`, who knows it and when in `lb-actors`.

pub mod admin;
pub mod app;
pub mod cli;
pub mod control;
pub mod front;
pub mod kernel;
pub mod lane;
pub mod listener;
pub mod metrics;
pub mod proxy;
pub mod systemd;
pub mod telemetry;
pub mod upstream;
