//! Which limits of the kernel and the process a configuration will meet.
//!
//! A balancer that drops connections because of a sysctl says nothing of it: the kernel drops them before the process hears of
//! them. So what is known is compared once, at the start and by `check`. Only what bites with this configuration is named: a
//! hint that everybody gets is read by nobody. What is not known is no reason for a hint.

use crate::config::Config;

/// What is known of the kernel and the limits of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kernel {
    /// `net.core.somaxconn`: the longest queue of connections to be accepted.
    pub somaxconn: Option<u32>,
    /// The limit of open files.
    pub open_files: Option<u64>,
    /// `net.ipv4.ip_local_port_range`, both ends included.
    pub local_ports: Option<(u16, u16)>,
    /// `net.ipv4.tcp_congestion_control`.
    pub congestion_control: Option<String>,
    /// `net.core.default_qdisc`.
    pub default_qdisc: Option<String>,
    /// The first two numbers of the release.
    pub release: Option<(u32, u32)>,
}

/// What the balancer asks of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Connections that it lets wait to be accepted.
    pub backlog: u32,
    /// Open files with which as many clients are served as are expected.
    pub open_files: u64,
}

/// A limit that is too low.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Its name: a sysctl, or `open files`.
    pub setting: &'static str,
    /// What happens, and what to type.
    pub message: String,
}

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { setting, message } = self;
        write!(f, "{setting}: {message}")
    }
}

/// From this release on, bbr paces by itself; before, only the queueing discipline fq did it.
const PACES: (u32, u32) = (4, 13);

/// How many clients a configuration has to be ready for at once: as many as it allows, else a burst that fills the listener's
/// queue.
pub fn expected_clients(config: &Config, backlog: u32) -> u32 {
    config.limits.connections.unwrap_or(backlog)
}

