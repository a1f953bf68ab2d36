//! Who may pass: the first thing that happens to a request.
//!
//! On the control socket whoever can connect may do everything: the runtime folder's mode decides that. On the admin listener
//! a request must
//!
//! 1. be meant for this listener: its host is an address, `localhost` or one of `admin.hosts`. Else a web page could reach it
//!    under a name of its own that leads to this machine (DNS rebinding);
//! 2. come from no other web page: its `Origin`, where there is one, is this listener's;
//! 3. bear its token in `Authorization`, not in the URL, which logs and histories keep;
//! 4. have a token whose role allows its method. Without any token in the configuration, whoever reaches the listener, which is
//!    a loopback address then, may look.

use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{AUTHORIZATION, HOST, HeaderName, ORIGIN},
    },
    middleware::Next,
    web,
};
use lb_core::{
    config::{AdminConfig, AdminRole, MetricsAccess},
    token::TokenDigest,
};
use log::warn;

use super::{
    AdminState,
    caller::{Caller, Peer},
    problem::Problem,
};

/// Parameters by which others take tokens.
const TOKEN_PARAMETERS: [&str; 6] = [
    "token",
    "access_token",
    "auth_token",
    "api_key",
    "apikey",
    "authorization",
];

/// Open to everybody who reaches the listener: they tell no more than that there is an instance, and whether it serves.
const OPEN_PATHS: [&str; 2] = ["/healthz", "/readyz"];

const METRICS: &str = "/metrics";

/// Lets everybody pass whom the control socket let in.
pub(crate) async fn of_socket(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let uid = request.conn_data::<Peer>().and_then(|peer| peer.uid);
    request.extensions_mut().insert(Caller::User(uid));
    next.call(request).await.map(ServiceResponse::map_into_boxed_body)
}

/// Lets those pass who may.
pub(super) async fn of_listener(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match admit(&request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.call(request).await.map(ServiceResponse::map_into_boxed_body)
        }
        Err(problem) => Ok(request.into_response(problem.response())),
    }
}

/// What a decision is made from.
#[derive(Debug, Clone, Copy)]
struct Asked<'r> {
    method: &'r Method,
    path: &'r str,
    query: &'r str,
    /// Of the request target, where it is a whole URL.
    target: Option<&'r str>,
    host: Field<'r>,
    origin: Field<'r>,
    authorization: Field<'r>,
}

/// The lines of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field<'r> {
    None,
    One(&'r [u8]),
    Several,
}

impl<'r> Field<'r> {
    fn of(request: &'r ServiceRequest, name: HeaderName) -> Self {
        let mut lines = request.headers().get_all(name);
        match (lines.next(), lines.next()) {
            (None, _) => Self::None,
            (Some(line), None) => Self::One(line.as_bytes()),
            (Some(_), Some(_)) => Self::Several,
        }
    }
}

fn admit(request: &ServiceRequest) -> Result<Caller, Problem> {
    let state = request.app_data::<web::Data<AdminState>>();
    let snapshot = state.map(|state| state.registry.snapshot());
    let admin = snapshot
        .as_ref()
        .and_then(|snapshot| snapshot.config().admin.as_ref());
    // It is there as long as the listener is.
    let admin = admin.ok_or_else(|| Problem::unavailable("there is no admin listener any more"))?;
    let address = request.peer_addr().map(|address| address.ip());
    let asked = Asked {
        method: request.method(),
        path: request.path(),
        query: request.query_string(),
        target: request.uri().authority().map(|authority| authority.as_str()),
        host: Field::of(request, HOST),
        origin: Field::of(request, ORIGIN),
        authorization: Field::of(request, AUTHORIZATION),
    };
    let decided = decide(asked, admin);
    if let (Err(problem), Some(address)) = (&decided, address) {
        // Without the path, so that lines which repeat are one.
        warn!(
            "refused a request to the admin API from {address}: {}",
            problem.line()
        );
    }
    decided.map(|caller| match caller {
        Caller::Token { name, role, .. } => Caller::Token { name, role, address },
        caller => caller,
    })
}

