//! How each balancer is told to do the same job: the examples' configurations, with the addresses of now.

use std::{net::SocketAddr, path::Path};

use anyhow::Result;

use crate::{balancers::Lane, load::BACKENDS, template::fill};

/// Ours, as the example has it.
pub(crate) const OURS: &str = include_str!("../../examples/nginx/config.yaml");
const NGINX: &str = include_str!("../../examples/nginx/nginx.conf");
const HAPROXY: &str = include_str!("../../examples/haproxy/haproxy.cfg");

/// How a balancer treats backends that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Temper {
    /// As the examples have it.
    Usual,
    /// Short timeouts and checks, so that a dead backend is noticed within seconds.
    Impatient,
    /// A failed request says nothing about its backend. For nginx, which else takes all three for dead and answers
    /// 502 to everything for 10 s: that would be counted, and not what becomes of a request.
    Forgiving,
}

/// What a balancer is to do.
pub(crate) struct Setup {
    pub(crate) backends: [SocketAddr; BACKENDS],
    pub(crate) workers: usize,
    pub(crate) temper: Temper,
    /// Files that a process may open.
    pub(crate) open_files: u64,
}

fn backend_values(setup: &Setup) -> [(&'static str, String); BACKENDS] {
    let [one, two, three] = setup.backends.map(|backend| backend.to_string());
    [
        ("127.0.0.1:9001", one),
        ("127.0.0.1:9002", two),
        ("127.0.0.1:9003", three),
    ]
}

/// Of simple-lb.
pub(crate) fn ours(setup: &Setup, lane: Option<Lane>) -> Result<String> {
    let mut values = vec![
        ("127.0.0.1:8000", "127.0.0.1:0".to_owned()),
        ("workers: 1", format!("workers: {}", setup.workers)),
    ];
    values.extend(backend_values(setup));
    let mut config = fill(OURS, &values)?;
    config.push_str("log: warn\n");
    if let Some(lane) = lane {
        config.push_str(&format!("lane: {lane}\n"));
    }
    if setup.temper == Temper::Impatient {
        config.push_str(
            "timeouts: {response_idle: 2s}\n\
             health_check: {interval: 1s, timeout: 500ms, fall: 2, status: 100-499}\n",
        );
    }
    Ok(config)
}

/// Of nginx, whose `-V` says `build`.
pub(crate) fn nginx(setup: &Setup, address: SocketAddr, folder: &Path, build: &str) -> Result<String> {
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let built = |kind: &&str| !build.contains(&format!("--without-http_{kind}_module"));
    let folders: String = kinds
        .iter()
        .filter(|kind| built(kind))
        .map(|kind| format!("\n    {kind}_temp_path {}/{kind};", folder.display()))
        .collect();
    let mut values = vec![
        ("127.0.0.1:8000", address.to_string()),
        (
            "worker_processes 1;",
            format!("worker_processes {};", setup.workers),
        ),
        ("access_log off;", format!("access_log off;{folders}")),
    ];
    values.extend(backend_values(setup));
    if setup.temper == Temper::Impatient {
        values.push(("proxy_read_timeout 60s", "proxy_read_timeout 2s".to_owned()));
    }
    if setup.temper == Temper::Forgiving {
        values
            .iter_mut()
            .filter(|(old, _)| old.starts_with("127.0.0.1:900"))
            .for_each(|(_, new)| new.push_str(" max_fails=0"));
    }
    fill(NGINX, &values)
}

/// Of HAProxy.
pub(crate) fn haproxy(setup: &Setup, address: SocketAddr) -> Result<String> {
    // It wants two descriptors a connection and some of its own, and does not start without.
    let connections = (setup.open_files / 2).saturating_sub(100).min(8000);
    let mut values = vec![
        ("127.0.0.1:8000", address.to_string()),
        ("nbthread 1", format!("nbthread {}", setup.workers)),
        ("maxconn 8000", format!("maxconn {connections}")),
    ];
    values.extend(backend_values(setup));
    if setup.temper == Temper::Impatient {
        values.push(("timeout server 60s", "timeout server 2s".to_owned()));
        values.push(("timeout check 2s", "timeout check 500ms".to_owned()));
        values.push(("inter 5s", "inter 1s".to_owned()));
        values.push(("fall 3", "fall 2".to_owned()));
    }
    fill(HAPROXY, &values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn setup(temper: Temper) -> Setup {
        let backends = [19001, 19002, 19003].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        Setup {
            backends,
            workers: 2,
            temper,
            open_files: 4096,
        }
    }

    fn load(text: &str) -> lb_core::config::Config {
        lb_core::config::load(text, "config.yaml", &|_| None)
            .unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    #[test]
    fn the_examples_of_ours_are_valid_and_alike() {
        let others = [
            include_str!("../../examples/haproxy/config.yaml"),
            include_str!("../../examples/envoy/config.yaml"),
        ];
        let settings = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect()
        };
        load(OURS);
        for other in others {
            assert_eq!(settings(other), settings(OURS));
        }
    }

    #[test]
    fn what_ours_tells_backends_theirs_do_too() {
        for name in [
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "X-Forwarded-Host",
            "X-Request-Id",
        ] {
            assert!(NGINX.contains(&format!("proxy_set_header {name} ")), "{name}");
            assert!(
                HAPROXY.contains(&format!("http-request set-header {name} ")),
                "{name}"
            );
        }
    }

    #[test]
    fn ours_is_valid_when_filled_in() {
        for (temper, seconds) in [(Temper::Usual, 60), (Temper::Impatient, 2)] {
            let config = load(&ours(&setup(temper), None).unwrap());
            let pool = &config.pools["default"];
            assert_eq!(config.workers, Some(2));
            assert_eq!(pool.backends[2].url.to_string(), "http://127.0.0.1:19003");
            assert_eq!(pool.timeouts.response_idle.as_secs(), seconds);
        }
        assert!(
            ours(&setup(Temper::Usual), Some(Lane::Wire))
                .unwrap()
                .ends_with("lane: wire\n")
        );
    }

    #[test]
    fn theirs_get_the_addresses_and_workers() {
        let address = SocketAddr::from(([127, 0, 0, 1], 4711));
        let nginx = nginx(
            &setup(Temper::Impatient),
            address,
            Path::new("/tmp/x"),
            "--without-http_uwsgi_module",
        )
        .unwrap();
        for expected in [
            "listen 127.0.0.1:4711 ",
            "server 127.0.0.1:19002;",
            "worker_processes 2;",
            "scgi_temp_path /tmp/x/scgi;",
            "proxy_read_timeout 2s;",
        ] {
            assert!(nginx.contains(expected), "{expected} in {nginx}");
        }
        assert!(!nginx.contains("uwsgi"), "{nginx}");
        let forgiving = super::nginx(&setup(Temper::Forgiving), address, Path::new("/tmp/x"), "").unwrap();
        assert!(
            forgiving.contains("server 127.0.0.1:19001 max_fails=0;"),
            "{forgiving}"
        );
        let haproxy = haproxy(&setup(Temper::Impatient), address).unwrap();
        for expected in [
            "bind 127.0.0.1:4711",
            "127.0.0.1:19003",
            "nbthread 2",
            "maxconn 1948",
            "inter 1s",
            "fall 2",
        ] {
            assert!(haproxy.contains(expected), "{expected} in {haproxy}");
        }
    }
}
