//! `sticky`: clients come back to the backend that served them. Options belong to their cookie, so a pool that says
//! something says all of it.

use std::{sync::Arc, time::Duration};

use super::{
    Checker, Place, Setting, Settings, Shape,
    field::{At, Leaf, Type, lens, mapping},
    forms::{Form, OrNone, Single, Switch, Words, meant_switch, switched},
    shape::{Kind, Scalar},
    strategy::is_token_byte,
};
use crate::{
    config::{
        fields::Fields,
        model::{SameSite, StickyConfig},
        problem::Refusal,
        units::parse_duration,
        written::{Scalar as Value, Written},
    },
    sticky::StickyKey,
};

/// Shorter secrets can be guessed.
const MIN_SECRET: usize = 16;
/// Names go into every request and answer.
const MAX_COOKIE: usize = 64;

/// What names begin with that browsers take from secure cookies only (RFC 6265bis section 4.1.3). `__Host-` also wants
/// `Path=/` and no `Domain`, and ours are always so.
const SECURE_PREFIXES: [&str; 2] = ["__Host-", "__Secure-"];

impl Settings for StickyConfig {
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "cookie",
            &Leaf(lens!(StickyConfig, cookie), &COOKIE),
            "The cookie's name. A pool below `pools` that writes none itself adds `-` and its own name.",
        ),
        Setting::new(
            "secure",
            &Leaf(lens!(StickyConfig, secure), &Switch),
            "Whether browsers send it over TLS only.",
        ),
        Setting::new(
            "http_only",
            &Leaf(lens!(StickyConfig, http_only), &Switch),
            "Whether it is hidden from scripts.",
        ),
        Setting::new(
            "same_site",
            &Leaf(
                lens!(StickyConfig, same_site),
                &Form {
                    expects: SAME_SITE.0,
                    kinds: || SAME_SITE.kinds(),
                    parse: same_site,
                    show: |value| SAME_SITE.write(value),
                },
            ),
            "Whether it comes with requests that other sites cause. `none` needs `secure: on`.",
        ),
        Setting::new(
            "ttl",
            &Leaf(
                lens!(StickyConfig, ttl),
                &OrNone {
                    form: TTL,
                    expects: "a duration or none",
                },
            ),
            "How long browsers keep it; `none`: as long as they run.",
        ),
        Setting::new(
            "key",
            &Leaf(
                lens!(StickyConfig, key),
                &Form {
                    expects: "a secret",
                    kinds: || {
                        vec![Kind::AnyText(
                            "text of at least 16 characters",
                            "\\S[\\s\\S]{14,}\\S",
                        )]
                    },
                    parse: |written| secret(written).map(Some),
                    show: |key| key.as_ref().map_or("the one in state_dir", |_| "***").to_owned(),
                },
            ),
            "The secret that its values are made with. Several balancers with one key agree on them.",
        )
        .danger("Whoever knows it can choose a backend.")
        .example("key: \"${STICKY_KEY}\"")
        .see(&["state_dir"]),
    ];

    fn judge(&mut self, own: &Fields<'_>, checker: &mut Checker<'_>) {
        if self.same_site == SameSite::None && !self.secure {
            let refusal =
                Refusal::new("must be strict or lax without `secure: true`: browsers refuse such a cookie");
            let hint = "add `secure: true`, or write lax";
            checker.refuse_setting(own, "same_site", refusal.hint(hint));
        }
        self.judge_prefix((own, "cookie"), checker);
    }
}

impl StickyConfig {
    fn judge_prefix(&self, (own, key): At<'_>, checker: &mut Checker<'_>) {
        let cookie = &self.cookie;
        let begins = |prefix: &&&str| {
            let start = cookie.get(..prefix.len());
            // Browsers compare these without case.
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let Some(prefix) = SECURE_PREFIXES.iter().find(begins).filter(|_| !self.secure) else {
            return;
        };
        let refusal = Refusal::new(format!(
            "must not begin with {prefix} without `secure: true`: browsers refuse such a cookie"
        ));
        let hint = format!("write `{{cookie: {cookie}, secure: true}}`, or another name");
        checker.refuse_setting(own, key, refusal.hint(hint));
    }
}

const SAME_SITE: Words<SameSite> = Words(
    "strict, lax or none",
    &[
        ("strict", SameSite::Strict),
        ("lax", SameSite::Lax),
        ("none", SameSite::None),
    ],
);

/// Also `Lax`, as the cookie will have it.
fn same_site(written: &Written) -> Result<SameSite, Refusal> {
    let is_it = |word: &&(&str, SameSite)| word.0.eq_ignore_ascii_case(written.text());
    match SAME_SITE.1.iter().find(is_it) {
        Some((_, same_site)) => Ok(*same_site),
        None => SAME_SITE.parse(written),
    }
}

/// Off, on, a name, or a mapping.
pub(super) struct Sticky;

impl Type<Option<StickyConfig>> for Sticky {
    fn expects(&self) -> &'static str {
        "the name of a cookie, true, false or a mapping"
    }

