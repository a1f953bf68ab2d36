//! What routes change of requests and answers: headers, paths, redirects, fixed answers.

use std::sync::Arc;

use super::{Checker, Fields, Key, Value, conditions, fields, item_path, key_path, keys};
use crate::{
    config::{
        address::authority_parts,
        model::*,
        problem::Refusal,
        secrets::Masked,
        settings::{Single, Whole, switched},
        suggest::closest,
        written::Written,
    },
    route::{
        BadTemplate, Pattern, Template, Variable,
        ambiguity::{self, Allowed, Ambiguity},
        headers::{self, HeaderChanges},
        rewrite::Rewrite,
    },
};

/// What a redirect means if nothing is said: not kept by browsers, so that a mistake can be mended.
const DEFAULT_REDIRECT: u16 = 302;
const DEFAULT_CONTENT_TYPE: &str = "text/plain; charset=utf-8";
/// The longest value of a header, or place, before its variables.
const MAX_TEMPLATE: usize = 4096;

const CHANGES: [Key; 3] = [
    ("set", "a mapping of headers to values"),
    ("add", "a mapping of headers to values"),
    ("remove", "a header or a list of headers"),
];
const REWRITE: [Key; 3] = [
    ("prefix", "a path"),
    ("regex", "a regular expression"),
    ("to", "a path with groups"),
];
const REDIRECT: [Key; 2] = [("to", "a URL"), ("status", "a status code")];
const RESPOND: [Key; 3] = [
    ("status", "a status code"),
    ("body", "text"),
    ("content_type", "a media type"),
];

