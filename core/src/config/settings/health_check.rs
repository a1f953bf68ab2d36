//! `health_check`: how backends are probed, those of a pool and single ones that say so themselves.

use std::{sync::Arc, time::Duration};

use super::{
    Checker, Setting, Settings, Shape,
    field::{At, Leaf, Type, lens},
    forms::{Form, Percent, Single, Size, Span, Statuses, TIMEOUT, Whole, Words},
    shape::{Kind, Mapping, Scalar},
    strategy::is_token_byte,
};
use crate::config::{
    fields::{self, Fields, Keys},
    model::{BodyMatch, CheckKind, CheckMethod, HealthCheck, shown_headers},
    node::{Value, key_path},
    problem::Refusal,
    secrets::Masked,
    size::ByteSize,
    units::format_duration,
    written::Written,
};

/// More probes in a row than anybody waits for.
const STREAK: Whole = Whole(1, 100);
/// With more, a pause could shrink to nothing.
const MAX_JITTER_PERCENT: u8 = 50;
/// A request line that every server takes.
const MAX_PATH: usize = 2048;
/// Enough for every header, and short enough to be sent every few seconds.
const MAX_HEADERS: usize = 32;
const MAX_HEADER_VALUE: usize = 4096;
/// The longest host name, and a port.
const MAX_HOST: usize = 261;
/// Bodies of a few dozen probes are held at a time.
const MAX_BODY: ByteSize = ByteSize::kib(1024);
/// Each probe is a new connection: with this, up to ten a second from each balancer to each backend. More is a load of its own.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// For the few probes while a state is about to change.
const MIN_FAST_INTERVAL: Duration = Duration::from_millis(10);

