//! `resolver`: how names of backends become addresses.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    Place, Setting, Settings,
    field::{Leaf, lens},
    forms::{OneOrMore, Span, Words},
    shape::Kind,
};
use crate::config::{
    model::{NameSource, ResolverConfig},
    problem::Refusal,
};

/// The port of DNS (RFC 1035 section 4.2).
const DNS_PORT: u16 = 53;
/// Less fails on a busy network.
const LEAST_TIMEOUT: Duration = Duration::from_millis(100);

impl Settings for ResolverConfig {
    const EXAMPLE: &'static str = "resolver: {nameservers: [\"10.0.0.53\"]}";
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "source",
            &Leaf(
                lens!(ResolverConfig, source),
                &Words(
                    "the name of a source",
                    &[("dns", NameSource::Dns), ("system", NameSource::System)],
                ),
            ),
            "Who is asked: `dns`, which is the hosts file and then DNS servers, with the search domains and `ndots` of \
             /etc/resolv.conf, or `system`, the C library with every source of /etc/nsswitch.conf, such as LDAP or mDNS.",
        )
        .danger("`system` occupies a thread for each look-up, of which there are eight: names for which it hangs hold up other names.")
        .see(&["docs/health.md"])
        .at(&[Place::Top]),
        Setting::new(
            "nameservers",
            &Leaf(lens!(ResolverConfig, nameservers), &SERVERS),
            "DNS servers to ask in place of those of /etc/resolv.conf, as addresses with or without a port (53).",
        )
        .default_is("those of /etc/resolv.conf")
        .example("nameservers: [\"10.0.0.53\", \"127.0.0.1:5353\", \"[2001:db8::53]:53\"]")
        .at(&[Place::Top]),
        Setting::new(
            "timeout",
            &Leaf(lens!(ResolverConfig, timeout), &Span(LEAST_TIMEOUT)),
            "How long the look-up of one name may take, all servers and search domains together.",
        )
        .danger("A name that hangs holds one of few places for so long; a probe waits for it at most for its own timeout.")
        .see(&["health_check.timeout"])
        .at(&[Place::Top]),
    ];
}

/// Addresses of DNS servers, one or a list.
const SERVERS: OneOrMore<SocketAddr> = OneOrMore {
    expects: "the address of a DNS server, or a list of them",
    kind: || {
        Kind::Text(
            "an IP address, with or without a port",
            "^([0-9]{1,3}(\\.[0-9]{1,3}){3}(:[1-9][0-9]{0,4})?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*|\\[[0-9A-Fa-f:.]+\\](:[1-9][0-9]{0,4})?)$",
        )
    },
    parse: |server| server_address(server.text()),
};

fn server_address(text: &str) -> Result<SocketAddr, Refusal> {
    let refused = || {
        Refusal::new("must be an IP address, with or without a port")
            .hint("a name would have to be looked up itself")
    };
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, DNS_PORT));
    }
    let address: SocketAddr = text.parse().map_err(|_| refused())?;
    match address.port() {
        0 => Err(Refusal::new("must have a port from 1 to 65535")),
        _ => Ok(address),
    }
}
