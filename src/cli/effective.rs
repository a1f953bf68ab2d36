//! Every setting and limit that a configuration results in, those of the framework among them. Nothing is hidden.

use lb_core::config::{
    Config, DEFAULT_POOL, ErrorPage, Lane, Part, PoolConfig, Priority, format_duration, on_or_off,
    via_as_written,
};

use crate::{
    app, listener,
    proxy::{FailureLog, RequestId},
};

/// Key and value, in the order of the file.
pub(super) fn settings(config: &Config) -> Vec<(String, String)> {
    let mut all = vec![row("port", join(&config.listeners))];
    for (name, pool) in &config.pools {
        let prefix = if **name == *DEFAULT_POOL {
            String::new()
        } else {
            format!("pools.{name}.")
        };
        all.extend(
            pool_settings(pool)
                .into_iter()
                .map(|(key, value)| (format!("{prefix}{key}"), value)),
        );
    }
    all.extend(routes(config));
    let client = &config.client_timeouts;
    let open_files = app::raise_open_files_limit();
    let (idle, answer_head) = match config.lane {
        Lane::Handler => ("none, of the framework", "64KiB, 96 lines"),
        Lane::Wire => ("64", "64KiB, 200 lines"),
    };
    let workers = config.workers.unwrap_or_else(app::default_workers);
    all.extend([
        row("timeouts.request_header", format_duration(client.request_header)),
        row("timeouts.client_idle", format_duration(client.client_idle)),
        row("trusted_proxies", none_if_empty(join(&config.trusted_proxies))),
        row("via", via_as_written(config.via.as_deref()).to_owned()),
        row("trace", on_or_off(config.allow_trace).to_owned()),
    ]);
    all.extend(limits(config));
    if config.error_pages.is_empty() {
        all.push(row("error_pages", "none".to_owned()));
    }
    let page =
        |(status, page): (&u16, &ErrorPage)| row(&format!("error_pages.{status}"), page.path.to_string());
    all.extend(config.error_pages.iter().map(page));
    all.extend([
        row("lane", config.lane.to_string()),
        row("workers", workers.to_string()),
        row("shutdown_timeout", format_duration(config.shutdown_timeout)),
        row(
            "state_dir",
            config
                .state_dir
                .as_deref()
                .unwrap_or("the usual one of system or user")
                .to_owned(),
        ),
        row("log", config.log.as_str().to_owned()),
        row(
            "limit: client connections",
            (app::connections_per_worker(workers, open_files) * workers).to_string(),
        ),
        row(
            "limit: connections waiting to be accepted",
            listener::BACKLOG.to_string(),
        ),
        row("limit: open files", open_files.to_string()),
        row("limit: idle connections to a backend, a worker", idle.to_owned()),
        row("limit: size of an answer's head", answer_head.to_owned()),
        row(
            "limit: failures logged a second, a worker",
            FailureLog::LINES_PER_SECOND.to_string(),
        ),
        row(
            "limit: length of a request id taken over",
            RequestId::LONGEST.to_string(),
        ),
        row(
            "limit: size of a compiled regular expression",
            "256KiB".to_owned(),
        ),
        row("limit: size of the configuration", "1MiB".to_owned()),
        row(
            "limit: connections to a backend",
            "its max_connections, else none".to_owned(),
        ),
    ]);
    all
}

/// Each route's conditions, then what it says.
fn routes(config: &Config) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for (index, route) in config.routes.iter().enumerate() {
        let key = format!("routes[{index}]");
        let settings = route.settings().into_iter();
        let settings = settings
            .map(|(setting, value)| (format!("{key}.{setting}"), value))
            .collect::<Vec<_>>();
        rows.push((key, route.when.to_string()));
        rows.extend(settings);
    }
    rows
}

fn limits(config: &Config) -> Vec<(String, String)> {
    let limits = &config.limits;
    vec![
        row("limits.header_size", limits.header_size.to_string()),
        row("limits.header_count", limits.header_count.to_string()),
        row("limits.body_size", or_none(limits.body_size)),
        row("limits.connections", or_none(limits.connections)),
        row(
            "limits.connections_per_client",
            or_none(limits.connections_per_client),
        ),
    ]
}

fn pool_settings(pool: &PoolConfig) -> Vec<(String, String)> {
    let (check, timeouts, retries) = (&pool.health_check, &pool.timeouts, &pool.retries);
    let mut all = vec![
        row("strategy", pool.strategy.to_string()),
        row("failover", pool.failover.to_string()),
        row("slow_start", format_duration(pool.slow_start)),
        row("queue", pool.queue.to_string()),
        row(
            "sticky",
            pool.sticky.as_ref().map_or("off".to_owned(), ToString::to_string),
        ),
    ];
    for (index, backend) in pool.backends.iter().enumerate() {
        let priority = match backend.priority {
            priority if priority == Priority::default() => String::new(),
            Priority::BACKUP => ", backup".to_owned(),
            priority => format!(", priority {priority}"),
        };
        let most = backend.max_connections;
        let most = most.map_or(String::new(), |most| format!(", at most {most} connections"));
        let notes = [
            (!backend.probed, ", not probed"),
            (backend.own_check.is_some(), ", its own health_check"),
            (backend.drain, ", draining"),
            (backend.maintenance, ", in maintenance"),
        ];
        let notes: String = notes
            .iter()
            .filter(|(true_of_it, _)| *true_of_it)
            .map(|(_, note)| *note)
            .collect();
        let (key, weight) = (format!("backends[{index}]"), backend.weight.get());
        all.push(row(
            &key,
            format!("{} weight {weight}{priority}{most}{notes}", backend.url),
        ));
        let own = backend.own_check.iter().flat_map(|own| own.parts());
        let differs = |part: &(&'static str, String)| !check.parts().contains(part);
        all.extend(
            own.filter(differs)
                .map(|(name, value)| row(&format!("{key}.health_check.{name}"), value)),
        );
    }
    let named = |key: &str, parts: Vec<Part>| -> Vec<(String, String)> {
        let full = |(name, value): Part| (format!("{key}.{name}"), value);
        parts.into_iter().map(full).collect()
    };
    all.extend(named("health_check", check.parts()));
    match &pool.ejection {
        Some(rules) => all.extend(named("ejection", rules.parts())),
        None => all.push(row("ejection", "off".to_owned())),
    }
    all.extend([
        row("all_down", pool.all_down.to_string()),
        row("timeouts.connect", format_duration(timeouts.connect)),
        row("timeouts.response_idle", format_duration(timeouts.response_idle)),
        row("timeouts.body_stall", format_duration(timeouts.body_stall)),
        row("timeouts.upstream_idle", format_duration(timeouts.upstream_idle)),
        row("timeouts.upstream_age", format_duration(timeouts.upstream_age)),
        row("timeouts.tunnel_idle", format_duration(timeouts.tunnel_idle)),
        row(
            "timeouts.request",
            timeouts.request.map_or("none".to_owned(), format_duration),
        ),
        row("retries.attempts", retries.attempts.to_string()),
        row("retries.budget", retries.budget.to_string()),
        row("retries.min_per_second", retries.min_per_second.to_string()),
        row("retries.statuses", none_if_empty(join(&retries.statuses))),
    ]);
    all
}

fn row(key: &str, value: String) -> (String, String) {
    (key.to_owned(), value)
}

fn join<T: ToString>(values: &[T]) -> String {
    values
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

fn none_if_empty(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}

fn or_none<T: ToString>(value: Option<T>) -> String {
    value.map_or("none".to_owned(), |value| value.to_string())
}