impl Settings for HealthCheck {
    const SHORT: Option<&'static str> = Some("path");
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "type",
            &Leaf(lens!(HealthCheck, kind), &KIND),
            "`http`: a request over a new connection. `tcp`: the connection only.",
        )
        .danger("`tcp` sees that a process listens, not that it works."),
        Setting::new(
            "port",
            &Leaf(lens!(HealthCheck, port), &PORT),
            "The port to connect to, where it is another than that of the backend's URL.",
        ),
        Setting::new(
            "method",
            &Leaf(
                lens!(HealthCheck, method),
                &Words(
                    "the name of a method",
                    &[
                        ("GET", CheckMethod::Get),
                        ("HEAD", CheckMethod::Head),
                        ("OPTIONS", CheckMethod::Options),
                        ("POST", CheckMethod::Post),
                    ],
                ),
            ),
            "The method of the request. POST has no body.",
        ),
        Setting::new(
            "path",
            &Leaf(lens!(HealthCheck, path), &PATH),
            "Path and query of the request.",
        )
        .example("path: /healthz"),
        Setting::new(
            "host",
            &Leaf(lens!(HealthCheck, host), &HOST),
            "The Host of the request, where it is another than that of the backend's URL.",
        ),
        Setting::new(
            "headers",
            &Leaf(lens!(HealthCheck, headers), &Headers),
            "More header lines of the request, at most 32.",
        )
        .example("headers: {X-Probe: \"yes\"}"),
        Setting::new(
            "interval",
            &Leaf(lens!(HealthCheck, interval), &Span(MIN_INTERVAL)),
            "The time from the end of one probe to the start of the next.",
        )
        .danger("Each probe is a new connection: short intervals are a load of their own."),
        Setting::new(
            "fast_interval",
            &Leaf(lens!(HealthCheck, fast_interval), &Span(MIN_FAST_INTERVAL)),
            "The same while a backend is about to change its state; not longer than `interval`.",
        )
        .default_is("1s, or `interval` if that is shorter"),
        Setting::new(
            "timeout",
            &Leaf(lens!(HealthCheck, timeout), &TIMEOUT),
            "How long a probe may take in all: resolve, connect, response.",
        ),
        Setting::new(
            "rise",
            &Leaf(lens!(HealthCheck, rise), &STREAK),
            "Good probes in a row that bring a backend back.",
        ),
        Setting::new(
            "fall",
            &Leaf(lens!(HealthCheck, fall), &STREAK),
            "Bad probes in a row that take a backend out.",
        ),
        Setting::new(
            "status",
            &Leaf(lens!(HealthCheck, status), &Statuses(100, 599)),
            "Status codes of a backend that is alive.",
        )
        .default_is("200-399 once a health check is written; 100-499 without one")
        .example("status: \"200,204,300-399\""),
        Setting::new(
            "body",
            &Leaf(lens!(HealthCheck, body), &Body),
            "What the body of such a response must hold: a text, also written `{contains: \"ok\"}`, or `{regex: \"^ok$\"}`.",
        )
        .default_is("the body is not read"),
        Setting::new(
            "max_body",
            &Leaf(lens!(HealthCheck, max_body), &Size(ByteSize::new(1), MAX_BODY)),
            "How much of the body is read for that.",
        ),
        Setting::new(
            "jitter",
            &Leaf(lens!(HealthCheck, jitter), &Percent(MAX_JITTER_PERCENT)),
            "Each pause is longer or shorter by up to this share, so that probes spread out.",
        ),
    ];

    /// A fast interval belongs to its interval, and a check that only connects asks nothing.
    fn inherit(&mut self, own: &Fields<'_>) {
        let default = Self::default();
        if own.is_written("interval") {
            self.fast_interval = default.fast_interval;
        }
        if own.written("type").is_some_and(|kind| kind.text() == "tcp") {
            *self = Self {
                method: default.method,
                path: default.path,
                host: default.host,
                headers: default.headers,
                body: default.body,
                max_body: default.max_body,
                ..self.clone()
            };
        }
    }

    fn judge(&mut self, own: &Fields<'_>, checker: &mut Checker<'_>) {
        if self.fast_interval > self.interval {
            let shown = format_duration(self.interval);
            let refusal = Refusal::new(format!("must not be longer than `interval`, {shown}"));
            checker.refuse_setting(own, "fast_interval", refusal);
            self.fast_interval = self.interval;
        }
        if self.kind == CheckKind::Tcp {
            for key in ["method", "path", "host", "max_body", "status", "headers", "body"] {
                let refusal = Refusal::new("has no meaning with `type: tcp`, which only connects");
                checker.refuse_setting(own, key, refusal.hint("remove it, or write `type: http`"));
            }
        } else if self.method == CheckMethod::Head && self.body.is_some() {
            for key in ["method", "body"] {
                let rule = "must not go together: an answer to HEAD has no body";
                checker.refuse_setting(own, key, Refusal::new(rule).hint("use GET, or leave `body` out"));
            }
        }
    }
}

const KINDS: Words<CheckKind> = Words(
    "http or tcp",
    &[("http", CheckKind::Http), ("tcp", CheckKind::Tcp)],
);

const KIND: Form<CheckKind> = Form {
    expects: KINDS.0,
    kinds: || KINDS.kinds(),
    parse: |written| match written.text() {
        "grpc" => {
            let rule = "must be http or tcp: gRPC needs HTTP/2, which is not there yet";
            Err(Refusal::new(rule).hint("use `type: tcp`, or an HTTP page of the backend"))
        }
        _ => KINDS.parse(written),
    },
    show: |kind| KINDS.write(kind),
};

const PORT: Form<Option<u16>> = Form {
    expects: "a port",
    kinds: || vec![Kind::Whole(1, 65_535)],
    parse: |written| {
        let port = Whole(1, 65_535).parse(written);
        port.map(Some)
            .map_err(|_| Refusal::new("must be a port from 1 to 65535"))
    },
    show: |port| port.map_or("the backend's".to_owned(), |port| port.to_string()),
};

