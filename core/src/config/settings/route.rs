//! `routes`: what a route may say. How it is read, and what its settings mean together, is in `config/routes/`.

use super::{
    Place, Setting, Settings, Shape,
    balancer::network,
    elsewhere::ByCode,
    field::{Leaf, Type, lens, mapping},
    forms::{Form, Single, Switch},
    shape::{Kind, Mapping, Scalar},
    strategy::{HASH_KEY, Strategy},
};
use crate::{
    config::{
        model::{Retries, RouteConfig, UpstreamTimeouts},
        problem::Refusal,
        written::Written,
    },
    route::headers::UNCHANGEABLE,
};
use std::sync::{Arc, LazyLock};

/// What a route does, of which each does one.
pub(in crate::config) const ACTIONS: [&str; 4] = ["pool", "split", "redirect", "respond"];

/// What only means something where a request goes to a backend.
pub(in crate::config) const FORWARDING: [&str; 8] = [
    "split_by",
    "strategy",
    "timeouts",
    "retries",
    "request_headers",
    "send_host",
    "strip_prefix",
    "rewrite",
];

/// Enough for a host's name; names stand in logs and tables.
const MAX_NAME: usize = 64;

type Route = Setting<RouteConfig>;

const HERE: &[Place] = &[Place::Route];

/// A setting that the route's own code reads.
macro_rules! by_code {
    ($expects:expr, $shape:expr) => {
        &ByCode {
            expects: $expects,
            shape: $shape,
            lines: |_, _| Vec::new(),
        }
    };
}

