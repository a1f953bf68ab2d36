//! What the strategy `hash` tells a request by, read from its head.

use std::net::IpAddr;

use actix_web::HttpRequest;
use ipnet::IpNet;
use lb_core::config::StrategyConfig;

use crate::proxy::{KeyParts, hash_key};

/// The request's key; `None` if it has none, or the strategy wants none.
pub(super) fn of(
    request: &HttpRequest,
    strategy: &StrategyConfig,
    (peer, trusted_proxies): (IpAddr, &[IpNet]),
) -> Option<u64> {
    let target = request.uri();
    let parts = KeyParts {
        peer,
        trusted_proxies,
        path: target.path().as_bytes(),
        query: target.query().map(str::as_bytes),
        header: &|name, each| {
            let values = request.headers().get_all(name);
            values.for_each(|value| each(value.as_bytes()));
        },
    };
    hash_key(strategy.hash_key()?, &parts)
}
