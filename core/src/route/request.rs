//! What a route is asked about: a request's head, as any lane has it.

use std::net::IpAddr;

/// The head of a request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The host asked for, as written, without port; an absolute target's wins over `Host`. Empty where none is named.
    pub host: &'a [u8],
    /// The method; case counts.
    pub method: &'a [u8],
    /// The raw path: `*` of OPTIONS, else it begins with `/`.
    pub path: &'a [u8],
    /// The raw query behind `?`; empty without one.
    pub query: &'a [u8],
    /// Its header lines.
    pub headers: &'a dyn Headers,
    /// Who sent it, as `trusted_proxies` determine.
    pub client: IpAddr,
}

/// The header lines of a request.
pub trait Headers {
    /// Whether a line of this name, whatever its case, has a value that passes.
    fn any(&self, name: &str, passes: &mut dyn FnMut(&[u8]) -> bool) -> bool;
}

/// A request without header lines.
#[derive(Debug, Clone, Copy)]
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn any(&self, _: &str, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }
}

impl Headers for [(&str, &str)] {
    fn any(&self, name: &str, passes: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .any(|(_, value)| passes(value.as_bytes()))
    }
}

impl Headers for Vec<(&str, &str)> {
    fn any(&self, name: &str, passes: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.as_slice().any(name, passes)
    }
}
