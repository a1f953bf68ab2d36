//! `admin`: the admin listener, off unless it is written.
//!
//! What is opened is refused here where it is open to too many: without a token the listener must be a loopback address.

use std::{collections::HashMap, sync::Arc};

use super::{
    Checker, Entry, Mapping, Place, Setting, Settings, Shape,
    field::{At, Change, Field, Leaf, lens},
    forms::{Form, OneOrMore, Words},
    shape::{Kind, Scalar},
    switched::Switched,
};
use crate::{
    config::{
        address::{checked_host, clash, parse_listener},
        fields::Fields,
        model::{AdminConfig, AdminRole, AdminToken, Config, Listener, MetricsAccess},
        node::{Value, item_path},
        problem::Refusal,
        secrets::Masked,
        written::Written,
    },
    token::TokenDigest,
};

/// More are no rotation, but a user management.
const MOST_TOKENS: usize = 100;

const TOP: &[Place] = &[Place::Top];

impl Settings for AdminConfig {
    const SHORT: Option<&'static str> = Some("listen");
    const LATER: &'static [&'static str] = &["tls"];
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "listen",
            &Leaf(lens!(AdminConfig, listen), &LISTEN),
            "Where the admin API listens, written as `port` is. Without a token it must be a loopback address, and changes nothing.",
        )
        .danger("Whoever reaches it and has a token sees and does what the token may. There is no TLS yet: beyond this machine a token passes in clear.")
        .see(&["docs/admin.md"])
        .needs_restart()
        .at(TOP),
        Setting::new(
            "token",
            &ShortToken,
            "A token that may do everything, 16 to 512 characters; the log calls it `admin`. For several, or with a role: `tokens`.",
        )
        .default_is("none")
        .danger("It stands in the file or in the environment; `tokens` can name files.")
        .example("token: \"${ADMIN_TOKEN}\"")
        .see(&["admin.tokens"])
        .at(TOP),
        Setting::new(
            "tokens",
            &Tokens,
            "Who may use the admin API: names, each with `token` or `file` and a role. Each request has one of them as `Authorization: Bearer`. With several that differ, one can be replaced while the other is used.",
        )
        .default_is("none")
        .example("tokens: [{name: ops, file: ops.token, role: admin}, {name: prometheus, token: \"${SCRAPE_TOKEN}\"}]")
        .see(&["docs/admin.md"])
        .at(TOP),
        Setting::new(
            "hosts",
            &Leaf(lens!(AdminConfig, hosts), &HOSTS),
            "Names under which the admin listener is reached, without a port. Requests whose Host is none of them, no IP address and not `localhost` are refused, so that no web page can reach it by a name of its own (DNS rebinding).",
        )
        .example("hosts: [lb1.internal]")
        .at(TOP),
        Setting::new(
            "metrics",
            &Leaf(
                lens!(AdminConfig, metrics),
                &Words("token or open", &[("token", MetricsAccess::Token), ("open", MetricsAccess::Open)]),
            ),
            "Who may read `/metrics` where there are tokens: `token`: as all else, or `open`: everybody who reaches the listener.",
        )
        .danger("Metrics name backends, pools and routes, and tell how much they have to do.")
        .at(TOP),
    ];
}

impl Settings for AdminToken {
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "name",
            &Leaf(lens!(AdminToken, name), &NAME),
            "What the log calls whoever has it; each token has its own.",
        )
        .default_is("none")
        .at(TOP),
        Setting::new(
            "token",
            &Leaf(lens!(AdminToken, digest), &SECRET),
            "The token itself, 16 to 512 characters.",
        )
        .default_is("none")
        .at(TOP),
        Setting::new(
            "file",
            &Leaf(lens!(AdminToken, file), &FILE),
            "A file that holds it instead. White space around it does not count. It is read at the start and at each reload; a relative path begins in the configuration's folder.",
        )
        .default_is("none")
        .danger("It should be readable for the balancer's user only; there is a warning where everybody may read it.")
        .at(TOP),
        Setting::new(
            "role",
            &Leaf(
                lens!(AdminToken, role),
                &Words("the name of a role", &[("read", AdminRole::Read), ("admin", AdminRole::Admin)]),
            ),
            "What it may do: `read`: look; `admin`: also change, reload and stop.",
        )
        .at(TOP),
    ];
}

