//! Lines of a form of one's own: `{time} {client} "{method} {path}" {status} {header user-agent}`.

use std::{fmt, sync::Arc};

use super::LogField;
pub use crate::route::Piece;
use crate::{
    config::{closest, is_token_byte},
    route::{BadTemplate, pieces},
};

/// The combined format of web servers, without the queries of the path and of the referring page.
pub const COMBINED: &str = "{client} - - [{common_time}] \"{method} {path} {protocol}\" {status} {bytes_sent} \"{referer}\" \
     \"{header user-agent}\"";

/// A line for people.
pub const TEXT: &str = "{time} {client} {method} {host}{path} {protocol} {status} {bytes_received} {bytes_sent} {total_ms}ms \
     pool={pool} backend={backend} attempts={attempts} outcome={outcome} fault={fault} reason=\"{reason}\" id={id}";

/// A pattern of lines.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogPattern {
    text: Arc<str>,
    pieces: Vec<Piece<LogField>>,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPattern {
    /// The rule that it breaks.
    pub rule: String,
    /// What to do about it.
    pub hint: String,
}

impl LogPattern {
    /// Reads a pattern. Its own text has no control characters, so that a line stays a line.
    ///
    /// # Errors
    /// When it has, when a brace is not closed, or when a name means nothing.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        if text.chars().any(char::is_control) {
            return Err(BadPattern {
                rule: "must not hold control characters".to_owned(),
                hint: "a line's end is added".to_owned(),
            });
        }
        let pieces = pieces(text, variable).map_err(|bad| BadPattern {
            rule: bad.to_string(),
            hint: match bad {
                BadTemplate::Unknown(name) => match closest(&name, LogField::names()) {
                    Some(meant) => format!("did you mean `{{{meant}}}`?"),
                    None => format!(
                        "there are: {}, header NAME, response_header NAME",
                        LogField::names().collect::<Vec<_>>().join(", ")
                    ),
                },
                _ => "write {{ and }} for braces".to_owned(),
            },
        })?;
        let text = text.into();
        Ok(Self { text, pieces })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its text and its fields, in their order.
    pub fn pieces(&self) -> &[Piece<LogField>] {
        &self.pieces
    }

    /// The same, which is shown as this text, if there is one.
    #[must_use]
    pub fn shown_as(self, mark: Option<Arc<str>>) -> Self {
        Self {
            text: mark.unwrap_or(self.text),
            ..self
        }
    }
}

impl fmt::Display for LogPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn variable(name: &str) -> Result<LogField, BadTemplate> {
    let unknown = || BadTemplate::Unknown(name.to_owned());
    let Some((kind, header)) = name.split_once(' ') else {
        return LogField::named(name).ok_or_else(unknown);
    };
    let header = header.trim();
    if header.is_empty() || !header.bytes().all(is_token_byte) {
        return Err(unknown());
    }
    let header = header.to_ascii_lowercase().into();
    match kind {
        "header" => Ok(LogField::Header(header)),
        "response_header" => Ok(LogField::ResponseHeader(header)),
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{
        super::{FIELDS, VARIABLES},
        *,
    };
    use crate::route::Variable;

    #[test]
    fn every_variable_of_routes_is_one_of_patterns() {
        for (name, _) in Variable::ALL {
            assert!(LogField::named(name).is_some(), "{name}");
        }
    }

    #[test]
    fn names_are_there_once() {
        let mut names: Vec<_> = LogField::names().collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FIELDS.len() + VARIABLES.len());
    }

    #[test]
    fn text_and_fields_in_their_order() {
        let pattern =
            LogPattern::parse("{{{status}}} {header User-Agent} {response_header  set-cookie}").unwrap();
        let expected = [
            Piece::Text("{".to_owned()),
            Piece::Variable(LogField::Status),
            Piece::Text("} ".to_owned()),
            Piece::Variable(LogField::Header("user-agent".into())),
            Piece::Text(" ".to_owned()),
            Piece::Variable(LogField::ResponseHeader("set-cookie".into())),
        ];
        assert_eq!(pattern.pieces(), expected);
        for format in [COMBINED, TEXT] {
            assert!(LogPattern::parse(format).is_ok());
        }
    }

    #[test]
    fn what_means_nothing_is_refused_with_what_was_probably_meant() {
        let refused = |text: &str| {
            let bad = LogPattern::parse(text).unwrap_err();
            format!("{}; {}", bad.rule, bad.hint)
        };
        assert_eq!(
            refused("{staus}"),
            "must not use the variable {staus}; did you mean `{status}`?"
        );
        assert_eq!(
            refused("{"),
            "must close each { with }; write {{ and }} for braces"
        );
        assert_eq!(
            refused("{id}\n"),
            "must not hold control characters; a line's end is added"
        );
        for text in ["{header}", "{header a b}", "{header }", "{cookies a}"] {
            assert!(refused(text).contains("response_header NAME"), "{text}");
        }
    }
}