impl Settings for RouteConfig {
    const SETTINGS: &'static [Route] = &[
        Route::new(
            "name",
            &Leaf(lens!(RouteConfig, name), &NAME),
            "What logs and plans call it, instead of its conditions.",
        )
        .default_is("none")
        .at(HERE),
        Route::new(
            "host",
            by_code!("a host or a list of hosts", || list(host(), true)),
            "The host of the request, one of these: `api.example.com`, `*.example.com` for all that end so, or `*`. Without a port.",
        )
        .default_is("any")
        .at(HERE),
        Route::new(
            "path",
            by_code!("a path or a mapping with `prefix`, `exact` or `regex`", path),
            "The path of the request, without its query. A text means itself and all below it.",
        )
        .default_is("any")
        .see(&["routes[].allow_dot_segments", "routes[].allow_encoded_slashes"])
        .at(HERE),
        Route::new(
            "method",
            by_code!("a method or a list of methods", || list(
                Kind::Text(
                    "a method such as `GET`, as clients write it",
                    "^(?!(get|head|post|put|delete|patch|options|trace|connect)$)[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
                ),
                true
            )),
            "The method of the request, one of these.",
        )
        .default_is("any")
        .at(HERE),
        Route::new(
            "header",
            by_code!("a mapping of headers to values", || tests(
                Kind::Text(
                    "the name of a header, but `Host`",
                    "^(?![hH][oO][sS][tT]$)[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
                ),
                Kind::AnyText("a value", "^(?![ \\t])[^\\x00-\\x1f\\x7f-\\x9f]*(?<! )$")
            )),
            "Header fields of the request and what is asked of their values.",
        )
        .default_is("none")
        .example("header: {X-Beta: \"1\", X-Debug: {present: true}}")
        .at(HERE),
        Route::new(
            "query",
            by_code!("a mapping of parameters to values", || tests(
                Kind::Text(
                    "the name of a parameter, as it stands in a raw query",
                    "^[!\"$%'-<>-~]+$"
                ),
                Kind::AnyText("a value", "^[!\"$%'-~]*$")
            )),
            "Query parameters of the request and what is asked of their values.",
        )
        .default_is("none")
        .example("query: {debug: {present: true}}")
        .at(HERE),
        Route::new(
            "client",
            by_code!("a network or a list of networks", || list(network(), true)),
            "The client's address, in one of these networks. Behind a trusted proxy, the one that the proxy names.",
        )
        .default_is("any")
        .see(&["trusted_proxies"])
        .at(HERE),
        Route::new(
            "pool",
            by_code!("the name of a pool", || Shape::One(pool_name())),
            "The pool that the requests go to.",
        )
        .default_is("none; a route has one of `pool`, `split`, `redirect`, `respond`")
        .at(HERE),
        Route::new(
            "split",
            by_code!("a mapping of pools to weights", || Shape::Named {
                name: pool_name(),
                value: Box::new(Shape::One(Scalar(vec![Kind::Whole(
                    0,
                    crate::route::split::MAX_WEIGHT
                )]))),
                filled: true,
            }),
            "Several pools by weight. A client stays with its own.",
        )
        .default_is("none")
        .example("split: {default: 95, canary: 5}")
        .see(&["routes[].split_by"])
        .at(HERE),
        Route::new(
            "split_by",
            by_code!("a part of the request, such as client", || {
                let mut kinds = HASH_KEY.kinds();
                kinds.push(Kind::Words(vec!["random"]));
                Shape::One(Scalar(kinds))
            }),
            "What a client is known by where there are several pools; `random`: requests are spread by chance.",
        )
        .default_is("client")
        .at(HERE),
        Route::new(
            "redirect",
            by_code!("a URL or a mapping with `to`", || Shape::Mapping(Mapping {
                single: Some((url(), Some("to"))),
                ..Mapping::of(vec![
                    ("to", Shape::One(url()), "Where to."),
                    (
                        "status",
                        Shape::One(Scalar(vec![Kind::Numbers(&[301, 302, 303, 307, 308])])),
                        "The status code; 302 unless it is written."
                    ),
                ])
                .requiring("to")
            })),
            "Sends the client elsewhere.",
        )
        .default_is("none")
        .example("redirect: {to: \"https://www.{host}{target}\", status: 301}")
        .at(HERE),
        Route::new(
            "respond",
            by_code!("a status code or a mapping with `status`", || {
                let status = Scalar(vec![Kind::Whole(200, 599)]);
                Shape::Mapping(Mapping {
                    single: Some((status.clone(), Some("status"))),
                    ..Mapping::of(vec![
                        ("status", Shape::One(status), "The status code; 200 unless it is written."),
                        ("body", Shape::One(text("text")), "The body."),
                        (
                            "content_type",
                            Shape::One(Scalar(vec![Kind::Text(
                                "a media type",
                                "^(?=.*/)[!-~]([ -~]*[!-~])?$"
                            )])),
                            "Its media type; text/plain unless it is written."
                        ),
                    ])
                })
            }),
            "Responds here, without a backend.",
        )
        .default_is("none")
        .example("respond: {status: 200, body: \"fine\"}")
        .at(HERE),
        Route::new(
            "strategy",
            by_code!("the name of a strategy or a mapping", || Strategy.shape()),
            "How the next backend is chosen, where it is another way than the pool's.",
        )
        .default_is("as the pool has it")
        .see(&["strategy"])
        .at(HERE),
        Route::new(
            "timeouts",
            by_code!("a mapping or a duration", || Shape::Mapping(mapping(
                &UpstreamTimeouts::default(),
                Place::Route
            ))),
            "Timeouts that differ from the pool's.",
        )
        .default_is("as the pool has them")
        .see(&["timeouts"])
        .at(HERE),
        Route::new(
            "retries",
            by_code!("a mapping or a whole number", || Shape::Mapping(mapping(
                &Retries::default(),
                Place::Route
            ))),
            "Retries that differ from the pool's.",
        )
        .default_is("as the pool has them")
        .see(&["retries"])
        .at(HERE),
        Route::new(
            "request_headers",
            by_code!("a mapping with `set`, `add` or `remove`", changes),
            "Changes of the request's header fields. Values may use variables.",
        )
        .default_is("none")
        .example("request_headers: {set: {X-Client: \"{client_ip}\"}, remove: [Cookie]}")
        .at(HERE),
        Route::new(
            "response_headers",
            by_code!("a mapping with `set`, `add` or `remove`", changes),
            "Changes of the response's header fields.",
        )
        .default_is("none")
        .example("response_headers: {set: {Cache-Control: no-store}}")
        .at(HERE),
        Route::new(
            "send_host",
            by_code!("preserve, backend or a host", || Shape::One(Scalar(vec![
                Kind::Words(vec!["preserve", "backend"]),
                Kind::Text("a host such as `api.internal:8080`", "^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$")
            ]))),
            "The host that the backend is told: the client's, the backend's own, or this one.",
        )
        .default_is("preserve")
        .at(HERE),
        Route::new(
            "strip_prefix",
            by_code!("true or a path", || Shape::One(Scalar(vec![
                Kind::Switch,
                Kind::Text("a path", "^/[!-\"$->@-~]{1,2047}$")
            ]))),
            "Takes the beginning of the path off: `on`, that of the route, or this path.",
        )
        .default_is("off")
        .at(HERE),
        Route::new(
            "rewrite",
            by_code!("a path or a mapping with `to`", || Shape::Mapping(Mapping {
                single: Some((Scalar(vec![Kind::Text("a path", PATH)]), None)),
                one_of: vec!["prefix", "to"],
                ..Mapping::of(vec![
                    ("prefix", Shape::One(Scalar(vec![Kind::Text("a path", PATH)])), "What takes the place of the route's path."),
                    ("regex", Shape::One(text("a regular expression")), "What is replaced; the route's own expression unless it is written."),
                    (
                        "to",
                        Shape::One(Scalar(vec![Kind::AnyText("a path with groups", "^[!-\"$->@-~]*$")])),
                        "What takes its place.",
                    ),
                ])
            })),
            "Another path: what the route's path matched is replaced, or what a regular expression finds.",
        )
        .default_is("none")
        .example("rewrite: {regex: \"^/user/([0-9]+)$\", to: \"/users/{1}\"}")
        .at(HERE),
        Route::new(
            "allow_dot_segments",
            &Leaf(lens!(RouteConfig, allowed.dot_segments), &Switch),
            "Whether paths with `/../` and `/./` are taken, which otherwise are refused with 400 as soon as a route has a path.",
        )
        .danger("Two readers may read such a path in two ways: what one protects the other serves.")
        .at(HERE),
        Route::new(
            "allow_encoded_slashes",
            &Leaf(lens!(RouteConfig, allowed.encoded_slashes), &Switch),
            "Whether paths with `%2F` and `%5C` are taken, which otherwise are refused with 400 as soon as a route has a path.",
        )
        .danger("Two readers may read such a path in two ways: what one protects the other serves.")
        .at(HERE),
    ];
}

