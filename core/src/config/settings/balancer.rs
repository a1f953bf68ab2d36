//! The settings of the whole balancer, at the top of the file.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;

use super::{
    Checker, Keys, Place, Setting, Settings, Shape,
    error_pages::ErrorPages,
    field::{At, Leaf, Part, Type, lens},
    forms::{Form, OneOrMore, Span, Switch, Whole, Words, meant_switch, shown_list, switched},
    known,
    shape::{Kind, Scalar},
    strategy::is_token_byte,
    switched::Switched,
};
use crate::config::{
    address::{clash, parse_listener, parse_network},
    model::{Config, DEFAULT_PSEUDONYM, Lane, Listener, PoolConfig, Via},
    problem::Refusal,
    secrets::Masked,
    written::Written,
};

/// The most workers: a thread a core on the largest machines of today; more only cost memory.
const WORKERS: Whole = Whole(1, 1024);
/// Enough for a host's name, short enough to go along with every message.
const MAX_PSEUDONYM: usize = 64;

const IN_ADMIN: &str = "the admin listener, `admin`, has the state of all backends at /v1/status";

const TOP: &[Place] = &[Place::Top];

/// Both sides' timeouts are written below this key.
const TIMEOUTS: &str = "timeouts";

impl Settings for Config {
    const LATER: &'static [&'static str] = &["tls"];
    const ELSEWHERE: &'static [(&'static str, &'static str)] = &[
        ("metrics", IN_ADMIN),
        ("prometheus", IN_ADMIN),
        ("stats", IN_ADMIN),
    ];
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "port",
            &Leaf(lens!(Config, listeners), &Ports),
            "Where clients connect. `8000` and `\":8000\"`: all addresses, IPv6 and IPv4. Also `\"127.0.0.1:8000\"`, `\"[::1]:8000\"`, a list of these, or 0 for any free port.",
        )
        .default_is("none")
        .example("port: 8000")
        .required()
        .needs_restart()
        .at(TOP),
        Setting::new("pools", &super::elsewhere::POOLS, "More than one pool: names with settings of their own, or with backends. What stands at the top of the file is the default of all of them, setting by setting; `backends` at the top are the pool `default`.")
            .example("pools: {api: {backends: [\"http://10.0.1.1\"], retries: 1}, canary: [\"http://10.0.2.1\"]}")
            .see(&["routes"])
            .at(TOP),
        Setting::new("routes", &super::elsewhere::ROUTES, "Which requests go where; without routes all go to `default`, or to the only pool. The most specific route is taken; without any: 404.")
            .example("routes: [{host: api.example.com, pool: api}]")
            .see(&["docs/routing.md"])
            .at(TOP),
        Setting::new(
            TIMEOUTS,
            &Part(lens!(Config, client_timeouts), "a mapping or a duration"),
            "How long to wait for what.",
        )
        .at(TOP),
        Setting::new(
            "trusted_proxies",
            &Leaf(lens!(Config, trusted_proxies), &NETWORKS),
            "Proxies in front of this one, as networks or addresses. Their X-Forwarded-* and Forwarded fields are believed and appended to; from all others they are replaced.",
        )
        .danger("Whoever is listed can claim any client address.")
        .example("trusted_proxies: [\"10.0.0.0/8\", \"192.168.1.1\"]")
        .at(TOP),
        Setting::new(
            "secret_names",
            &Leaf(lens!(Config, secret_names), &NAMES),
            "More parts of names of fields and parameters whose values no output shows, without regard to case, `-` and `_`.",
        )
        .example("secret_names: [X-Internal]")
        .see(&["docs/observability.md"])
        .at(TOP),
        Setting::new(
            "workers",
            &Leaf(lens!(Config, workers), &WORKER_COUNT),
            "Threads that forward requests; `auto`: one a core.",
        )
        .needs_restart()
        .at(TOP),
        Setting::new(
            "shutdown_timeout",
            &Leaf(lens!(Config, shutdown_timeout), &Span(Duration::ZERO)),
            "How long a stop waits for requests in flight before it cuts them; 0s: not at all.",
        )
        .at(TOP),
        Setting::new(
            "state_dir",
            &Leaf(lens!(Config, state_dir), &FOLDER),
            "Where what outlives the process is kept. A relative path begins in the configuration's folder, as those of `error_pages` do. Where it is not written, the environment variable SIMPLE_LB_STATE_DIR (an absolute path) or systemd's STATE_DIRECTORY may name it.",
        )
        .default_is("/var/lib/simple-lb for root, else $XDG_STATE_HOME/simple-lb or ~/.local/state/simple-lb")
        .see(&["sticky.key"])
        .at(TOP),
        Setting::new(
            "log",
            &Part(lens!(Config, log), "the name of a level or a mapping"),
            "The log, to stderr.",
        )
        .see(&["docs/observability.md"])
        .at(TOP),
        Setting::new(
            "access_log",
            &Switched(
                lens!(Config, access_log),
                "a path, on, off or a mapping",
            ),
            "A line for each request. A path alone means all requests, as JSON; `on` means to stdout.",
        )
        .example("access_log: {path: /var/log/simple-lb/access.log, sample: 1%, slow: 500ms}")
        .see(&["docs/observability.md"])
        .at(TOP),
        Setting::new(
            "lane",
            &Leaf(
                lens!(Config, lane),
                &Words("the name of a lane", &[("handler", Lane::Handler), ("wire", Lane::Wire)]),
            ),
            "Which code forwards requests: `wire`, this project's own, which passes the bytes of messages on, or `handler`, that of the web framework.",
        )
        .see(&["docs/handler-lane.md"])
        .needs_restart()
        .at(TOP),
        Setting::new(
            "via",
            &Leaf(lens!(Config, via), &VIA),
            "Whether messages that pass get a Via field with this proxy's name: `on` (simple-lb- and digits that no other process has), or a name. Requests that bear it already are refused with 508: they go round.",
        )
        .danger("Two proxies on one way that have the same name take each other for a loop. It tells backends and clients that there is a proxy; some servers compress or cache less when they see it.")
        .at(TOP),
        Setting::new(
            "trace",
            &Leaf(lens!(Config, allow_trace), &Switch),
            "Whether TRACE requests are forwarded.",
        )
        .danger("A backend that answers TRACE shows a script in a browser the cookies and header fields that were sent, the proxy's own among them.")
        .at(TOP),
        Setting::new(
            "limits",
            &Part(lens!(Config, limits), "a mapping of limits"),
            "What clients may take up; requests and connections beyond it are refused.",
        )
        .at(TOP),
        Setting::new(
            "resolver",
            &Part(lens!(Config, resolver), "a mapping of settings"),
            "How names of backends become addresses. A change of /etc/resolv.conf or /etc/hosts holds from the next look-up on.",
        )
        .see(&["docs/health.md"])
        .at(TOP),
        Setting::new(
            "admin",
            &super::admin::Admin,
            "The admin API: state and changes of this instance over HTTP, on a listener of its own. `off`, an address such as `127.0.0.1:9000`, or a mapping. Whether there is one, and where, changes with a restart; who may use it changes with a reload.",
        )
        .example("admin: {listen: \"127.0.0.1:9000\", token: \"${ADMIN_TOKEN}\"}")
        .see(&["docs/admin.md"])
        .at(TOP),
        Setting::new(
            "error_pages",
            &ErrorPages,
            "Files that are sent instead of this proxy's own error messages, by status code, 400 to 599. A relative path begins in the configuration's folder. Responses of backends stay as they are.",
        )
        .example("error_pages: {502: errors/502.html, 503: /srv/errors/503.html}")
        .at(TOP),
    ];

    /// The settings of pools stand at the top, too.
    fn keys(place: Place) -> Keys {
        let own = known::<Self>(place).into_iter();
        // The client's side of `timeouts` stands in one mapping with the backend's, which a pool's rows have.
        let (first, others): (Vec<_>, Vec<_>) = own
            .filter(|(key, _)| *key != TIMEOUTS)
            .partition(|(key, _)| *key == "port");
        Keys {
            known: [first, known::<PoolConfig>(place), others].concat(),
            later: Self::LATER,
            elsewhere: Self::ELSEWHERE,
            place,
        }
    }
}

