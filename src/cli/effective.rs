//! Every setting and limit that a configuration results in, those of the framework among them. Nothing is hidden.

use lb_actors::config_watcher::cores;
use lb_core::config::{Config, Lane};

use crate::{
    admin::MOST_CONNECTIONS,
    app, listener,
    proxy::{FailureLog, RequestId},
    upstream::IdlePool,
};

/// What the names of limits begin with, which no setting changes.
pub(super) const LIMIT: &str = "limit: ";

/// Key and value, in the order of the reference, and then the limits that no setting changes.
pub(super) fn settings(config: &Config) -> Vec<(String, String)> {
    let open_files = app::raise_open_files_limit();
    let workers = config.workers.unwrap_or_else(cores);
    let shown = Config {
        workers: Some(workers),
        ..config.clone()
    };
    let mut all = shown.settings();
    all.extend(limits(config.lane, workers, open_files));
    let of_admin = |_| {
        (
            format!("{LIMIT}connections to the admin listener"),
            MOST_CONNECTIONS.to_string(),
        )
    };
    all.extend(config.admin.as_ref().map(of_admin));
    all
}

fn limits(lane: Lane, workers: usize, open_files: u64) -> Vec<(String, String)> {
    let answer_head = match lane {
        Lane::Handler => "64KiB, 96 lines",
        Lane::Wire => "64KiB, 200 lines",
    };
    let connections = app::connections_per_worker(workers, open_files) * workers;
    let mut limits = vec![("client connections", connections.to_string())];
    limits.extend(listener::fixed_limits());
    limits.extend([
        ("open files", open_files.to_string()),
        ("idle connections to a backend, a worker", IdlePool::shown_limit()),
        ("size of an answer's head", answer_head.to_owned()),
        (
            "failures logged a second, a worker",
            FailureLog::LINES_PER_SECOND.to_string(),
        ),
        (
            "length of a request id taken over",
            RequestId::LONGEST.to_string(),
        ),
        ("size of a compiled regular expression", "256KiB".to_owned()),
        ("size of the configuration", "1MiB".to_owned()),
        (
            "connections to a backend",
            "its max_connections, else none".to_owned(),
        ),
    ]);
    limits
        .into_iter()
        .map(|(limit, value)| (format!("{LIMIT}{limit}"), value))
        .collect()
}
