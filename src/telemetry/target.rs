//! What a request asked for, as it is kept for its record.

use lb_wire::RequestView;

use super::record::Needs;

/// Bytes that are kept of a method, a host, a query or a value of a header field. A longer one says little more, and a head may have a
/// million bytes, of which a line of a log holds up to six times as many.
pub const LONGEST: usize = 8 * 1024;

/// What a request asked for: its parts, in one piece of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    text: Box<[u8]>,
    method: usize,
    authority: usize,
    path: usize,
    has_query: bool,
}

impl Target {
    /// Of a head.
    pub fn new(view: &RequestView<'_>, needs: &Needs) -> Self {
        let query = view.query().filter(|_| needs.query);
        let (method, authority, path) = (
            kept(view.method()),
            kept(view.host().unwrap_or_default()),
            kept(view.path()),
        );
        let text = [method, authority, path, kept(query.unwrap_or_default())].concat();
        Self {
            text: text.into(),
            method: method.len(),
            authority: method.len() + authority.len(),
            path: method.len() + authority.len() + path.len(),
            has_query: query.is_some(),
        }
    }

    /// Its method.
    pub fn method(&self) -> &[u8] {
        &self.text[..self.method]
    }

    /// The host that it names, with its port; empty where it names none.
    pub fn authority(&self) -> &[u8] {
        &self.text[self.method..self.authority]
    }

    /// The same without its port.
    pub fn host(&self) -> &[u8] {
        let authority = self.authority();
        let port = memchr::memrchr(b':', authority);
        let ends = port.filter(|at| authority[at + 1..].iter().all(u8::is_ascii_digit));
        &authority[..ends.unwrap_or(authority.len())]
    }

    /// Its path, without the query.
    pub fn path(&self) -> &[u8] {
        &self.text[self.authority..self.path]
    }

    /// Its query, if a sink needs it.
    pub fn query(&self) -> Option<&[u8]> {
        self.has_query.then(|| &self.text[self.path..])
    }
}

/// As much as is kept of something.
pub(crate) fn kept(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(LONGEST)]
}