impl Checker<'_> {
    pub(super) fn changes(&mut self, own: &Fields<'_>, key: &str) -> HeaderChanges {
        // Reports other shapes.
        own.entries(key, &format!("{key}: {{set: {{X-Name: value}}}}"), self.problems);
        let Some(changes) = own.mapping(key, keys(&CHANGES), self.problems) else {
            return HeaderChanges::default();
        };
        let set = self.lines(&changes, "set");
        let add = self.lines(&changes, "add");
        let remove = changes.list("remove", true, self.problems);
        let remove = self.all(&remove.unwrap_or_default(), changeable);
        HeaderChanges::new(&remove, set, add)
    }

    fn lines(&mut self, own: &Fields<'_>, key: &str) -> Vec<(Arc<str>, Template)> {
        let entries = own.entries(key, &format!("{key}: {{X-Name: value}}"), self.problems);
        let mut lines = Vec::new();
        for entry in entries.unwrap_or_default() {
            let path = key_path(&own.path_of(key), &entry.key);
            let mut scalar = |node, path: &str| fields::scalar(node, path, "a value", self.problems);
            let values: Vec<_> = match &entry.value.value {
                Value::List(items) if key == "add" => {
                    let items = items.iter().enumerate();
                    items
                        .filter_map(|(index, item)| scalar(item, &item_path(&path, index)))
                        .collect()
                }
                _ => scalar(&entry.value, &path).into_iter().collect(),
            };
            let name = self.check(&fields::key(entry, &path), changeable);
            let shown = |value: &Written| self.mark(&entry.key, value);
            let values: Vec<_> = values.into_iter().map(|value| (shown(&value), value)).collect();
            let values: Vec<_> = values
                .iter()
                .filter_map(|(mark, value)| {
                    let value = self.check(value, |value| {
                        let text = value.text();
                        if text.chars().any(char::is_control) {
                            return Err(Refusal::new("must be a value without control characters"));
                        }
                        template(text, None)
                    });
                    Some(value?.shown_as(mark.clone()))
                })
                .collect();
            if let Some(name) = name {
                lines.extend(values.into_iter().map(|value| (name.clone(), value)));
            }
        }
        lines
    }

    pub(super) fn rewrite(
        &mut self,
        own: &Fields<'_>,
        path: &PathPattern,
        allowed: Allowed,
    ) -> Option<Rewrite> {
        let strip = self.strip_prefix(own, path, allowed);
        let Some(node) = own.node("rewrite") else {
            return strip;
        };
        let parts = own.mapping("rewrite", keys(&REWRITE), self.problems);
        let [prefix, regex, to] = match &parts {
            Some(parts) => {
                let found = REWRITE.map(|(key, _)| parts.scalar(key, self.problems));
                let written = REWRITE.iter().filter(|(key, _)| parts.is_written(key)).count();
                if written > found.iter().flatten().count() {
                    // Something of it is broken, which is already reported.
                    return None;
                }
                found
            }
            None => [Some(own.scalar("rewrite", self.problems)?), None, None],
        };
        let mut refuse = |refusal: Refusal| {
            let path = own.path_of("rewrite");
            self.problems.add(node.position, &path, refusal, None);
        };
        match (&prefix, &regex, &to) {
            _ if strip.is_some() => {
                let refusal = Refusal::new("must not stand beside `strip_prefix`");
                refuse(refusal.hint("write one of them"));
                return None;
            }
            (Some(_), None, None) | (None, _, Some(_)) => {}
            _ => {
                refuse(Refusal::new("must be a path, or have `to` and mostly `regex`"));
                return None;
            }
        }
        if let Some(prefix) = &prefix {
            return self.check(prefix, |prefix| replaced_prefix(prefix, path, allowed));
        }
        let from = match (&regex, path.pattern()) {
            (Some(regex), _) => self.check(regex, conditions::pattern)?,
            (None, Some(pattern)) => pattern.clone(),
            (None, None) => {
                refuse(Refusal::new("must have `regex`, as the route's path has none"));
                return None;
            }
        };
        let mark = to.as_ref().and_then(|to| self.mark("", to));
        let to = self
            .value(&to, |to| replacement(to, &from, allowed))?
            .shown_as(mark);
        Some(Rewrite::Pattern { from, to })
    }

    fn strip_prefix(&mut self, own: &Fields<'_>, path: &PathPattern, allowed: Allowed) -> Option<Rewrite> {
        let written = own.scalar("strip_prefix", self.problems);
        let stripped = self.value(&written, |strip| {
            if let Some(strip) = switched(strip) {
                return match (path, strip) {
                    (_, false) => Ok(None),
                    (PathPattern::Prefix(prefix), true) => Ok(Some(prefix.clone())),
                    (_, true) => Err(Refusal::new("must be a path, as the route's own is no prefix")
                        .hint("write for example `path: /v1`, or `strip_prefix: /v1`")),
                };
            }
            let path = conditions::path(strip, ALL)?;
            unambiguous(&path, allowed)?;
            match path.strip_suffix('/').unwrap_or(&path) {
                "" => Err(Refusal::new(
                    "must be more than `/`, which every path begins with",
                )),
                path => Ok(Some(strip.masked(path))),
            }
        });
        let to = Masked::default();
        stripped.flatten().map(|from| Rewrite::Prefix { from, to })
    }

    pub(super) fn redirect(&mut self, own: &Fields<'_>, path: Option<&PathPattern>) -> RouteAction {
        let (to, status) = match own.mapping("redirect", keys(&REDIRECT), self.problems) {
            Some(parts) => {
                let hint = "write for example `to: \"https://{host}{target}\"`";
                parts.require("to", hint, self.problems);
                (
                    parts.scalar("to", self.problems),
                    parts.scalar("status", self.problems),
                )
            }
            None => (own.scalar("redirect", self.problems), None),
        };
        // Without its path, nothing can be said about groups.
        let mark = to.as_ref().and_then(|to| self.mark("", to));
        let to = path.and_then(|path| self.value(&to, |to| location(to, path.pattern())));
        let to = to.map(|to| to.shown_as(mark));
        let status = self.value(&status, |status| {
            let status = Whole(301, 308).parse(status).ok();
            let known = status.filter(|status: &u16| !matches!(status, 304..=306));
            known.ok_or_else(|| Refusal::new("must be 301, 302, 303, 307 or 308"))
        });
        RouteAction::Redirect(Redirect {
            status: status.unwrap_or(DEFAULT_REDIRECT),
            to: to.unwrap_or_default(),
        })
    }

    pub(super) fn respond(&mut self, own: &Fields<'_>) -> RouteAction {
        let [status, body, content_type] = match own.mapping("respond", keys(&RESPOND), self.problems) {
            Some(parts) => RESPOND.map(|(key, _)| parts.scalar(key, self.problems)),
            None => [own.scalar("respond", self.problems), None, None],
        };
        let status = self.value(&status, |status| {
            let refused = |_| Refusal::new("must be a status code from 200 to 599");
            Whole(200, 599).parse(status).map_err(refused)
        });
        let status = status.unwrap_or(200);
        let body = self.value(&body, |body| {
            if matches!(status, 204 | 205 | 304) && !body.text().is_empty() {
                return Err(Refusal::new(format!(
                    "must be empty: an answer with {status} has no body"
                )));
            }
            Ok(Arc::<[u8]>::from(body.text().as_bytes()))
        });
        let content_type = self.value(&content_type, |content_type| {
            let text = content_type.text();
            let legal =
                text.contains('/') && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
            match legal && text.trim() == text {
                true => Ok(content_type.masked(text)),
                false => Err(Refusal::new(
                    "must be a media type such as text/html; charset=utf-8",
                )),
            }
        });
        RouteAction::Respond(Respond {
            status,
            body: body.unwrap_or_default(),
            content_type: content_type.unwrap_or_else(|| DEFAULT_CONTENT_TYPE.into()),
        })
    }
}

