//! How much of a head is accepted.

/// Upper bounds of one head. A head beyond them is refused as soon as that is known, however it was split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a whole head: start line, header lines, empty line, and empty lines before it. Default 32 KiB.
    pub head_bytes: u32,
    /// Header lines of a head. Default 100, as nginx and Apache have it.
    pub header_count: u16,
    /// Bytes of a request target. Default 16 KiB: RFC 9112 section 3 asks for 8000 at least.
    pub target_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 32 * 1024,
            header_count: 100,
            target_bytes: 16 * 1024,
        }
    }
}
