//! Where things stand: the file read by a parser that keeps line and column, which serde_yaml does not tell.
//!
//! Nothing here decides a value. Should this parser and serde_yaml ever disagree, messages lose precision (a
//! value falls back to the place of what contains it) and the configuration stays what serde_yaml says.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, Span};

use super::problem::{Position, Refusal, shown};

/// A node's place, and what it contains.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) position: Position,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Its text without quotes, escapes and line folds undone.
    Scalar(String),
    List(Vec<Mark>),
    /// Keys and values, in order.
    Mapping(Vec<(Mark, Mark)>),
    /// A reference: whatever it expands to stands where it is written.
    Alias,
}

/// What the parser saw.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// As much of the tree as could be read.
    pub(super) root: Option<Mark>,
    /// What serde_yaml must not get to see, or would not tell.
    pub(super) refused: Option<(Position, Refusal)>,
    /// Where this parser gave up, and why. Whether the file is good YAML is for serde_yaml to say.
    pub(super) failed: Option<(Position, String)>,
}

/// An opened list or mapping. A mapping's children alternate between keys and values.
struct Open {
    position: Position,
    mapping: bool,
    children: Vec<Mark>,
}

/// Reads the places of the values in `text`, down to `max_depth` levels.
pub(super) fn read(text: &str, max_depth: usize) -> Marks {
    let mut reader = Reader {
        text,
        line_starts: line_starts(text),
        anchors: HashSet::new(),
        open: Vec::new(),
        marks: Marks::default(),
    };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let position = position(error.marker().line(), error.marker().col());
                reader.marks.failed = Some((position, error.info().to_owned()));
                break;
            }
        };
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
        }
        let refused = if documents > 1 {
            let line = reader.line(span.start.line()).unwrap_or_default();
            let hint = match line.starts_with("---") {
                true => "remove the line `---` and what follows it",
                false => "remove the line `...`, which ends the document, or what follows it",
            };
            Some(Refusal::new("holds more than one YAML document").hint(hint))
        } else if reader.open.len() > max_depth {
            Some(Refusal::new(format!("is nested deeper than {max_depth} levels")))
        } else {
            reader.take(event, span)
        };
        if let Some(refusal) = refused {
            reader.marks.refused = Some((position(span.start.line(), span.start.col()), refusal));
            break;
        }
    }
    while !reader.open.is_empty() {
        reader.close();
    }
    reader.marks
}

struct Reader<'t> {
    text: &'t str,
    /// The byte at which each line starts.
    line_starts: Vec<usize>,
    anchors: HashSet<&'t str>,
    open: Vec<Open>,
    marks: Marks,
}

impl<'t> Reader<'t> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Option<Refusal> {
        let (kind, decorated) = match event {
            Event::Scalar(text, _, anchor, tag) => {
                (Some(Kind::Scalar(text.into_owned())), anchor > 0 || tag.is_some())
            }
            Event::SequenceStart(anchor, tag) => (Some(Kind::List(Vec::new())), anchor > 0 || tag.is_some()),
            Event::MappingStart(anchor, tag) => {
                (Some(Kind::Mapping(Vec::new())), anchor > 0 || tag.is_some())
            }
            Event::Alias(_) => (Some(Kind::Alias), false),
            Event::SequenceEnd | Event::MappingEnd => {
                self.close();
                (None, false)
            }
            _ => (None, false),
        };
        let mut mark = Mark {
            position: position(span.start.line(), span.start.col()),
            kind: kind?,
        };
        let anchor = if decorated {
            self.skip_decoration(&mut mark)
        } else {
            None
        };
        match mark.kind {
            Kind::List(children) => self.open.push(Open {
                position: mark.position,
                mapping: false,
                children,
            }),
            Kind::Mapping(_) => self.open.push(Open {
                position: mark.position,
                mapping: true,
                children: Vec::new(),
            }),
            Kind::Scalar(_) | Kind::Alias => self.add(mark),
        }
        // serde_yaml confuses anchors once a name was used twice.
        let twice = anchor.filter(|name| !self.anchors.insert(name))?;
        Some(
            Refusal::new(format!("uses the anchor `&{}` a second time", shown(twice)))
                .hint("give each anchor its own name"),
        )
    }

    fn close(&mut self) {
        let Some(Open {
            position,
            mapping,
            children,
        }) = self.open.pop()
        else {
            return;
        };
        let kind = if mapping {
            Kind::Mapping(pairs(children))
        } else {
            Kind::List(children)
        };
        self.add(Mark { position, kind });
    }

    fn add(&mut self, mark: Mark) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(mark),
            None => self.marks.root = Some(mark),
        }
    }

    /// Moves a mark that stands at `&anchor !tag value` on to the value, if that is on the same line; returns the
    /// anchor's name, which may stand on a later one.
    fn skip_decoration(&self, mark: &mut Mark) -> Option<&'t str> {
        let Position { mut line, column } = mark.position;
        let text = self.line(line)?;
        let (start, _) = text.char_indices().nth(column - 1)?;
        let mut rest = &text[start..];
        let mut anchor = None;
        loop {
            while rest.starts_with(['&', '!']) {
                // Neither holds what ends an item of a list or mapping in brackets.
                let end = rest
                    .find([' ', '\t', ',', '[', ']', '{', '}'])
                    .unwrap_or(rest.len());
                anchor = anchor.or(rest[..end].strip_prefix('&'));
                rest = rest[end..].trim_start_matches([' ', '\t']);
            }
            if !rest.is_empty() && !rest.starts_with('#') {
                if line == mark.position.line {
                    mark.position.column += text[start..].chars().count() - rest.chars().count();
                }
                return anchor;
            }
            let Some((later, next)) = self.decoration_below(line) else {
                return anchor;
            };
            (line, rest) = (later, next);
        }
    }

    /// The next line, if it goes on with what decorates the node of this one.
    fn decoration_below(&self, line: usize) -> Option<(usize, &'t str)> {
        let indent = |text: &str| text.len() - text.trim_start_matches(' ').len();
        let here = self.line(line)?;
        let is_text = |text: &str| !text.trim().is_empty() && !text.trim_start().starts_with('#');
        let (later, next) = (line + 1..=self.line_starts.len())
            .filter_map(|number| Some((number, self.line(number)?)))
            .find(|(_, text)| is_text(text))?;
        // As deep as here, it belongs to the next node, unless nothing but decoration stands here.
        let belongs = indent(next) > indent(here) || here.trim_start().starts_with(['&', '!']);
        let next = next.trim_start();
        (belongs && next.starts_with(['&', '!'])).then_some((later, next))
    }

    fn line(&self, number: usize) -> Option<&'t str> {
        let start = *self.line_starts.get(number - 1)?;
        Some(self.text[start..].lines().next().unwrap_or_default())
    }
}

fn pairs(children: Vec<Mark>) -> Vec<(Mark, Mark)> {
    let mut children = children.into_iter();
    let mut pairs = Vec::new();
    while let (Some(key), Some(value)) = (children.next(), children.next()) {
        pairs.push((key, value));
    }
    pairs
}

/// The parser counts columns from 0.
fn position(line: usize, column: usize) -> Position {
    Position {
        line: line.max(1),
        column: column + 1,
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let ends = (0..bytes.len())
        .filter(|&at| bytes[at] == b'\n' || bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
    std::iter::once(0).chain(ends.map(|end| end + 1)).collect()
}