fn decide(asked: Asked<'_>, admin: &AdminConfig) -> Result<Caller, Problem> {
    let host = check_host(asked, admin)?;
    check_origin(asked, host)?;
    if has_token(asked.query) {
        return Err(Problem::bad_request(
            "a token must not stand in a URL, where logs and histories keep it",
        )
        .hint("replace it, and send the new one as `Authorization: Bearer TOKEN`"));
    }
    let is_open =
        OPEN_PATHS.contains(&asked.path) || asked.path == METRICS && admin.metrics == MetricsAccess::Open;
    let looks = matches!(*asked.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if is_open && looks {
        return Ok(Caller::Anybody);
    }
    if admin.tokens.is_empty() {
        return match looks {
            true => Ok(Caller::Anybody),
            false => Err(Problem::forbidden(
                "without a token in the configuration nothing can be changed here",
            )
            .hint(
                "add `token: \"${ADMIN_TOKEN}\"` to `admin` and reload, or use `simple-lb` on this machine",
            )),
        };
    }
    let token = bearer(asked.authorization)?;
    let token = admin
        .find(&TokenDigest::of(token))
        .ok_or_else(|| Problem::unauthorized("the token is not known"))?;
    if token.role == AdminRole::Read && !looks {
        let detail = format!("the token {} may look, and must not change anything", token.name);
        return Err(Problem::forbidden(detail).hint("use one with `role: admin`"));
    }
    Ok(Caller::Token {
        name: token.name.clone(),
        role: token.role,
        address: None,
    })
}

/// The host that a request names, which is one of this listener's.
fn check_host<'r>(asked: Asked<'r>, admin: &AdminConfig) -> Result<&'r str, Problem> {
    let Field::One(host) = asked.host else {
        return Err(Problem::bad_request("a request needs one Host line"));
    };
    let host = std::str::from_utf8(host).unwrap_or_default();
    for named in [Some(host), asked.target].into_iter().flatten() {
        if !is_own(named, admin) {
            return Err(
                Problem::forbidden("the host of this request is not one of this listener's")
                    .hint("use an IP address or localhost, or add the name to `admin.hosts`"),
            );
        }
    }
    Ok(host)
}

fn is_own(authority: &str, admin: &AdminConfig) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an IPv6 address are within its brackets.
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_named = |name: &str| host.eq_ignore_ascii_case(name);
    host.parse::<std::net::Ipv4Addr>().is_ok()
        || is_named("localhost")
        || admin.hosts.iter().any(|name| is_named(name))
}

/// Browsers send the page's origin along with what its scripts ask.
fn check_origin(asked: Asked<'_>, host: &str) -> Result<(), Problem> {
    let is_own = |origin: &[u8]| {
        let origin = std::str::from_utf8(origin).ok();
        let authority = origin.and_then(|origin| origin.split_once("://"));
        authority.is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
    };
    match asked.origin {
        Field::None => Ok(()),
        Field::One(origin) if is_own(origin) => Ok(()),
        Field::One(_) | Field::Several => {
            Err(Problem::forbidden("a page of another origin must not ask here")
                .hint("send no Origin; the API is for programs, not for web pages"))
        }
    }
}

fn has_token(query: &str) -> bool {
    let mut names = query
        .split('&')
        .map(|parameter| parameter.split('=').next().unwrap_or_default());
    names.any(|name| {
        TOKEN_PARAMETERS
            .iter()
            .any(|other| name.eq_ignore_ascii_case(other))
    })
}

