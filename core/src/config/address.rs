//! Addresses as people write them: backends' URLs, listeners' ports, and networks.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::{IpNet, Ipv4Net};

use super::{
    model::{BackendUrl, Listener, Scheme},
    problem::Refusal,
};

/// The longest host name (RFC 1035, section 2.3.4, without the length bytes).
const MAX_HOST: usize = 253;
/// The longest label of a host name, from the same section.
const MAX_LABEL: usize = 63;

impl FromStr for BackendUrl {
    type Err = Refusal;

    /// Reads `http://host`, `http://host:port`, the same with `/` at the end; the host a name, an IPv4 address, or an
    /// IPv6 address in brackets. Refuses what would be silently ignored: user names, paths, queries, fragments.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let Some((scheme, rest)) = text.split_once("://") else {
            let refusal = Refusal::new("must be a URL such as http://localhost:9001");
            let likely = format!("http://{text}");
            return Err(refusal.did_you_mean(likely.parse::<Self>().is_ok().then_some(likely)));
        };
        if scheme.eq_ignore_ascii_case("https") {
            return Err(
                Refusal::new("must begin with http://: TLS to backends is not there yet").hint("use http://"),
            );
        }
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(Refusal::new("must begin with http://, the only scheme there is"));
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(Refusal::new("must not hold a user name or password").hint("they would not be sent"));
        }
        let (host, port) = authority_parts(authority, "http://localhost:9001")?;
        let url = Self::from_parts(Scheme::Http, &host, port);
        if path.contains(['?', '#']) {
            return Err(Refusal::new("must not hold a query or fragment").did_you_mean(Some(url)));
        }
        if !matches!(path, "" | "/") {
            return Err(
                Refusal::new("must not hold a path: the request's own is sent").did_you_mean(Some(url))
            );
        }
        Ok(url)
    }
}

/// Host (IPv6 without brackets, addresses in their usual form) and port, 80 if none is written. `example` is what to write
/// where there is no host.
pub(super) fn authority_parts(authority: &str, example: &str) -> Result<(String, u16), Refusal> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest
            .split_once(']')
            .ok_or_else(|| Refusal::new("has a `[` without its `]`"))?;
        let host = host
            .parse::<Ipv6Addr>()
            .map_err(|_| Refusal::new("must hold an IPv6 address between [ and ]"))?;
        (host.to_string(), port)
    } else {
        let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        if authority.parse::<Ipv6Addr>().is_ok() {
            // What follows the last colon is most likely a port.
            let with_port = authority.rsplit_once(':').filter(|(host, port)| {
                host.parse::<Ipv6Addr>().is_ok() && port_number(port).is_some_and(|port| port > 0)
            });
            let meant = with_port.map_or_else(
                || format!("http://[{authority}]"),
                |(host, port)| format!("http://[{host}]:{port}"),
            );
            return Err(Refusal::new("must hold an IPv6 address in brackets").did_you_mean(Some(meant)));
        }
        (checked_host(host, example)?, port)
    };
    let refused = || Refusal::new("must have a port from 1 to 65535");
    match port.strip_prefix(':') {
        Some(digits) => Ok((
            host,
            port_number(digits).filter(|port| *port > 0).ok_or_else(refused)?,
        )),
        None if port.is_empty() => Ok((host, 80)),
        None => Err(refused().hint("after the `]`, write `:` and the port")),
    }
}

