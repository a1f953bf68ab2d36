//! A second reader of HTTP/1.1 heads, for comparison: slow, allocating, written from the grammar of RFC 9112 and sharing no
//! code with the crate. It takes only what has one meaning, and takes no list, no folding and no repair.

/// A head as the naive reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The three parts of the start line; the last may have spaces.
    pub(crate) start: [Vec<u8>; 3],
    /// Names in lower case, and trimmed values.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// Bytes up to the body.
    pub(crate) len: usize,
}

/// Where its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// No framing header.
    Unsaid,
    /// One Content-Length.
    Length(u64),
    /// One `Transfer-Encoding: chunked`.
    Chunked,
}

/// Reads a head; `None` where anything is odd or missing.
pub(crate) fn read(bytes: &[u8]) -> Option<Head> {
    let len = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = &bytes[..len - 4];
    if text.contains(&0) {
        return None;
    }
    let mut lines = split(text, b"\r\n").into_iter();
    let start: Vec<Vec<u8>> = lines
        .next()?
        .splitn(3, |byte| *byte == b' ')
        .map(<[u8]>::to_vec)
        .collect();
    let start = <[Vec<u8>; 3]>::try_from(start).ok()?;
    if start[0].is_empty()
        || start[1].is_empty()
        || start
            .iter()
            .any(|part| part.contains(&b'\n') || part.contains(&b'\r'))
    {
        return None;
    }
    let mut headers = Vec::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = String::from_utf8(line[..colon].to_vec()).ok()?;
        let is_token = |letter: char| letter.is_ascii_graphic() && !"\"(),/:;<=>?@[\\]{}".contains(letter);
        if name.is_empty() || !name.chars().all(is_token) {
            return None;
        }
        let value = line[colon + 1..].to_vec();
        if value
            .iter()
            .any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f)
        {
            return None;
        }
        headers.push((name.to_ascii_lowercase(), trim(&value)));
    }
    Some(Head { start, headers, len })
}

impl Head {
    /// The values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&[u8]> {
        self.headers
            .iter()
            .filter(|(other, _)| other == name)
            .map(|(_, value)| &value[..])
            .collect()
    }

    /// The one framing, or `None` where there are two or an odd one.
    pub(crate) fn end(&self) -> Option<End> {
        match (
            &self.all("content-length")[..],
            &self.all("transfer-encoding")[..],
        ) {
            ([], []) => Some(End::Unsaid),
            ([length], []) if !length.is_empty() && length.iter().all(u8::is_ascii_digit) => {
                Some(End::Length(std::str::from_utf8(length).ok()?.parse().ok()?))
            }
            ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => Some(End::Chunked),
            _ => None,
        }
    }
}

fn split<'a>(mut bytes: &'a [u8], by: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = bytes.windows(by.len()).position(|part| part == by) {
        parts.push(&bytes[..at]);
        bytes = &bytes[at + by.len()..];
    }
    parts.push(bytes);
    parts
}

fn trim(value: &[u8]) -> Vec<u8> {
    let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let start = value.iter().position(|byte| !blank(byte)).unwrap_or(value.len());
    let end = value
        .iter()
        .rposition(|byte| !blank(byte))
        .map_or(start, |at| at + 1);
    value[start..end].to_vec()
}
