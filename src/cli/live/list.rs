//! The live changes of an instance, below its table.

use lb_core::{
    config::DEFAULT_POOL,
    status::{BackendStatus, LiveStatus, StatusReport},
};

use crate::cli::table::{aligned, seconds};

/// A heading and a line a change; nothing where there is none.
pub(in crate::cli) fn list(report: &StatusReport) -> Vec<String> {
    let mut rows = vec![
        ["LIVE CHANGE OF", "NOW", "LEFT", "FILE SAYS"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for pool in &report.pools {
        for backend in &pool.backends {
            let name = match pool.name.as_str() {
                DEFAULT_POOL => backend.url.clone(),
                pool => format!("{pool} {}", backend.url),
            };
            let row = |change: &LiveStatus| {
                let LiveStatus {
                    file, until_seconds, ..
                } = change;
                let left = until_seconds.map_or("no end".to_owned(), seconds);
                vec![name.clone(), now(backend, change), left, file.clone()]
            };
            rows.extend(backend.live.iter().map(row));
        }
        for removed in &pool.removed {
            let name = match pool.name.as_str() {
                DEFAULT_POOL => removed.url.clone(),
                pool => format!("{pool} {}", removed.url),
            };
            let left = removed.until_seconds.map_or("no end".to_owned(), seconds);
            rows.push(vec![name, "removed".to_owned(), left, "there".to_owned()]);
        }
    }
    if rows.len() == 1 {
        return Vec::new();
    }
    let mut lines = vec![String::new()];
    lines.extend(aligned(&rows));
    lines
}

fn now(backend: &BackendStatus, change: &LiveStatus) -> String {
    match (change.kind.as_str(), change.value.as_str()) {
        ("order", "draining" | "maintenance") => match (backend.counts.in_flight, backend.drained_seconds) {
            (0, Some(ago)) => format!("{change}, drained {} ago", seconds(ago)),
            (in_flight, _) => format!("{change}, {in_flight} in flight"),
        },
        _ => change.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use lb_core::pool::BackendCounts;

    use super::*;
    use crate::cli::sample;

    fn change(kind: &str, value: &str, file: &str, left: Option<u64>) -> LiveStatus {
        LiveStatus {
            kind: kind.to_owned(),
            value: value.to_owned(),
            file: file.to_owned(),
            since_seconds: 60,
            until_seconds: left,
        }
    }

    fn backend(port: u16, live: Vec<LiveStatus>) -> BackendStatus {
        BackendStatus {
            counts: BackendCounts {
                in_flight: 2,
                ..BackendCounts::default()
            },
            live,
            ..sample::backend(format!("http://localhost:{port}"))
        }
    }

    fn report(backends: Vec<BackendStatus>) -> StatusReport {
        sample::report([("api", backends.clone()), ("default", backends)])
    }

    #[test]
    fn shows_each_change_with_what_is_left_of_it_and_what_the_file_says() {
        assert_eq!(
            list(&report(vec![backend(9001, Vec::new())])),
            Vec::<String>::new()
        );
        let mut drained = backend(9002, vec![change("order", "draining", "serving", Some(552))]);
        (drained.counts.in_flight, drained.drained_seconds) = (0, Some(5));
        let lines = list(&report(vec![
            backend(
                9001,
                vec![
                    change("order", "draining", "serving", Some(552)),
                    change("weight", "10", "1", None),
                ],
            ),
            drained,
        ]));
        assert_eq!(
            lines[..4],
            [
                "",
                "LIVE CHANGE OF             NOW                       LEFT    FILE SAYS",
                "api http://localhost:9001  draining, 2 in flight     9m12s   serving",
                "api http://localhost:9001  weight 10                 no end  1"
            ]
        );
        assert_eq!(
            lines[7],
            "http://localhost:9002      draining, drained 5s ago  9m12s   serving"
        );
    }
}