/// Where clients connect.
struct Ports;

impl Type<Vec<Listener>> for Ports {
    fn expects(&self) -> &'static str {
        "a port such as 8000, or a list of ports"
    }

    fn shape(&self) -> Shape {
        Shape::List {
            item: Scalar(vec![
                Kind::Whole(0, 65_535),
                Kind::Text(
                    "an address with a port",
                    "^(:|[0-9.]+:|\\[[0-9A-Fa-f:.]+\\]:)[0-9]{1,5}$",
                ),
            ]),
            filled: true,
        }
    }

    fn read(&self, (own, key): At<'_>, checker: &mut Checker<'_>) -> Option<Vec<Listener>> {
        let mut listeners: Vec<(Listener, Written)> = Vec::new();
        for port in own.list(key, true, checker.problems)? {
            let Some(listener) = checker.check(&port, |port| parse_listener(port.text())) else {
                continue;
            };
            match listeners.iter().find(|(other, _)| clash(*other, listener)) {
                Some((other, first)) => {
                    let rule = format!("must not overlap with {} ({other})", first.place());
                    checker.refuse(&port, Refusal::new(rule).hint("remove one of them"));
                }
                None => listeners.push((listener, port)),
            }
        }
        Some(listeners.into_iter().map(|(listener, _)| listener).collect())
    }

    fn show(&self, value: &Vec<Listener>) -> String {
        match value.as_slice() {
            [only] => only.to_string(),
            several => shown_list(several),
        }
    }

    /// In whatever order.
    fn is_same(&self, a: &Vec<Listener>, b: &Vec<Listener>) -> bool {
        let sorted = |listeners: &[Listener]| {
            let mut listeners = listeners.to_vec();
            listeners.sort_by_key(|listener| (listener.host, listener.port));
            listeners
        };
        sorted(a) == sorted(b)
    }
}