    fn shape(&self) -> Shape {
        let mut shape = mapping(&StickyConfig::default(), Place::Top);
        shape.single = Some((Scalar(COOKIE.kinds()), Some("cookie")));
        Shape::Mapping(shape)
    }

    fn read(&self, (own, key): At<'_>, checker: &mut Checker<'_>) -> Option<Option<StickyConfig>> {
        own.node(key)?;
        let mut sticky = StickyConfig::default();
        let Some(fields) = own.mapping(key, StickyConfig::keys(own.place), checker.problems) else {
            let written = own.scalar(key, checker.problems)?;
            if switched(&written) == Some(false) {
                return Some(None);
            }
            sticky.cookie = checker.check(&written, |written| COOKIE.parse(written))?;
            sticky.judge_prefix((own, key), checker);
            return Some(Some(sticky));
        };
        sticky.read(&fields, checker);
        let cookie = fields.written("cookie");
        Some((cookie.as_ref().and_then(switched) != Some(false)).then_some(sticky))
    }

    fn show(&self, value: &Option<StickyConfig>) -> String {
        value.as_ref().map_or("off".to_owned(), ToString::to_string)
    }

    fn is_same(&self, a: &Option<StickyConfig>, b: &Option<StickyConfig>) -> bool {
        a == b
    }
}

/// Whether a pool gives its cookie a name, and does not leave it to us: where that stands.
pub(in crate::config) fn named_cookie(pool: &Fields<'_>, checker: &mut Checker<'_>) -> Option<Written> {
    let node = pool.node("sticky")?;
    let written = match node.is_mapping() {
        true => pool
            .mapping("sticky", StickyConfig::keys(pool.place), checker.problems)?
            .written("cookie"),
        false => pool.written("sticky"),
    };
    written.filter(|written| switched(written).is_none())
}

/// A name; `on`, and `off` in vain: the mapping's reader turns it off.
const COOKIE: Form<Arc<str>> = Form {
    expects: "the name of a cookie",
    kinds: || {
        let name = "the name of a cookie: at most 64 letters, digits, `-`, `_` and `.`";
        vec![
            Kind::Switch,
            Kind::Text(
                name,
                "^(?!([yY][eE][sS]|[nN][oO]|[nN]one|[oO][nN]|[oO][fF][fF]|[tT]rue|[fF]alse|[0-9]+)$)[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$",
            ),
        ]
    },
    parse: cookie_name,
    show: |name| name.to_string(),
};

fn cookie_name(written: &Written) -> Result<Arc<str>, Refusal> {
    let name = written.text();
    if switched(written).is_some() {
        return Ok(StickyConfig::DEFAULT_COOKIE.into());
    }
    let meant = meant_switch(name);
    let is_text = matches!(written.value, Value::Text(_) | Value::Replaced(_));
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = (1..=MAX_COOKIE).contains(&name.len()) && name.bytes().all(is_token_byte);
    if is_name && is_text && !is_number && meant.is_none() {
        return Ok(name.into());
    }
    let rule =
        format!("must be the name of a cookie: at most {MAX_COOKIE} letters, digits, `-`, `_` and `.`");
    let refusal = Refusal::new(rule);
    Err(match meant {
        Some(meant) => refusal.did_you_mean(Some(meant)),
        None => refusal.hint(format!("write for example `{}`", StickyConfig::DEFAULT_COOKIE)),
    })
}

const TTL: Form<Duration> = Form {
    expects: "a duration",
    kinds: || vec![Kind::Duration(Duration::from_secs(1))],
    parse: |written| match parse_duration(written.text())? {
        ttl if ttl.as_secs() == 0 => Err(Refusal::new("must be at least 1s").hint("write for example 8h")),
        ttl => Ok(ttl),
    },
    show: |ttl| crate::config::format_duration(*ttl),
};

fn secret(written: &Written) -> Result<StickyKey, Refusal> {
    let secret = written.text();
    // White space is what a variable or a file has around it, and nothing that would have to be guessed.
    if secret.trim().chars().count() < MIN_SECRET {
        let refusal = Refusal::new(format!(
            "must have at least {MIN_SECRET} characters, without white space around them"
        ));
        return Err(refusal.hint("make one with `openssl rand -hex 32` and give it as ${STICKY_KEY}"));
    }
    Ok(StickyKey::from_secret(secret.as_bytes()))
}
