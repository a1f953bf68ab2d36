//! Tables by host: exact ones, wildcards by their suffix, and that of any host.

use std::{collections::HashMap, io::Write, net::Ipv6Addr};

use crate::config::HostPattern;

/// The longest host that is looked up; the configuration has none that is longer (RFC 1035 section 2.3.4).
const LONGEST: usize = 255;

/// One table a host.
#[derive(Debug, Default)]
pub(super) struct Hosts<T> {
    exact: HashMap<Box<[u8]>, T>,
    /// By the suffix with its leading dot.
    wildcards: HashMap<Box<[u8]>, T>,
    any: T,
}

impl<T: Default> Hosts<T> {
    /// The table for a pattern.
    pub(super) fn table(&mut self, pattern: &HostPattern) -> &mut T {
        match pattern {
            HostPattern::Any => &mut self.any,
            HostPattern::Exact(host) => self.exact.entry(host.as_bytes().into()).or_default(),
            HostPattern::Wildcard(suffix) => self.wildcards.entry(suffix.as_bytes().into()).or_default(),
        }
    }

    /// All tables.
    pub(super) fn tables(&mut self) -> impl Iterator<Item = &mut T> {
        let named = self.exact.values_mut().chain(self.wildcards.values_mut());
        named.chain(std::iter::once(&mut self.any))
    }

    /// What `look` finds first: in the table of the host, in those of its wildcards from the longest, in that of any.
    pub(super) fn find<F>(&self, host: &[u8], look: impl Fn(&T) -> Option<F>) -> Option<F> {
        let mut buffer = [0; LONGEST + 1];
        if !(self.exact.is_empty() && self.wildcards.is_empty())
            && let Some(host) = normalised(host, &mut buffer)
        {
            if let Some(found) = self.exact.get(host).and_then(&look) {
                return Some(found);
            }
            if !self.wildcards.is_empty() {
                // A label at least stands before the dot.
                let dots = (1..host.len()).filter(|&at| host[at] == b'.');
                let tables = dots.filter_map(|at| self.wildcards.get(&host[at..]));
                if let Some(found) = tables.filter_map(&look).next() {
                    return Some(found);
                }
            }
        }
        look(&self.any)
    }
}

/// A host as the configuration has it: in lower case, without a dot at its end, an IPv6 address in its usual form.
/// `None` for what no configuration can name.
fn normalised<'b>(host: &[u8], buffer: &'b mut [u8; LONGEST + 1]) -> Option<&'b [u8]> {
    if host.first() == Some(&b'[') {
        let address: Ipv6Addr = std::str::from_utf8(host)
            .ok()?
            .strip_prefix('[')?
            .strip_suffix(']')?
            .parse()
            .ok()?;
        let mut rest = &mut buffer[..];
        write!(rest, "[{address}]").ok()?;
        let length = LONGEST + 1 - rest.len();
        return Some(&buffer[..length]);
    }
    let host = host.strip_suffix(b".").unwrap_or(host);
    if host.is_empty() || host.len() > LONGEST {
        return None;
    }
    let buffer = &mut buffer[..host.len()];
    buffer.copy_from_slice(host);
    buffer.make_ascii_lowercase();
    Some(buffer)
}