/// The limits that this configuration will meet.
pub fn hints(config: &Config, kernel: &Kernel, demand: Demand) -> Vec<Hint> {
    let clients = expected_clients(config, demand.backlog);
    [
        queue(kernel, clients.min(demand.backlog)),
        open_files(kernel, (clients, demand.open_files)),
        local_ports(config, kernel, clients),
        pacing(kernel),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn queue(kernel: &Kernel, wanted: u32) -> Option<Hint> {
    let longest = kernel.somaxconn.filter(|longest| *longest < wanted)?;
    Some(Hint {
        setting: "net.core.somaxconn",
        message: format!(
            "of a burst of {wanted} new connections the kernel keeps {longest} and drops the others; raise it with \
             `sysctl -w net.core.somaxconn={wanted}`, then restart"
        ),
    })
}

fn open_files(kernel: &Kernel, (clients, needed): (u32, u64)) -> Option<Hint> {
    let limit = kernel.open_files.filter(|limit| *limit < needed)?;
    Some(Hint {
        setting: "open files",
        message: format!(
            "{clients} connections of clients need {needed}, and the limit is {limit}: others wait to be accepted; raise it \
             with `ulimit -n {needed}`, or with LimitNOFILE={needed} in a systemd unit"
        ),
    })
}

fn local_ports(config: &Config, kernel: &Kernel, clients: u32) -> Option<Hint> {
    let (first, last) = kernel.local_ports.filter(|(first, last)| first <= last)?;
    let ports = u32::from(last - first) + 1;
    let mut addresses: Vec<_> = config
        .pools
        .values()
        .flat_map(|pool| &pool.backends)
        .map(|backend| (backend.url.host(), backend.url.port()))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    if count == 0 || ports.saturating_mul(count) >= clients {
        return None;
    }
    let backends = if count == 1 { "backend" } else { "backends" };
    Some(Hint {
        setting: "net.ipv4.ip_local_port_range",
        message: format!(
            "{clients} clients may need as many connections to {count} {backends}, and {first}-{last} has {ports} ports for \
             each address; widen it with `sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"`"
        ),
    })
}

fn pacing(kernel: &Kernel) -> Option<Hint> {
    let (first, second) = kernel.release.filter(|release| *release < PACES)?;
    let discipline = kernel.default_qdisc.as_deref()?;
    if kernel.congestion_control.as_deref() != Some("bbr") || discipline == "fq" {
        return None;
    }
    Some(Hint {
        setting: "net.ipv4.tcp_congestion_control",
        message: format!(
            "bbr sends in bursts with kernel {first}.{second} and the queueing discipline {discipline}; take \
             `sysctl -w net.core.default_qdisc=fq`, or a kernel from {}.{} on",
            PACES.0, PACES.1
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    const DEMAND: Demand = Demand {
        backlog: 4096,
        open_files: 8256,
    };

    /// A common machine.
    fn common() -> Kernel {
        Kernel {
            somaxconn: Some(4096),
            open_files: Some(524_288),
            local_ports: Some((32_768, 60_999)),
            congestion_control: Some("cubic".to_owned()),
            default_qdisc: Some("fq_codel".to_owned()),
            release: Some((6, 1)),
        }
    }

    fn named(keys: &str, kernel: &Kernel) -> Vec<&'static str> {
        let text = format!("port: 0\n{keys}\n");
        let config = config::load(&text, "config.yaml", &|_| None).unwrap_or_else(|error| panic!("{error}"));
        let hints = hints(&config, kernel, DEMAND);
        hints.iter().map(|hint| hint.setting).collect()
    }

    const ONE: &str = "backends: [http://a]";
    const RESPONDS: &str = "routes: [{respond: 503}]";

    #[test]
    fn a_common_machine_and_an_unknown_one_get_no_hint() {
        assert_eq!(named(ONE, &common()), Vec::<&str>::new());
        assert_eq!(named(ONE, &Kernel::default()), Vec::<&str>::new());
        let many = "backends: [http://a]\nlimits: {connections: 1000000}";
        assert_eq!(named(many, &Kernel::default()), Vec::<&str>::new());
    }

    #[test]
    fn a_short_queue_is_named_where_more_clients_are_expected() {
        let kernel = Kernel {
            somaxconn: Some(128),
            ..common()
        };
        assert_eq!(named(ONE, &kernel), ["net.core.somaxconn"]);
        let few = format!("{ONE}\nlimits: {{connections: 128}}");
        assert_eq!(named(&few, &kernel), Vec::<&str>::new());
    }

    #[test]
    fn few_files_are_named() {
        let files = |limit| Kernel {
            open_files: Some(limit),
            ..common()
        };
        assert_eq!(named(ONE, &files(8256)), Vec::<&str>::new());
        assert_eq!(named(ONE, &files(8255)), ["open files"]);
    }

    #[test]
    fn few_ports_are_named_where_few_addresses_have_to_do_with_them() {
        let few = Kernel {
            local_ports: Some((50_000, 50_999)),
            ..common()
        };
        let port = ["net.ipv4.ip_local_port_range"];
        assert_eq!(named(ONE, &few), port);
        let backends = |count: usize| {
            let urls: Vec<_> = (0..count).map(|number| format!("http://b{number}")).collect();
            format!("backends: [{}]", urls.join(", "))
        };
        assert_eq!(named(&backends(4), &few), port);
        assert_eq!(named(&backends(5), &few), Vec::<&str>::new());
        let thousand = format!("{ONE}\nlimits: {{connections: 1000}}");
        assert_eq!(named(&thousand, &few), Vec::<&str>::new());
        assert_eq!(named(RESPONDS, &few), Vec::<&str>::new());
        let many = format!("{ONE}\nlimits: {{connections: 30000}}");
        assert_eq!(named(&many, &common()), port);
    }

    #[test]
    fn bbr_is_named_where_nothing_paces() {
        let bbr = |release, discipline: &str| Kernel {
            congestion_control: Some("bbr".to_owned()),
            default_qdisc: Some(discipline.to_owned()),
            release: Some(release),
            ..common()
        };
        assert_eq!(
            named(ONE, &bbr((4, 12), "fq_codel")),
            ["net.ipv4.tcp_congestion_control"]
        );
        assert_eq!(named(ONE, &bbr((4, 12), "fq")), Vec::<&str>::new());
        assert_eq!(named(ONE, &bbr((4, 13), "fq_codel")), Vec::<&str>::new());
    }

    #[test]
    fn a_hint_says_what_to_type() {
        let hint = queue(
            &Kernel {
                somaxconn: Some(128),
                ..common()
            },
            4096,
        );
        let text = hint.map(|hint| hint.to_string()).unwrap_or_default();
        assert_eq!(
            text,
            "net.core.somaxconn: of a burst of 4096 new connections the kernel keeps 128 and drops the others; raise it with \
             `sysctl -w net.core.somaxconn=4096`, then restart"
        );
    }
}
