//! From a file's text to a checked [`Config`]: the values are read by their rows, and pools and routes, which refer to each
//! other, by code.
//!
//! Every check goes on after a refused value with a default in its place, so that all problems come to light; a
//! [`Config`] leaves this module only if there was none.

use std::{
    cell::Cell,
    env::VarError,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::{
    checker::Checker,
    document, env,
    fields::Fields,
    model::{Config, DEFAULT_POOL, Listener},
    node::{Node, Value},
    origin::{Origins, is_replaced},
    problem::{ConfigError, Problem, Problems, Refusal},
    secrets::Outside,
    settings::{ADD_A_BACKEND, Place, Settings},
};
use crate::listening::Listening;

/// Reads a configuration whose plan is for nobody else: marks of values that are not shown are made without a key.
/// `file` is its name for messages, `env` looks up environment variables.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(text: &str, file: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    let env = |name: &str| env(name).ok_or(VarError::NotPresent);
    let outside = Outside { env: &env, key: None };
    load_with_origins(text, file, &outside).map(|loaded| loaded.config)
}

/// A configuration with what else a file says.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is right and yet probably not meant.
    pub warnings: Vec<Problem>,
    /// Where its values come from.
    pub origins: Origins,
    /// Whether it has values that are shown as marks, to which a key belongs.
    pub marked: bool,
}

/// The same, with warnings and origins.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_with_origins(text: &str, file: &str, outside: &Outside<'_>) -> Result<Loaded, ConfigError> {
    let (mut problems, mut warnings) = (Problems::new(file), Problems::new(file));
    let loaded = document::parse(text, &mut problems).and_then(|mut root| {
        env::replace(&mut root, "", outside, &mut problems);
        let mut checker = Checker {
            problems: &mut problems,
            warnings: &mut warnings,
            key: outside.key,
            marked: Cell::new(false),
        };
        let config = checker.config(&root)?;
        let marked = checker.marked.get() || is_replaced(&root);
        Some((config, Origins::new(root), marked))
    });
    let (config, origins, marked) = problems.finish(loaded)?;
    warn_of_loops(&config, &origins, &mut warnings);
    Ok(Loaded {
        config,
        warnings: warnings.sorted(),
        origins,
        marked,
    })
}

/// Warns of backends that are the balancer's own listeners. What only the machine or a name server knows shows when a connection
/// is made.
fn warn_of_loops(config: &Config, origins: &Origins, warnings: &mut Problems) {
    let fixed = config.listeners.iter().filter(|listener| listener.port != 0);
    let all = |listener: &Listener| match listener.host {
        Some(host) => vec![SocketAddr::new(host, listener.port)],
        None => [Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()]
            .map(|host: IpAddr| SocketAddr::new(host, listener.port))
            .to_vec(),
    };
    let listening = Listening::new(fixed.flat_map(all).collect());
    for (name, pool) in &config.pools {
        for (index, backend) in pool.backends.iter().enumerate() {
            let url = &backend.url;
            let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            let addresses: Vec<SocketAddr> = match (url.literal_address(), url.host()) {
                (Some(address), _) => vec![address],
                (None, "localhost") => loopback
                    .map(|host: IpAddr| SocketAddr::new(host, url.port()))
                    .to_vec(),
                _ => Vec::new(),
            };
            if !addresses
                .iter()
                .any(|address| listening.is_reached(*address, || None))
            {
                continue;
            }
            let at_top = format!("backends[{index}]");
            let key = match &**name {
                DEFAULT_POOL if origins.position(&at_top).is_some() => at_top,
                name => format!("pools.{name}.{at_top}"),
            };
            let refusal = Refusal::new(
                "is this balancer's own listener: its requests would come back for ever, and are refused with 508",
            );
            let hint = refusal.hint("name the server behind it, or another port");
            warnings.add(origins.position(&key), &key, hint, Some(&url.to_string()));
        }
    }
}

const EXAMPLE: &str =
    "three keys are enough: `port: 8000`, `strategy: round-robin`, `backends: [\"http://localhost:9001\"]`";

impl Checker<'_> {
    /// `None`: nothing can be read of it.
    fn config(&mut self, root: &Node) -> Option<Config> {
        let entries = match &root.value {
            Value::Mapping(entries) => entries,
            Value::Broken => return None,
            other => {
                let (position, rule) = match other {
                    Value::Null => (None, "is empty".to_owned()),
                    other => (
                        root.position,
                        format!("must be a mapping of settings, not {}", other.noun()),
                    ),
                };
                self.problems
                    .add(position, "", Refusal::new(rule).hint(EXAMPLE), None);
                return None;
            }
        };
        let keys = Config::keys(Place::Top);
        let root = Fields::read(entries, ("", root.position), keys, self.problems);
        let mut config = Config::default();
        config.read(&root, self);
        self.problems.secrets.names.clone_from(&config.secret_names);
        self.warnings.secrets.names.clone_from(&config.secret_names);
        let (pools, written) = self.pools(&root);
        self.pools_out_of_service(&written, &pools);
        config.routes = self.routes(&root, &written, &pools);
        config.pools = pools;
        if !root.is_written("pools") && !root.is_written("backends") {
            if config.is_without_backends() {
                config.pools.clear();
            } else {
                root.require("backends", ADD_A_BACKEND, self.problems);
            }
        }
        Some(config)
    }
}
