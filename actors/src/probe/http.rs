//! One HTTP request as a probe, and its answer read as strictly as the data plane reads any: a backend whose answers are
//! no usable HTTP is not alive, however well it means.
//!
//! Everything is bounded: the head, the interim answers before it, the part of the body that is looked at; the whole by
//! the probe's timeout, which is the caller's business. The connection is closed when enough has been seen.

use std::fmt::Write;

use lb_core::config::{BackendUrl, CheckMethod, HealthCheck};
use lb_wire::{Asked, BodyTracker, Limits, Lines, Method, Parsed, ResponseHead, parse_response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{ProbeError, USER_AGENT};

/// As answers to requests have it.
const LIMITS: Limits = Limits {
    head_bytes: 64 * 1024,
    header_count: 200,
    target_bytes: 0,
};

/// A backend that sends more interim answers than this to one request is defective.
const MOST_INTERIM: usize = 100;

/// More of a reason phrase is not worth a line in the log.
const SHOWN_REASON: usize = 40;

/// Asks, and judges the response; says in a few words what it was.
///
/// # Errors
/// When there is none that could be judged, or it is not that of a backend that is well.
pub(super) async fn exchange<S>(
    stream: &mut S,
    url: &BackendUrl,
    check: &HealthCheck,
) -> Result<String, ProbeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(request(url, check).as_bytes()).await?;
    let mut answer = Answer {
        stream,
        bytes: Vec::new(),
    };
    let method = match check.method {
        CheckMethod::Get => Method::Get,
        CheckMethod::Head => Method::Head,
        CheckMethod::Options => Method::Options,
        CheckMethod::Post => Method::Post,
    };
    let (head, said) = answer.head(method).await?;
    if !check.status.contains(head.status) {
        return Err(ProbeError::Unwell(said));
    }
    let Some(wanted) = &check.body else {
        return Ok(said);
    };
    let largest = usize::try_from(check.max_body.bytes()).unwrap_or(usize::MAX);
    let body = answer.body(&head, largest).await?;
    if wanted.is_in(&body) {
        return Ok(said);
    }
    let of = match body.len() == largest {
        true => "the beginning of ",
        false => "",
    };
    Err(ProbeError::Unwell(format!(
        "{said}, but {of}its body has no {wanted}"
    )))
}

fn request(url: &BackendUrl, check: &HealthCheck) -> String {
    let host = match &check.host {
        Some(host) => host.to_string(),
        None => host_header(url, check.port),
    };
    let mut text = format!(
        "{} {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n",
        check.method, &*check.path
    );
    let named = |name: &str| {
        check
            .headers
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(name))
    };
    // Writing to a String cannot fail.
    if !named("user-agent") {
        let _ = write!(text, "User-Agent: {USER_AGENT}\r\n");
    }
    if check.method == CheckMethod::Post {
        text.push_str("Content-Length: 0\r\n");
    }
    for (name, value) in check.headers.iter() {
        let _ = write!(text, "{name}: {}\r\n", &**value);
    }
    text.push_str("\r\n");
    text
}

/// The port is left out where the scheme implies it.
fn host_header(url: &BackendUrl, port: Option<u16>) -> String {
    let authority = url.authority();
    let host = authority
        .rsplit_once(':')
        .map_or(authority.as_str(), |(host, _)| host);
    match port.unwrap_or(url.port()) {
        80 => host.to_owned(),
        port => format!("{host}:{port}"),
    }
}

/// An answer as it arrives.
struct Answer<'s, S> {
    stream: &'s mut S,
    /// What has come and is not used.
    bytes: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Answer<'_, S> {
    /// `false` at the end.
    async fn more(&mut self) -> Result<bool, ProbeError> {
        Ok(self.stream.read_buf(&mut self.bytes).await? > 0)
    }

    /// The final head, and what it says: `200 OK`.
    async fn head(&mut self, method: Method) -> Result<(ResponseHead, String), ProbeError> {
        let mut lines = Lines::new();
        let asked = Asked { method, offers: b"" };
        let mut interim = 0;
        loop {
            let parsed = parse_response(&self.bytes, &mut lines, &LIMITS, asked)?;
            let Parsed::Complete(head) = parsed else {
                if self.more().await? {
                    continue;
                }
                let begun = !self.bytes.is_empty();
                return Err(ProbeError::Closed { begun });
            };
            let said = said(head.status, head.view(&self.bytes, &lines).reason());
            self.bytes.drain(..head.len);
            if !head.is_interim() {
                return Ok((head, said));
            }
            interim += 1;
            if interim > MOST_INTERIM {
                return Err(ProbeError::ManyInterim);
            }
        }
    }

    /// The body, or as much of it as is looked at.
    async fn body(&mut self, head: &ResponseHead, largest: usize) -> Result<Vec<u8>, ProbeError> {
        let mut tracker = BodyTracker::of_answer(head.framing);
        let mut body = Vec::new();
        while !tracker.is_done() && body.len() < largest {
            let mut used = 0;
            while used < self.bytes.len() && !tracker.is_done() && body.len() < largest {
                let rest = &self.bytes[used..];
                let piece = tracker.step(rest)?;
                body.extend_from_slice(&rest[piece.data]);
                used += piece.consumed;
            }
            self.bytes.clear();
            if !tracker.is_done() && body.len() < largest && !self.more().await? {
                tracker.on_eof()?;
                break;
            }
        }
        body.truncate(largest);
        Ok(body)
    }
}

/// Status and reason, as far as it is fit to be shown.
fn said(status: u16, reason: &[u8]) -> String {
    let fit = reason.len() <= SHOWN_REASON && reason.iter().all(|byte| matches!(byte, b' '..=b'~'));
    match std::str::from_utf8(reason) {
        Ok(reason) if fit && !reason.is_empty() => format!("{status} {reason}"),
        _ => status.to_string(),
    }
}

#[cfg(test)]
mod tests;