const NAME: Form<Option<Arc<str>>> = Form {
    expects: "a name",
    kinds: || {
        vec![Kind::Text(
            "at most 64 letters, digits, `-`, `_` and `.`",
            "^[A-Za-z0-9._-]{1,64}$",
        )]
    },
    parse: |written| match written.is_text() {
        true => name(written).map(Some),
        false => Err(Refusal::new("must be text").hint("put quotes around it")),
    },
    show: |name| name.as_deref().unwrap_or("none").to_owned(),
};

/// The name of a pool or a route.
pub(in crate::config) fn name(written: &Written) -> Result<Arc<str>, Refusal> {
    let name = written.text();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(legal) {
        return Ok(name.into());
    }
    Err(Refusal::new(format!(
        "must be named by at most {MAX_NAME} letters, digits, `-`, `_` and `.`"
    )))
}

fn text(what: &'static str) -> Scalar {
    Scalar(vec![Kind::AnyText(what, "")])
}

fn url() -> Scalar {
    Scalar(vec![Kind::Text(
        "a URL or a path, with variables",
        "^(/($|[^/])|https?://|\\{scheme\\}://)",
    )])
}

fn pool_name() -> Scalar {
    text("the name of a pool")
}

fn list(kind: Kind, filled: bool) -> Shape {
    Shape::List {
        item: Scalar(vec![kind]),
        filled,
    }
}

fn host() -> Kind {
    Kind::Text(
        "a host, `*.` and the end of one, or `*`",
        "^(\\*|\\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\\]?|(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*\\.?)$",
    )
}

/// A path as requests have it.
const PATH: &str = "^/[!-\"$->@-~]{0,2047}$";
/// The same without empty segments, and without what other programs write for all that is below it.
const PREFIX: &str = "^(?!.*//)(?!.*/\\*$)/[!-\"$->@-~]{0,2047}$";

fn path() -> Shape {
    let path = |pattern| Scalar(vec![Kind::Text("a path", pattern)]);
    Shape::Mapping(Mapping {
        single: Some((path(PREFIX), None)),
        ..Mapping::of_one(vec![
            ("prefix", Shape::One(path(PREFIX))),
            ("exact", Shape::One(path(PATH))),
            ("regex", Shape::One(text("a regular expression"))),
        ])
    })
}

fn tests(name: Kind, value: Kind) -> Shape {
    let value = || Scalar(vec![value.clone()]);
    let test = Mapping {
        single: Some((value(), None)),
        ..Mapping::of_one(vec![
            ("exact", Shape::One(value())),
            ("regex", Shape::One(text("a regular expression"))),
            ("present", Shape::One(Scalar(Switch.kinds()))),
        ])
    };
    Shape::Named {
        name: Scalar(vec![name]),
        value: Box::new(Shape::Mapping(test)),
        filled: false,
    }
}

/// The names of fields that a route may change.
static CHANGEABLE: LazyLock<String> = LazyLock::new(|| {
    let letter = |letter: char| match letter {
        '-' => "[-_]".to_owned(),
        letter if letter.is_ascii_lowercase() => format!("[{letter}{}]", letter.to_ascii_uppercase()),
        other => other.to_string(),
    };
    let names = UNCHANGEABLE.iter();
    let names: Vec<String> = names
        .map(|(name, _)| name.chars().map(letter).collect())
        .collect();
    format!("^(?!({})$)[A-Za-z0-9!#$%&'*+.^_`|~-]+$", names.join("|"))
});

fn changes() -> Shape {
    let name = || Kind::Text("the name of a header", CHANGEABLE.as_str());
    let text = |what| Scalar(vec![Kind::AnyText(what, "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]);
    let lines = |value: Shape| Shape::Named {
        name: Scalar(vec![name()]),
        value: Box::new(value),
        filled: false,
    };
    let one = Shape::One(text("a value with variables"));
    let many = Shape::List {
        item: text("a value with variables"),
        filled: false,
    };
    Shape::Mapping(Mapping::of(vec![
        (
            "set",
            lines(one),
            "Fields with their values, instead of those that are there.",
        ),
        (
            "add",
            lines(many),
            "Fields with their values, beside those that are there.",
        ),
        ("remove", list(name(), true), "Fields that are taken off."),
    ]))
}
