//! Chunks of our own, for bodies that came without a length and must go on with an end (RFC 9112 section 7.1).

/// What follows the data of each chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// The last chunk and an empty trailer section.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Writes the size line of a chunk of `length` bytes. `length` must not be 0, which would end the body; nothing is written
/// then.
pub fn write_chunk_head(length: usize, out: &mut Vec<u8>) {
    if length == 0 {
        return;
    }
    let digits = (usize::BITS - length.leading_zeros()).div_ceil(4);
    for at in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(length >> (at * 4)) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes `data` as one chunk; nothing where it is empty.
pub fn write_chunk(data: &[u8], out: &mut Vec<u8>) {
    if data.is_empty() {
        return;
    }
    write_chunk_head(data.len(), out);
    out.extend_from_slice(data);
    out.extend_from_slice(CHUNK_END);
}