const LISTEN: Form<Listener> = Form {
    expects: "an address with a port, such as 127.0.0.1:9000",
    kinds: || {
        vec![
            Kind::Whole(0, 65_535),
            Kind::Text(
                "an address with a port",
                "^(:|[0-9.]+:|\\[[0-9A-Fa-f:.]+\\]:)[0-9]{1,5}$",
            ),
        ]
    },
    parse: |written| parse_listener(written.text()),
    show: ToString::to_string,
};

const NAME_RULE: &str = "at most 64 letters, digits, `-`, `_` and `.`";

const NAME: Form<Arc<str>> = Form {
    expects: "a name",
    kinds: || vec![Kind::AnyText(NAME_RULE, "^[A-Za-z0-9._-]{1,64}$")],
    parse: |written| match written.text() {
        name if (1..=64).contains(&name.len()) && name.bytes().all(is_name_byte) => Ok(name.into()),
        _ => Err(Refusal::new(format!("must be {NAME_RULE}"))),
    },
    show: |name| name.to_string(),
};

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

const SECRET_KIND: fn() -> Kind = || {
    Kind::AnyText(
        "text of 16 to 512 characters without white space",
        "^\\s*[!-~]{16,512}\\s*$",
    )
};

const SECRET: Form<Option<TokenDigest>> = Form {
    expects: "a secret",
    kinds: || vec![SECRET_KIND()],
    parse: |written| TokenDigest::written(written.text()).map(Some),
    show: |token| token.as_ref().map_or("none", |_| "***").to_owned(),
};

const FILE: Form<Option<Masked>> = Form {
    expects: "the path of a file",
    kinds: || vec![Kind::Text("the path of a file", "^(?!.*://)(.*[^/])$")],
    parse: |written| match written.text() {
        path if written.is_text() && !path.is_empty() && !path.ends_with('/') && !path.contains("://") => {
            Ok(Some(written.masked(path)))
        }
        _ => Err(Refusal::new("must be the path of a file")),
    },
    show: |file| file.as_ref().map_or("none", Masked::shown).to_owned(),
};

const HOSTS: OneOrMore<Arc<str>> = OneOrMore {
    expects: "the name of a host or a list of them",
    kind: || {
        Kind::Text(
            "the name of a host, without a port",
            "^(?!.*\\.[0-9]+\\.?$)(?![0-9]+$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\\.?$",
        )
    },
    parse: |written| host(written),
};

fn host(written: &Written) -> Result<Arc<str>, Refusal> {
    let text = written.text();
    let rule = "must be the name of a host, without a scheme and a port";
    if text.contains([':', '/']) {
        return Err(Refusal::new(rule).hint("every port is admitted, and addresses are in any case"));
    }
    if !written.is_text() {
        return Err(Refusal::new(rule));
    }
    Ok(checked_host(text, "lb1.internal")?.into())
}

/// `token`, which is a token like any other.
struct ShortToken;

impl Field<AdminConfig> for ShortToken {
    fn expects(&self) -> &'static str {
        "a secret"
    }

    fn shape(&self, _place: Place, _default: &AdminConfig) -> Shape {
        Shape::One(Scalar(vec![SECRET_KIND()]))
    }

    fn value(&self, _of: &AdminConfig) -> Option<String> {
        Some("none".to_owned())
    }

    fn read(&self, to: &mut AdminConfig, (own, key): At<'_>, checker: &mut Checker<'_>) {
        let written = own.scalar(key, checker.problems);
        let digest = checker.value(&written, |written| TokenDigest::written(written.text()));
        to.tokens.extend(digest.map(AdminToken::short));
    }

    /// `tokens` says it.
    fn lines(&self, _key: &str, _of: &AdminConfig) -> Vec<(String, String)> {
        Vec::new()
    }

    fn changes(&self, _key: &str, _from: &AdminConfig, _to: &AdminConfig) -> Vec<Change<AdminConfig>> {
        Vec::new()
    }

    fn put(&self, _from: &AdminConfig, _to: &mut AdminConfig) {}
}