/// `Bearer TOKEN` (RFC 6750, section 2.1).
fn bearer(authorization: Field<'_>) -> Result<&[u8], Problem> {
    let line = match authorization {
        Field::None => return Err(Problem::unauthorized("this needs a token")),
        Field::Several => return Err(Problem::unauthorized("this needs one token, not several")),
        Field::One(line) => line,
    };
    let scheme = b"bearer ";
    let is_bearer = line
        .get(..scheme.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    match is_bearer {
        true => Ok(line[scheme.len()..].trim_ascii()),
        false => Err(Problem::unauthorized("the token must be a bearer token")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const OPS: &str = "ops-0123456789abcdef";
    const LOOKER: &str = "looker-0123456789abcdef";

    fn admin(settings: &str) -> AdminConfig {
        let text = format!("port: 0\nbackends: [http://a]\nadmin: {settings}\n");
        lb_core::config::load(&text, "config.yaml", &|_| None)
            .unwrap()
            .admin
            .unwrap()
    }

    fn with_tokens() -> AdminConfig {
        admin(&format!(
            "{{hosts: [lb.test], tokens: [{{name: ops, token: {OPS}, role: admin}}, {{name: looker, token: {LOOKER}}}]}}"
        ))
    }

    fn asked<'r>(method: &'r Method, path: &'r str, token: &'r str) -> Asked<'r> {
        Asked {
            method,
            path,
            query: "",
            target: None,
            host: Field::One(b"127.0.0.1:9000"),
            origin: Field::None,
            authorization: match token {
                "" => Field::None,
                token => Field::One(token.as_bytes()),
            },
        }
    }

    /// The status code of a refusal, or who passes.
    fn decided(asked: Asked<'_>, admin: &AdminConfig) -> String {
        match decide(asked, admin) {
            Ok(caller) => caller.to_string(),
            Err(problem) => problem.response().status().as_u16().to_string(),
        }
    }

    #[test]
    fn without_tokens_everybody_may_look_and_nobody_change() {
        let admin = admin("on");
        assert_eq!(decided(asked(&Method::GET, "/v1/status", ""), &admin), "anybody");
        assert_eq!(decided(asked(&Method::POST, "/v1/reload", ""), &admin), "403");
        assert_eq!(
            decided(asked(&Method::POST, "/v1/reload", "Bearer x"), &admin),
            "403"
        );
    }

    #[test]
    fn with_tokens_nothing_but_health_is_open() {
        let admin = with_tokens();
        for path in ["/healthz", "/readyz"] {
            assert_eq!(decided(asked(&Method::GET, path, ""), &admin), "anybody");
            assert_eq!(decided(asked(&Method::POST, path, ""), &admin), "401");
        }
        for path in ["/v1/status", "/metrics", "/openapi.json", "/", "/healthz/"] {
            assert_eq!(decided(asked(&Method::GET, path, ""), &admin), "401", "{path}");
        }
        let open = AdminConfig {
            metrics: MetricsAccess::Open,
            ..admin
        };
        assert_eq!(decided(asked(&Method::GET, "/metrics", ""), &open), "anybody");
        assert_eq!(decided(asked(&Method::GET, "/v1/status", ""), &open), "401");
    }

    #[test]
    fn a_token_has_its_role_and_is_one() {
        let admin = with_tokens();
        let get = |token: &str| decided(asked(&Method::GET, "/v1/status", token), &admin);
        let post = |token: &str| decided(asked(&Method::POST, "/v1/reload", token), &admin);
        let (ops, looker) = (format!("Bearer {OPS}"), format!("bearer  {LOOKER}"));
        assert_eq!(
            (get(&ops), post(&ops)),
            ("token ops".to_owned(), "token ops".to_owned())
        );
        assert_eq!(
            (get(&looker), post(&looker)),
            ("token looker".to_owned(), "403".to_owned())
        );
        for wrong in [
            "Bearer",
            "Bearer ",
            "Basic b3BzOg==",
            OPS,
            "Bearer ops-0123456789abcdeF",
        ] {
            assert_eq!(get(wrong), "401", "{wrong}");
        }
        let twice = Asked {
            authorization: Field::Several,
            ..asked(&Method::GET, "/", &ops)
        };
        assert_eq!(decided(twice, &admin), "401");
    }

    #[test]
    fn a_token_in_a_url_is_refused_whoever_sends_it() {
        let admin = with_tokens();
        let ops = format!("Bearer {OPS}");
        for query in ["token=a", "a=b&access_token=c", "Token", "api_key=1"] {
            let asked = Asked {
                query,
                ..asked(&Method::GET, "/v1/status", &ops)
            };
            assert_eq!(decided(asked, &admin), "400", "{query}");
        }
        let other = Asked {
            query: "tokens=1&pool=token",
            ..asked(&Method::GET, "/v1/status", &ops)
        };
        assert_eq!(decided(other, &admin), "token ops");
    }

    #[test]
    fn a_foreign_host_or_origin_is_refused_whatever_the_token() {
        let admin = with_tokens();
        let ops = format!("Bearer {OPS}");
        let host = |host: &'static str| {
            let asked = Asked {
                host: Field::One(host.as_bytes()),
                ..asked(&Method::GET, "/v1/status", &ops)
            };
            decided(asked, &admin)
        };
        for own in ["10.0.0.1", "[::1]:9000", "localhost:9000", "LB.test", "lb.test:1"] {
            assert_eq!(host(own), "token ops", "{own}");
        }
        for foreign in [
            "evil.test",
            "lb.test.evil.test",
            "localhost.evil.test:9000",
            "",
            "[::1",
            "127.0.0.1:a",
            "[lb.test]",
        ] {
            assert_eq!(host(foreign), "403", "{foreign}");
        }
        for (origin, said) in [
            ("http://127.0.0.1:9000", "token ops"),
            ("http://127.0.0.1:9001", "403"),
            ("http://evil.test", "403"),
            ("null", "403"),
            ("", "403"),
        ] {
            let asked = Asked {
                origin: Field::One(origin.as_bytes()),
                ..asked(&Method::GET, "/v1/status", &ops)
            };
            assert_eq!(decided(asked, &admin), said, "{origin}");
        }
        let target = Asked {
            target: Some("evil.test"),
            ..asked(&Method::GET, "/v1/status", &ops)
        };
        assert_eq!(decided(target, &admin), "403");
    }
}
