//! Requests read by the letter of RFC 9112, written without a look at the product: whatever is not the one spelling that
//! every reader takes alike is a fault.

use super::peer::latin1;

/// A request that has one meaning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    pub method: String,
    pub target: String,
    /// Names as they came, values without the spaces around them.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

impl Request {
    /// Every value of a header, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter();
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }
}

/// What stands at the start of some bytes and how long it is, `None` while it is not complete, or what is wrong with it.
pub type Read<T> = Result<Option<(T, usize)>, String>;

/// Reads the request at the start of `bytes`.
pub fn read_request(bytes: &[u8]) -> Read<Request> {
    let Some((head, mut at)) = read_lines(bytes)? else {
        return Ok(None);
    };
    let (first, lines) = head.split_first().ok_or("an empty line before the request")?;
    let mut request = start_line(first)?;
    request.headers = fields(lines)?;
    let [_host] = request.all("host")[..] else {
        return Err(format!("not one Host: {:?}", request.all("host")));
    };
    let lengths = request.all("content-length");
    let codings = request.all("transfer-encoding");
    match (&lengths[..], &codings[..]) {
        ([], []) => {}
        ([length], []) => {
            if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(format!("Content-Length: {length}"));
            }
            let length: usize = length.parse().map_err(|_| format!("Content-Length: {length}"))?;
            let Some(body) = bytes.get(at..at.saturating_add(length)) else {
                return Ok(None);
            };
            request.body = body.to_vec();
            at += length;
        }
        ([], ["chunked"]) => match read_chunks(&bytes[at..], &mut request)? {
            Some(length) => at += length,
            None => return Ok(None),
        },
        _ => {
            return Err(format!(
                "Content-Length {lengths:?}, Transfer-Encoding {codings:?}"
            ));
        }
    }
    Ok(Some((request, at)))
}

/// Lines up to the empty one, and where they end.
fn read_lines(bytes: &[u8]) -> Read<Vec<&[u8]>> {
    let (mut lines, mut start) = (Vec::new(), 0);
    while let Some(line) = read_line(&bytes[start..])? {
        start += line.len() + 2;
        if line.is_empty() {
            return Ok(Some((lines, start)));
        }
        lines.push(line);
    }
    Ok(None)
}

/// A line without its CRLF. No other CR, LF or NUL may be in it.
fn read_line(bytes: &[u8]) -> Result<Option<&[u8]>, String> {
    for (at, byte) in bytes.iter().enumerate() {
        match (byte, bytes.get(at + 1)) {
            (b'\r', Some(b'\n')) => return Ok(Some(&bytes[..at])),
            (b'\r', None) => return Ok(None),
            (b'\r' | b'\n' | 0, _) => return Err(format!("byte {byte} in {:?}", latin1(bytes))),
            _ => {}
        }
    }
    Ok(None)
}

fn start_line(line: &[u8]) -> Result<Request, String> {
    let text = latin1(line);
    let wrong = || format!("request line {text:?}");
    let [method, target, "HTTP/1.1"] = text.split(' ').collect::<Vec<_>>()[..] else {
        return Err(wrong());
    };
    let visible = |byte: u8| (b'!'..=b'~').contains(&byte);
    let form = target.starts_with('/') || (target == "*" && method == "OPTIONS");
    if !is_token(method) || !form || !target.bytes().all(visible) || target.contains('#') {
        return Err(wrong());
    }
    Ok(Request {
        method: method.to_owned(),
        target: target.to_owned(),
        ..Request::default()
    })
}

fn fields(lines: &[&[u8]]) -> Result<Vec<(String, String)>, String> {
    let field = |line: &&[u8]| {
        let text = latin1(line);
        let (name, value) = text.split_once(':').ok_or(format!("no colon: {text:?}"))?;
        let value = value.trim_matches([' ', '\t']);
        let clean = value.chars().all(|c| c == '\t' || (c >= ' ' && c != '\x7f'));
        if !is_token(name) || !clean {
            return Err(format!("header line {text:?}"));
        }
        Ok((name.to_owned(), value.to_owned()))
    };
    lines.iter().map(field).collect()
}

/// The chunks of a body and its trailers: how many bytes they are.
fn read_chunks(bytes: &[u8], request: &mut Request) -> Result<Option<usize>, String> {
    let mut at = 0;
    loop {
        let Some(line) = read_line(&bytes[at..])? else {
            return Ok(None);
        };
        at += line.len() + 2;
        let text = latin1(line);
        let (size, extensions) = text.split_at(text.find([';', ' ', '\t']).unwrap_or(text.len()));
        if !size.bytes().all(|byte| byte.is_ascii_hexdigit()) || !are_extensions(extensions) {
            return Err(format!("chunk size {text:?}"));
        }
        let size = usize::from_str_radix(size, 16).map_err(|_| format!("chunk size {text:?}"))?;
        if size == 0 {
            break;
        }
        let Some(data) = bytes.get(at..at.saturating_add(size).saturating_add(2)) else {
            return Ok(None);
        };
        let (data, end) = data.split_at(size);
        if end != b"\r\n" {
            return Err(format!("chunk of {size} ends in {end:?}"));
        }
        request.body.extend_from_slice(data);
        at += size + 2;
    }
    let Some((lines, length)) = read_lines(&bytes[at..])? else {
        return Ok(None);
    };
    request.trailers = fields(&lines)?;
    Ok(Some(at + length))
}

/// `*( ";" name [ "=" value ] )`, a value a token or a quoted string (RFC 9112 section 7.1.1). The grammar's white space is
/// "bad": no sender may write it (RFC 9110 section 5.6.3).
fn are_extensions(mut text: &str) -> bool {
    let token = |text: &str| text.find(|c: char| !is_token(c.encode_utf8(&mut [0; 4])));
    while !text.is_empty() {
        let Some(rest) = text.strip_prefix(';') else {
            return false;
        };
        let (name, rest) = rest.split_at(token(rest).unwrap_or(rest.len()));
        if name.is_empty() {
            return false;
        }
        text = rest;
        if let Some(value) = rest.strip_prefix('=') {
            let length = match value.strip_prefix('"') {
                Some(quoted) => quoted_length(quoted),
                None => Some(token(value).unwrap_or(value.len())).filter(|length| *length > 0),
            };
            let Some(length) = length else { return false };
            text = &value[length..];
        }
    }
    true
}

/// How long a quoted string is, with its two quotes; `quoted` begins behind the first.
fn quoted_length(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 2),
            '\t' | ' '.. if c != '\x7f' => {}
            _ => return None,
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    let of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(of_token)
}