/// All tokens, that of `token` among them.
struct Tokens;

impl Field<AdminConfig> for Tokens {
    fn expects(&self) -> &'static str {
        "a list of tokens"
    }

    fn shape(&self, place: Place, _default: &AdminConfig) -> Shape {
        let entries: Vec<Entry> = AdminToken::entries(&AdminToken::default(), place);
        Shape::Items(Box::new(Shape::Mapping(Mapping {
            one_of: vec!["token", "file"],
            ..Mapping::new(entries).requiring("name")
        })))
    }

    fn value(&self, of: &AdminConfig) -> Option<String> {
        Some(shown(&of.tokens))
    }

    fn read(&self, to: &mut AdminConfig, (own, key): At<'_>, checker: &mut Checker<'_>) {
        let Some(node) = own.node(key) else {
            return;
        };
        let path = own.path_of(key);
        let items = match &node.value {
            Value::List(items) if !items.is_empty() => items,
            other => {
                let refusal = Refusal::new(match other {
                    Value::List(_) => "must hold at least one token".to_owned(),
                    other => format!("must be a list of tokens, not {}", other.noun()),
                });
                let hint = "write for example `tokens: [{name: ops, file: ops.token, role: admin}]`";
                checker
                    .problems
                    .add(node.position, &path, refusal.hint(hint), None);
                return;
            }
        };
        if items.len() > MOST_TOKENS {
            let refusal = Refusal::new(format!("must hold at most {MOST_TOKENS} tokens"));
            checker.problems.add(node.position, &path, refusal, None);
            return;
        }
        for (index, item) in items.iter().enumerate() {
            let path = item_path(&path, index);
            let Value::Mapping(entries) = &item.value else {
                let refusal = Refusal::new("must be a mapping with `name`, and with `token` or `file`");
                checker.problems.add(item.position, &path, refusal, None);
                continue;
            };
            let keys = AdminToken::keys(own.place);
            let own = Fields::read(entries, (&path, item.position), keys, checker.problems);
            let mut token = AdminToken::default();
            token.read(&own, checker);
            own.require("name", "add for example `name: ops`", checker.problems);
            one_source(&own, checker);
            to.tokens.push(token);
        }
    }

    fn lines(&self, key: &str, of: &AdminConfig) -> Vec<(String, String)> {
        vec![(key.to_owned(), shown(&of.tokens))]
    }

    fn changes(&self, key: &str, from: &AdminConfig, to: &AdminConfig) -> Vec<Change<AdminConfig>> {
        if from.tokens == to.tokens {
            return Vec::new();
        }
        let (before, mut after) = (shown(&from.tokens), shown(&to.tokens));
        if before == after {
            after.push_str(", other secrets");
        }
        let tokens = to.tokens.clone();
        vec![Change {
            key: key.to_owned(),
            from: before,
            to: after,
            restart: false,
            make: Arc::new(move |admin: &mut AdminConfig| admin.tokens.clone_from(&tokens)),
        }]
    }

    fn put(&self, from: &AdminConfig, to: &mut AdminConfig) {
        to.tokens.clone_from(&from.tokens);
    }
}

/// `token` or `file`, not both.
fn one_source(own: &Fields<'_>, checker: &mut Checker<'_>) {
    match (own.is_written("token"), own.is_written("file")) {
        (true, true) => {
            let refusal = Refusal::new("must not be there beside `token`").hint("remove one of them");
            checker.refuse_setting(own, "file", refusal);
        }
        (false, false) if !own.has_misspelt() => own.refuse("must have `token` or `file`", checker.problems),
        _ => {}
    }
}