const HOST: Form<Option<Arc<str>>> = Form {
    expects: "a host",
    kinds: || {
        vec![Kind::Text(
            "a host, with a port if need be, such as `api.example.com:8080`",
            "^[A-Za-z0-9._~%:\\[\\]-]{1,261}$",
        )]
    },
    parse: |written| {
        let host = written.text();
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%[]:".contains(&byte);
        if !written.is_text() || host.is_empty() || host.len() > MAX_HOST || !host.bytes().all(legal) {
            let rule = "must be a host, with a port if need be, such as api.example.com:8080";
            return Err(Refusal::new(rule));
        }
        Ok(Some(host.into()))
    },
    show: |host| host.as_deref().unwrap_or("the backend's").to_owned(),
};

/// Path and query as they go into a request line.
const PATH: Form<Masked> = Form {
    expects: "a path",
    kinds: || {
        vec![Kind::Text(
            "a path, with a query if need be",
            "^/[!\"$-~]{0,2047}$",
        )]
    },
    parse: path,
    show: |path| path.shown().to_owned(),
};

fn path(written: &Written) -> Result<Masked, Refusal> {
    let path = written.text();
    if !path.starts_with('/') {
        let refusal = Refusal::new("must be a path that begins with `/`");
        return Err(match path {
            "true" | "false" => refusal.hint(format!("did you mean {path} without quotes?")),
            "yes" | "no" => refusal.did_you_mean(super::forms::meant_switch(path)),
            _ => refusal.did_you_mean(
                path.starts_with(|c: char| c.is_ascii_alphanumeric())
                    .then(|| format!("/{path}")),
            ),
        });
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(
            Refusal::new("must be a path of visible ASCII characters without `#`")
                .hint("write others in their percent-encoded form, a space as %20"),
        );
    }
    if path.len() > MAX_PATH {
        return Err(Refusal::new(format!(
            "must be a path of at most {MAX_PATH} characters"
        )));
    }
    Ok(written.masked(path))
}

type HeaderLines = Arc<[(Arc<str>, Masked)]>;

/// Names with values.
struct Headers;

impl Type<HeaderLines> for Headers {
    fn expects(&self) -> &'static str {
        "a mapping of names to values"
    }

    fn shape(&self) -> Shape {
        let value = Kind::AnyText(
            "visible ASCII characters, with spaces only between them",
            "^(?![ \\t])[ -~\\t]{0,4096}(?<![ \\t])$",
        );
        Shape::Named {
            name: Scalar(vec![Kind::Text(
                "the name of a header",
                "^(?!([hH][oO][sS][tT]|[cC]onnection|[tT][eE])$)[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
            )]),
            value: Box::new(Shape::One(Scalar(vec![value]))),
            filled: false,
        }
    }

    fn read(&self, (own, key): At<'_>, checker: &mut Checker<'_>) -> Option<HeaderLines> {
        let entries = own.entries(key, "headers: {X-Probe: \"yes\"}", checker.problems)?;
        let written = entries.iter().filter(|entry| entry.value.value != Value::Null);
        let mut lines = Vec::new();
        for (index, entry) in written.enumerate() {
            let path = key_path(&own.path_of(key), &entry.key);
            let name = fields::key(entry, &path);
            if index == MAX_HEADERS {
                let refusal = Refusal::new(format!("must be one of at most {MAX_HEADERS} headers"));
                checker.refuse(&name, refusal);
            }
            let value = fields::scalar(&entry.value, &path, "the value of a header", checker.problems);
            let name = checker.check(&name, header_name);
            let mark = value.as_ref().and_then(|value| checker.mark(&entry.key, value));
            let value = checker.value(&value, header_value);
            lines.extend(name.zip(value.map(|value| Masked::new(&value, mark))));
        }
        Some(lines.into())
    }

    fn show(&self, value: &HeaderLines) -> String {
        shown_headers(value)
    }

    fn is_same(&self, a: &HeaderLines, b: &HeaderLines) -> bool {
        a == b
    }
}

/// Those that the probe itself writes, or that would change how its answer is read.
const RESERVED_HEADERS: [&str; 10] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "keep-alive",
    "proxy-connection",
];