/// What takes the place of what an expression finds in a path.
fn replacement(written: &Written, from: &Pattern, allowed: Allowed) -> Result<Template, Refusal> {
    let template = template(written.text(), Some(from))?;
    if !template.texts().all(is_path_text) {
        let refusal = Refusal::new("must be a path of visible ASCII characters without `?` and `#`");
        return Err(refusal.hint("the query stays as it came"));
    }
    // What stays of the path may make a name of what looks like dots.
    let around = |bound| if bound { "" } else { "x" };
    let (begins, ends) = from.bound();
    let sample = format!("{}{}{}", around(begins), template.sample(), around(ends));
    unambiguous(&sample, allowed)?;
    Ok(template)
}

/// For paths of which more is to be said than that requests cannot have them.
const ALL: Allowed = Allowed {
    dot_segments: true,
    encoded_slashes: true,
};

fn changeable(written: &Written) -> Result<Arc<str>, Refusal> {
    let name = written.text();
    if !written.is_text() || !headers::is_name(name) {
        return Err(Refusal::new(
            "must be named as a header is: letters, digits and !#$%&'*+-.^_`|~",
        ));
    }
    match headers::unchangeable(name) {
        Some(instead) => Err(Refusal::new("must not be changed by a route").hint(instead)),
        None => Ok(name.into()),
    }
}

fn template(text: &str, pattern: Option<&Pattern>) -> Result<Template, Refusal> {
    if text.len() > MAX_TEMPLATE {
        return Err(Refusal::new(format!("must be at most {MAX_TEMPLATE} bytes long")));
    }
    Template::parse(text, pattern).map_err(|bad| {
        let refusal = Refusal::new(bad.to_string());
        let names = || Variable::ALL.iter().map(|(name, _)| *name);
        match bad {
            BadTemplate::Unclosed => refusal.hint("write {{ and }} for braces"),
            BadTemplate::NoGroup(_) if pattern.is_none() => refusal
                .hint("groups are there where the route's path is a regular expression, and in its rewrite"),
            BadTemplate::NoGroup(_) => refusal,
            BadTemplate::Both(_) => refusal.hint("give the group another name"),
            BadTemplate::Unknown(name) => match closest(&name, names()) {
                Some(meant) => refusal.did_you_mean(Some(format!("{{{meant}}}"))),
                None => refusal.hint(format!("there are: {}", names().collect::<Vec<_>>().join(", "))),
            },
        }
    })
}

fn is_path_text(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'))
}