/// Networks and addresses, one or a list.
const NETWORKS: OneOrMore<IpNet> = OneOrMore {
    expects: "a network or a list of networks",
    kind: network,
    parse: |network| parse_network(network.text()),
};

/// Parts of names, one or a list.
const NAMES: OneOrMore<Arc<str>> = OneOrMore {
    expects: "a part of a name or a list of them",
    kind: || Kind::Text(NAME_PART, "^[A-Za-z0-9!#$%&'*+.^_`|~-]{2,64}$"),
    parse: |name| {
        let text = name.text();
        let legal = (2..=MAX_PSEUDONYM).contains(&text.len()) && text.bytes().all(is_token_byte);
        match legal && name.is_text() {
            true => Ok(text.into()),
            false => Err(Refusal::new(format!("must be {NAME_PART}"))),
        }
    },
};

const NAME_PART: &str = "at least two letters, digits and !#$%&'*+-.^_`|~";

pub(super) fn network() -> Kind {
    Kind::Text(
        "a network such as `10.0.0.0/8`, or an IP address",
        "^([0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)(/[0-9]{1,3})?$",
    )
}

const WORKER_COUNT: Form<Option<usize>> = Form {
    expects: "a whole number",
    kinds: || vec![Kind::Whole(WORKERS.0, WORKERS.1), Kind::Words(vec!["auto"])],
    parse: |written| match written.text() {
        "auto" => Ok(None),
        _ => {
            let number = WORKERS.number(written).map(|workers| Some(workers as usize));
            number.map_err(|refusal| Refusal::new(format!("{}, or auto", refusal.rule)))
        }
    },
    show: |workers| workers.map_or("auto".to_owned(), |workers| workers.to_string()),
};

const FOLDER: Form<Option<Masked>> = Form {
    expects: "a folder",
    kinds: || vec![Kind::Text("a folder", ".")],
    parse: |written| match written.text() {
        folder if folder.starts_with('~') => {
            Err(Refusal::new("must not begin with ~, which only shells replace")
                .hint("write the whole path, or one that begins in the configuration's folder"))
        }
        "off" | "on" | "none" => Err(Refusal::new("must be a folder").hint(
            "leave `state_dir` out for the usual one; a folder of that name is written ./off, ./on or ./none",
        )),
        folder if written.is_text() && !folder.is_empty() => Ok(Some(written.masked(folder))),
        _ => Err(Refusal::new("must be a folder").hint("write for example /var/lib/simple-lb")),
    },
    show: |folder| {
        let shown = folder.as_ref().map(Masked::shown);
        shown.unwrap_or("the usual one").to_owned()
    },
};

const VIA: Form<Option<Via>> = Form {
    expects: "on, off or a name",
    kinds: || {
        vec![
            Kind::Switch,
            Kind::Text(
                "a name of at most 64 letters, digits and !#$%&'*+-.^_`|~",
                "^(?!([yY][eE][sS]|[nN][oO]|[nN]one|[tT]rue|[fF]alse|[0-9]+)$)[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$",
            ),
        ]
    },
    parse: via,
    show: |via| Via::as_written(via.as_ref()).to_owned(),
};

fn via(written: &Written) -> Result<Option<Via>, Refusal> {
    if let Some(on) = switched(written) {
        return Ok(on.then(|| Via::Own(DEFAULT_PSEUDONYM.into())));
    }
    let name = written.text();
    let meant = meant_switch(name);
    let is_name = (1..=MAX_PSEUDONYM).contains(&name.len()) && name.bytes().all(is_token_byte);
    if is_name && written.is_text() && meant.is_none() {
        return Ok(Some(Via::Named(name.into())));
    }
    let rule =
        format!("must be on, off, or a name of at most {MAX_PSEUDONYM} letters, digits and !#$%&'*+-.^_`|~");
    Err(Refusal::new(rule).did_you_mean(meant))
}
