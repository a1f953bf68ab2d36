//! The black-box tests: the real program, real sockets, one binary.

#![allow(clippy::unwrap_used)]
#![allow(missing_docs, unreachable_pub)]

/// Starts the program and backends, talks HTTP to them as bytes, waits without sleeping.
mod harness;

/// A line for each request, whatever becomes of the file.
mod access_log;
/// The admin API: who may do what, and what it tells.
mod admin;
/// What comes after an attempt has ended, on both lanes and in the simulation alike.
mod attempts;
/// Bodies stream both ways and are never held as a whole.
mod bodies;
/// What is taken for alive, what is done when nobody is, and a person's word.
mod checks;
/// Strategies, limits, priorities and slow start, as clients and backends see them.
mod choosing;
/// What is typed, what is said, and which exit code it ends with.
mod command_line;
/// HTTP/1.1 by the text of its RFCs.
mod conformance;
/// `simple-lb demo`, where nobody watches.
mod demo;
/// Which backend gets which request.
mod distribution;
/// The documents hold: what they show is printed, what they name is there.
mod documented;
/// The dummy servers as people start them.
mod dummies;
/// Backends that fail requests while their probes are good.
mod ejection;
/// What clients and the log are told when something breaks.
mod error_answers;
/// The everyday work of curl, hey, wrk, Python's http.client and Chromium.
mod everyday;
/// A fresh installation, which has no backends yet.
mod first_start;
/// What reaches the backend and what comes back, line by line.
mod forwarding;
/// Answers that awc alone would mistake, through the handler lane.
mod guarded;
/// Clients that a framework's own server would mistake, through the handler lane.
mod guarded_clients;
/// This same suite on the handler lane.
mod handler_lane;
/// Backends that go down and come back, and what clients notice of it.
mod health;
/// Which running instance a command means.
mod instances;
/// Who may know whom.
mod layering;
/// Draining, maintenance and weights by command, beside the file.
mod live;
/// A log that nobody reads.
mod log;
/// Manual pages and completions.
mod manual;
/// The short form of `bench/soak`.
mod memory;
/// What a scrape says.
mod metrics;
/// Names of backends, their addresses, and loops.
mod names;
/// What packages, units and containers say of the program.
mod packaged;
/// What a request says of itself when it ends.
mod records;
/// Changing the configuration under load.
mod reload;
/// Failures that a retry can spare the client, and those that it must not hide.
mod retries;
mod reuse;
/// Pools and routes: which request goes where, and what is changed on its way.
mod routes;
/// What stems from the environment is not shown.
mod secrets;
/// `simple-lb simulate`: strategies in a model of the pool.
mod simulate;
/// Which sockets a running balancer holds, and a start without enough of them.
mod sockets;
/// What a running instance says of itself.
mod status;
/// Stopping without cutting anybody off.
mod stop;
/// A process that is stopped by a signal and goes on.
mod stopped;
/// What systemd, the journal and a container get of the program.
#[cfg(target_os = "linux")]
mod systemd;
/// Whose time is up, and what the client is told.
mod timeouts;
/// Instances of other users, and what root believes of them.
mod users;
/// The four commands of the README, typed as they stand there.
mod verbatim;
/// `run`, `reload` and `stop` as verbs, and a plan that only shows.
mod verbs;
/// A real WebSocket library on both ends.
mod websocket;