/// A name of letters, digits, `-` and `_` between dots, or an IPv4 address. `example` is what to write where there is none.
pub(super) fn checked_host(host: &str, example: &str) -> Result<String, Refusal> {
    if host.is_empty() {
        return Err(Refusal::new(format!("must name a host, such as {example}")));
    }
    if !host.is_ascii() {
        return Err(Refusal::new("must name a host in ASCII letters").hint("write its xn--… form"));
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !host.bytes().all(legal) {
        return Err(Refusal::new(
            "must name a host of letters, digits, `-`, `_` and `.`",
        ));
    }
    if host.len() > MAX_HOST {
        return Err(Refusal::new(format!(
            "must name a host of at most {MAX_HOST} characters"
        )));
    }
    // A dot at the end marks a name as complete, so that no search domain is tried.
    let name = host.strip_suffix('.').unwrap_or(host);
    let legal = |label: &str| {
        !label.is_empty() && label.len() <= MAX_LABEL && !label.starts_with('-') && !label.ends_with('-')
    };
    if !name.split('.').all(legal) {
        return Err(Refusal::new(format!(
            "must name a host whose parts between dots have 1 to {MAX_LABEL} characters and no `-` at their ends"
        )));
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) && host.parse::<Ipv4Addr>().is_err() {
        return Err(Refusal::new(
            "must hold a valid IPv4 address, or a name that does not end in a number",
        ));
    }
    Ok(host.to_ascii_lowercase())
}

/// Reads `8000`, `:8000`, `127.0.0.1:8000`, `[::1]:8000`.
pub(super) fn parse_listener(text: &str) -> Result<Listener, Refusal> {
    let refused = || {
        Refusal::new(
            "must be a port such as 8000, or an address with port such as 127.0.0.1:8000 or [::1]:8000",
        )
    };
    let number =
        |digits: &str| port_number(digits).ok_or_else(|| Refusal::new("must have a port from 0 to 65535"));
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Listener {
            host: None,
            port: number(text)?,
        });
    }
    let Some((host, digits)) = text.rsplit_once(':') else {
        let address = text.parse::<IpAddr>().is_ok();
        return Err(refused().did_you_mean(address.then(|| format!("{text}:8000"))));
    };
    let host: IpAddr = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
        None if host.is_empty() => {
            return Ok(Listener {
                host: None,
                port: number(digits)?,
            });
        }
        None => match host.parse::<Ipv4Addr>() {
            Ok(host) => host.into(),
            Err(_) if host == "*" => return Err(refused().did_you_mean(Some(format!(":{digits}")))),
            Err(_) if host == "localhost" => {
                return Err(refused().did_you_mean(Some(format!("127.0.0.1:{digits}"))));
            }
            Err(_) if host.parse::<Ipv6Addr>().is_ok() => {
                return Err(refused().did_you_mean(Some(format!("[{host}]:{digits}"))));
            }
            Err(_) => return Err(refused()),
        },
        Some(host) => host
            .and_then(|host| host.parse::<Ipv6Addr>().ok())
            .ok_or_else(refused)?
            .into(),
    };
    Ok(Listener {
        host: Some(host),
        port: number(digits)?,
    })
}

/// Only digits, no zeros before them.
fn port_number(digits: &str) -> Option<u16> {
    let plain = digits == "0" || !digits.starts_with(['0', '+']);
    digits.parse().ok().filter(|_| plain)
}

/// Prefix of the IPv6 addresses that stand for those of IPv4 (RFC 4291 section 2.5.5.2): `::ffff:0:0/96`.
const MAPPED_PREFIX: u8 = 96;

/// Reads `10.0.0.0/8`, `2001:db8::/32`, or one address. Clients are known by their IPv4 address wherever they have one, so
/// `::ffff:10.0.0.0/104` becomes what it stands for; as it is written it would hold nobody.
pub(super) fn parse_network(text: &str) -> Result<IpNet, Refusal> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    let network: IpNet = text
        .parse()
        .map_err(|_| Refusal::new("must be a network such as 10.0.0.0/8, or an IP address"))?;
    let network = unmapped(network)?;
    if network.trunc() != network {
        return Err(
            Refusal::new("must be a network whose address has no bits beyond its prefix")
                .did_you_mean(Some(network.trunc())),
        );
    }
    Ok(network)
}

/// The network of IPv4 that one of mapped addresses stands for; others as they are.
fn unmapped(network: IpNet) -> Result<IpNet, Refusal> {
    let IpNet::V6(v6) = network else {
        return Ok(network);
    };
    let Some(v4) = v6.addr().to_ipv4_mapped() else {
        return Ok(network);
    };
    let of_v4 = |prefix| Ipv4Net::new(v4, prefix).ok().map(IpNet::from);
    let mapped = v6.prefix_len().checked_sub(MAPPED_PREFIX).and_then(of_v4);
    mapped.ok_or_else(|| {
        let refusal = Refusal::new(format!(
            "must have a prefix from {MAPPED_PREFIX} to 128 with an IPv4 address in IPv6 form"
        ));
        refusal.did_you_mean(of_v4(v6.prefix_len()).map(|network| network.trunc()))
    })
}

/// Whether the system could not open both: one port, and addresses that overlap.
pub(super) fn clash(a: Listener, b: Listener) -> bool {
    if a.port != b.port || a.port == 0 {
        return false;
    }
    match (a.host, b.host) {
        (Some(a), Some(b)) if a == b => true,
        // `0.0.0.0` leaves the addresses of IPv6 free; `::` usually takes those of IPv4 as well.
        (Some(IpAddr::V4(v4)), Some(IpAddr::V6(v6))) | (Some(IpAddr::V6(v6)), Some(IpAddr::V4(v4))) => {
            v6.is_unspecified() || v4.is_unspecified() && v6.to_ipv4_mapped().is_some()
        }
        (a, b) => a.is_none_or(|host| host.is_unspecified()) || b.is_none_or(|host| host.is_unspecified()),
    }
}

#[cfg(test)]
mod tests;