/// `ops (admin), prometheus (read)`
fn shown(tokens: &[AdminToken]) -> String {
    let names = tokens.iter().map(|token| {
        let role = token.role.as_str();
        match &token.file {
            Some(file) => format!("{} ({role}, {})", token.name, file.shown()),
            None => format!("{} ({role})", token.name),
        }
    });
    let names: Vec<String> = names.collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

/// The row at the top of the file: off, an address, or a mapping. Whether there is a listener needs a restart; who may use it
/// does not.
pub(super) struct Admin;

const ADMIN: Switched<Config, AdminConfig> =
    Switched(lens!(Config, admin), "an address with a port, a mapping or off");

impl Field<Config> for Admin {
    fn expects(&self) -> &'static str {
        ADMIN.expects()
    }

    fn shape(&self, place: Place, default: &Config) -> Shape {
        ADMIN.shape(place, default)
    }

    fn value(&self, of: &Config) -> Option<String> {
        ADMIN.value(of)
    }

    fn read(&self, to: &mut Config, (own, key): At<'_>, checker: &mut Checker<'_>) {
        ADMIN.read(to, (own, key), checker);
        if let Some(admin) = &to.admin {
            judge(admin, &to.listeners, (own, key), checker);
        }
    }

    fn lines(&self, key: &str, of: &Config) -> Vec<(String, String)> {
        ADMIN.lines(key, of)
    }

    fn changes(&self, key: &str, from: &Config, to: &Config) -> Vec<Change<Config>> {
        let of_whole = |change: Change<Config>| Change {
            restart: change.restart || change.key == key,
            ..change
        };
        let changes = ADMIN.changes(key, from, to).into_iter();
        changes.map(of_whole).collect()
    }

    fn put(&self, from: &Config, to: &mut Config) {
        ADMIN.put(from, to);
    }
}

/// The rules across its settings.
fn judge(admin: &AdminConfig, listeners: &[Listener], (own, key): At<'_>, checker: &mut Checker<'_>) {
    let mut refuse = |setting: &str, refusal: Refusal| {
        let keys = AdminConfig::keys(own.place);
        let fields = own.mapping(key, keys, checker.problems);
        match fields.as_ref().map(|fields| (fields, fields.node(setting))) {
            // A single value, or the address.
            None => checker.refuse_setting(own, key, refusal),
            Some((fields, Some(_))) if setting == "listen" => {
                checker.refuse_setting(fields, setting, refusal)
            }
            Some((fields, node)) => {
                let position = node.map_or(fields.position, |node| node.position);
                checker
                    .problems
                    .add(position, &fields.path_of(setting), refusal, None);
            }
        }
    };
    if !admin.is_local() && admin.tokens.is_empty() {
        let port = admin.listen.port;
        let refusal = Refusal::new("must be a loopback address as long as there is no token");
        let hint = format!("add `token: \"${{ADMIN_TOKEN}}\"`, or write \"127.0.0.1:{port}\"");
        refuse("listen", refusal.hint(hint));
    }
    if let Some(taken) = listeners.iter().find(|listener| clash(**listener, admin.listen)) {
        let refusal = Refusal::new(format!("must not overlap with `port` ({taken})"));
        refuse(
            "listen",
            refusal.hint("clients and operators need listeners of their own"),
        );
    }
    let mut known: HashMap<&str, Option<&TokenDigest>> = HashMap::new();
    for token in admin.tokens.iter().filter(|token| !token.name.is_empty()) {
        if known.insert(&token.name, token.digest.as_ref()).is_some() {
            let rule = format!("must have names that differ: there are two `{}`", token.name);
            let hint = format!(
                "the log tells tokens by their names; `token` is called `{}`",
                AdminToken::SHORT_NAME
            );
            refuse("tokens", Refusal::new(rule).hint(hint));
            return;
        }
    }
    let same = |token: &AdminToken| {
        let equal = |other: &&AdminToken| token.digest.is_some() && other.digest == token.digest;
        admin.tokens.iter().filter(equal).count() > 1
    };
    if let Some(token) = admin.tokens.iter().find(|token| same(token)) {
        let rule = format!(
            "must hold secrets that differ: that of `{}` is another's, too",
            token.name
        );
        refuse(
            "tokens",
            Refusal::new(rule).hint("make one with `openssl rand -hex 32`"),
        );
    }
}
