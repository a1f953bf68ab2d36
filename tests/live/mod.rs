//! Draining, maintenance and weights by command, beside the file.

/// What is typed wrongly, and what others than our own command may send.
mod refusals;
/// How long changes last: reloads, `--for`, taking them back.
mod terms;
/// Backends on their way out, with what they still do.
mod way_out;

use dummy_servers::DummyServer;

use crate::harness::{Balancer, FAST_CHECKS, Finished};

/// Backends as a file has them.
fn config(backends: &[String]) -> String {
    let backends: String = backends.iter().map(|one| format!("  - {one}\n")).collect();
    format!("port: 0\n{FAST_CHECKS}\nbackends:\n{backends}")
}

fn urls(backends: &[&DummyServer]) -> Vec<String> {
    backends.iter().map(|backend| backend.url()).collect()
}

fn balancer(backends: &[&DummyServer]) -> Balancer {
    Balancer::start(&config(&urls(backends)))
}

/// Types `simple-lb …`, which must succeed.
#[track_caller]
fn done(balancer: &Balancer, line: &str) -> Finished {
    let done = balancer.place.run(line);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{done:?}");
    done
}