/// Refuses a path, or a part of each, for which every request would be refused.
fn unambiguous(path: &str, allowed: Allowed) -> Result<(), Refusal> {
    match ambiguity::find(path.as_bytes(), allowed) {
        None => Ok(()),
        Some(Ambiguity::DotSegment) => {
            let refusal = Refusal::new("must not hold dot segments: requests with them are refused");
            Err(refusal.hint("write `allow_dot_segments: true` beside it"))
        }
        Some(Ambiguity::EncodedSlash) => {
            let refusal = Refusal::new("must not hold encoded slashes: requests with them are refused");
            Err(refusal.hint("write `allow_encoded_slashes: true` beside it"))
        }
    }
}

/// What a route's path matched, replaced by another.
fn replaced_prefix(written: &Written, path: &PathPattern, allowed: Allowed) -> Result<Rewrite, Refusal> {
    let from = match path {
        PathPattern::Any => Masked::default(),
        PathPattern::Prefix(from) | PathPattern::Exact(from) => from.clone(),
        PathPattern::Regex(_) => {
            let refusal = Refusal::new("must have `to`, as the route's path is a regular expression");
            return Err(refusal.hint("write for example `rewrite: {to: \"/new/{1}\"}`"));
        }
    };
    let to = conditions::path(written, ALL)?;
    unambiguous(&to, allowed)?;
    let to = written.masked(to.strip_suffix('/').unwrap_or(&to));
    Ok(Rewrite::Prefix { from, to })
}

/// Where a redirect leads: to a host that the file names, or the one that was asked for; never to one that a part of the
/// path or query could make.
fn location(written: &Written, pattern: Option<&Pattern>) -> Result<Template, Refusal> {
    let text = written.text();
    let template = template(text, pattern)?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let refusal = Refusal::new("must be a URL of visible ASCII characters");
        return Err(refusal.hint("write others in their percent-encoded form"));
    }
    if text.starts_with('/') && !text.starts_with("//") {
        return Ok(template);
    }
    let schemes = ["https://", "http://", "{scheme}://"];
    let Some(rest) = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) else {
        let refusal = Refusal::new("must begin with `https://`, `http://`, `{scheme}://` or one `/`");
        return Err(refusal.hint("for another scheme write for example `https://{host}{target}`"));
    };
    let Some(authority) = before_path(rest) else {
        let refusal = Refusal::new(
            "must name its host by letters, {host} or {authority}, and then go on with `/`, {path} or {target}",
        );
        return Err(refusal.hint("else a client could make it another host"));
    };
    whole_names(authority).and_then(|()| {
        let sample = authority.replace("{host}", "host").replace("{authority}", "host");
        authority_parts(&sample, PLACE).map(|_| template)
    })
}

/// A place that a redirect may name.
const PLACE: &str = "https://example.com{target} or https://www.{host}{target}";

/// The host and port that a text begins with and that no request can change but by `Host`, if they end there or go on as
/// a path.
fn before_path(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        if rest.is_empty()
            || rest.starts_with(['/', '?'])
            || rest.starts_with("{path}")
            || rest.starts_with("{target}")
        {
            return text.strip_suffix(rest);
        }
        rest = match ["{host}", "{authority}"]
            .iter()
            .find_map(|host| rest.strip_prefix(host))
        {
            Some(behind) => behind,
            None => rest.strip_prefix(|c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c))?,
        };
    }
}

/// Refuses hosts of which a variable is a part of a name, and not one or more names between dots.
fn whole_names(authority: &str) -> Result<(), Refusal> {
    let whole = |variable: &str, behind: &[char]| {
        authority.match_indices(variable).all(|(at, _)| {
            let (before, after) = (&authority[..at], &authority[at + variable.len()..]);
            let begins = before.is_empty() || before.ends_with('.');
            begins && (after.is_empty() || after.starts_with(behind))
        })
    };
    // {authority} may bring a port, behind which nothing of a host can follow.
    if whole("{host}", &['.', ':']) && whole("{authority}", &[]) {
        return Ok(());
    }
    let rule = "must have a dot before {host} or {authority} within a host, and a dot or a port at most behind {host}";
    Err(Refusal::new(rule).hint(format!("write for example {PLACE}")))
}
