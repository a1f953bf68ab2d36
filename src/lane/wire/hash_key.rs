//! What the strategy `hash` tells a request by, read from its head.

use lb_core::config::{Config, StrategyConfig};
use lb_wire::RequestHead;

use super::{Transport, client::Client};
use crate::proxy::{KeyParts, hash_key};

/// The request's key; `None` if it has none, or the strategy wants none.
pub(super) fn of<S: Transport>(
    client: &Client<S>,
    head: &RequestHead,
    (strategy, config): (&StrategyConfig, &Config),
) -> Option<u64> {
    let source = strategy.hash_key()?;
    let lines = client.worker.lines();
    let view = head.view(client.unused(), &lines);
    let parts = KeyParts {
        peer: client.peer.ip(),
        trusted_proxies: &config.trusted_proxies,
        path: view.path(),
        query: view.query(),
        header: &|name, each| view.header(name).for_each(each),
    };
    hash_key(source, &parts)
}
