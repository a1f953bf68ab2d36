//! Which path asks for what.

use std::time::Duration;

use crate::behaviour::parse_duration;

/// Bytes of a body that `/echo` shows: it must hold all of it.
pub(crate) const LARGEST_ECHO: u64 = 1024 * 1024;

/// Bytes that `/bytes` and `/drip` send at most: past the 32 bits in which a proxy's counter could overflow.
const LARGEST_BODY: u64 = 10 * 1024 * 1024 * 1024;

/// A path with its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Hello,
    Health,
    Echo,
    Bytes(u64),
    Drip {
        bytes: u64,
        over: Duration,
    },
    Count,
    Headers,
    Status(u16),
    Redirect,
    GzipClaim,
    /// Status and text of the refusal.
    Refused(u16, &'static str),
}

impl Route {
    pub(crate) fn of(method: &str, target: &str) -> Self {
        if method == "CONNECT" {
            return Self::Refused(405, "this is no proxy");
        }
        // A target may be a whole URL: RFC 9112, section 3.2.2.
        let target = match target.split_once("://") {
            Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').map_or("/", |path| &rest[path..]),
            _ => target,
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        match path {
            "/health" => Self::Health,
            "/echo" => Self::Echo,
            "/count" => Self::Count,
            "/headers" => Self::Headers,
            "/redirect" => Self::Redirect,
            "/gzip-claim" => Self::GzipClaim,
            "/drip" => drip(query).unwrap_or(Self::Refused(
                400,
                "legal is /drip?bytes=N&for=3s, 10 GiB and 1h at most",
            )),
            _ => {
                if let Some(number) = path.strip_prefix("/bytes/") {
                    let number = number.parse().ok().filter(|number| *number <= LARGEST_BODY);
                    number.map_or(
                        Self::Refused(400, "legal is /bytes/N, 10 GiB at most"),
                        Self::Bytes,
                    )
                } else if let Some(status) = path.strip_prefix("/status/") {
                    let status = status.parse().ok().filter(|status| (200..600).contains(status));
                    status.map_or(
                        Self::Refused(400, "legal is /status/200 to /status/599"),
                        Self::Status,
                    )
                } else {
                    Self::Hello
                }
            }
        }
    }

    pub(crate) fn is_health(self) -> bool {
        self == Self::Health
    }

    /// Whether the answer shows the head of the request.
    pub(crate) fn shows_request(self) -> bool {
        self == Self::Echo
    }

    /// How much of the body has to be kept, at most.
    pub(crate) fn keeps_body(self) -> Option<u64> {
        (self == Self::Echo).then_some(LARGEST_ECHO)
    }
}

fn drip(query: &str) -> Option<Route> {
    let (mut bytes, mut over) = (10, Duration::from_secs(1));
    for argument in query.split('&').filter(|argument| !argument.is_empty()) {
        match argument.split_once('=')? {
            ("bytes", number) => bytes = number.parse().ok().filter(|number| *number <= LARGEST_BODY)?,
            ("for", duration) => over = parse_duration(duration).ok()?,
            _ => return None,
        }
    }
    Some(Route::Drip { bytes, over })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_routes() {
        let get = |target| Route::of("GET", target);
        assert_eq!(get("/"), Route::Hello);
        assert_eq!(get("/anything?/health"), Route::Hello);
        assert_eq!(get("*"), Route::Hello);
        assert_eq!(get("/health"), Route::Health);
        assert_eq!(get("http://a:1/health?x"), Route::Health);
        assert_eq!(get("http://a"), Route::Hello);
        assert_eq!(get("/bytes/10737418240"), Route::Bytes(LARGEST_BODY));
        assert_eq!(get("/status/599"), Route::Status(599));
        assert_eq!(
            get("/drip?bytes=7&for=2s"),
            Route::Drip {
                bytes: 7,
                over: Duration::from_secs(2)
            }
        );
        assert_eq!(
            get("/drip"),
            Route::Drip {
                bytes: 10,
                over: Duration::from_secs(1)
            }
        );
        for target in [
            "/bytes/",
            "/bytes/10737418241",
            "/status/100",
            "/status/x",
            "/drip?bytes",
            "/drip?for=2h",
        ] {
            assert!(matches!(get(target), Route::Refused(400, _)), "{target}");
        }
        assert!(matches!(Route::of("CONNECT", "a:1"), Route::Refused(405, _)));
    }
}