fn header_name(written: &Written) -> Result<Arc<str>, Refusal> {
    let name = written.text();
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        return Err(Refusal::new(
            "must be the name of a header: letters, digits and !#$%&'*+-.^_`|~",
        ));
    }
    let lower = name.to_ascii_lowercase();
    if RESERVED_HEADERS.contains(&lower.as_str()) {
        let refusal = Refusal::new("must not be set: the probe writes it itself");
        return Err(if lower == "host" {
            refusal.hint("use `host` of the check")
        } else {
            refusal
        });
    }
    Ok(name.into())
}

fn header_value(written: &Written) -> Result<Arc<str>, Refusal> {
    let value = written.text();
    let legal = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    if value.len() > MAX_HEADER_VALUE || !value.bytes().all(legal) || value.trim() != value {
        let rule = "must be visible ASCII characters, with spaces only between them, at most 4096 of them";
        return Err(Refusal::new(rule));
    }
    Ok(value.into())
}

/// A text, or a mapping with one of two keys.
struct Body;

const BODY_KEYS: [(&str, &str); 2] = [("contains", "a text"), ("regex", "a regular expression")];

impl Type<Option<BodyMatch>> for Body {
    fn expects(&self) -> &'static str {
        "a text, or a mapping with `contains` or `regex`"
    }

    fn shape(&self) -> Shape {
        let text = |what| Scalar(vec![Kind::AnyText(what, "[\\s\\S]")]);
        let contains = || text("a text that the body has to hold");
        let regex = text("a regular expression that must match in the body");
        Shape::Mapping(Mapping {
            single: Some((contains(), None)),
            ..Mapping::of_one(vec![
                ("contains", Shape::One(contains())),
                ("regex", Shape::One(regex)),
            ])
        })
    }

    fn read(&self, (own, key): At<'_>, checker: &mut Checker<'_>) -> Option<Option<BodyMatch>> {
        let keys = Keys {
            known: BODY_KEYS.to_vec(),
            later: &[],
            elsewhere: &[],
            place: own.place,
        };
        let (contains, regex) = match own.mapping(key, keys, checker.problems) {
            Some(body) => (
                body.scalar("contains", checker.problems),
                body.scalar("regex", checker.problems),
            ),
            None => (own.scalar(key, checker.problems), None),
        };
        let node = own.node(key)?;
        // A null is as good as not written, and unknown keys are reported.
        if let Value::Mapping(entries) = &node.value
            && entries.iter().all(|entry| entry.value.value == Value::Null)
        {
            let refusal = Refusal::new("must have `contains` or `regex`");
            checker.problems.add(
                node.position,
                &own.path_of(key),
                refusal.hint("write for example `body: {contains: ok}`, or leave `body` out"),
                None,
            );
            return None;
        }
        if let (Some(_), Some(regex)) = (&contains, &regex) {
            let refusal = Refusal::new("must not stand beside `contains`: write one of them");
            checker.refuse(regex, refusal);
            return None;
        }
        let contains = checker.value(&contains, |text| match text.text() {
            "" => Err(Refusal::new("must be a text that the body has to hold")),
            contains => shown(text, BodyMatch::contains(contains)),
        });
        let regex = checker.value(&regex, |regex| match regex.text() {
            "" => Err(Refusal::new("must be an expression that the body has to match")),
            expression => shown(regex, BodyMatch::regex(expression)),
        });
        contains.or(regex).map(Some)
    }

    fn show(&self, value: &Option<BodyMatch>) -> String {
        value.as_ref().map_or("any".to_owned(), ToString::to_string)
    }

    fn is_same(&self, a: &Option<BodyMatch>, b: &Option<BodyMatch>) -> bool {
        a == b
    }
}

fn shown(written: &Written, body: Result<BodyMatch, regex::Error>) -> Result<BodyMatch, Refusal> {
    let body = body.map_err(invalid)?;
    Ok(body.shown_as(written.mark()))
}

fn invalid(error: regex::Error) -> Refusal {
    match error {
        regex::Error::CompiledTooBig(_) => Refusal::new("must be an expression that needs less memory"),
        other => {
            let message = other.to_string();
            let reason = message.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            Refusal::new(format!("must be a regular expression: {reason}"))
        }
    }
}
