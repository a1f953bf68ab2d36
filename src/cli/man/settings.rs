//! The page of the configuration file, `simple-lb.yaml.5`, from the rows of the settings.

use clap_mangen::roff::{Inline, Roff, bold, roman};
use lb_core::config::{Reference, ReferenceEntry};

use super::{MANUAL, NO_DATE, Page, SOURCE};

pub(super) fn page() -> Page {
    let Reference {
        introduction,
        settings,
    } = Reference::of_all_settings();
    let mut roff = Roff::new();
    roff.control("TH", ["simple-lb.yaml", "5", NO_DATE, SOURCE, MANUAL]);
    roff.control("SH", ["NAME"])
        .text([roman("simple-lb.yaml - the configuration file of simple-lb")]);
    roff.control("SH", ["DESCRIPTION"]);
    for (index, paragraph) in introduction.into_iter().enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        roff.text(inlines(paragraph));
    }
    roff.control("SH", ["SETTINGS"]);
    settings.iter().for_each(|entry| write_entry(&mut roff, entry));
    roff.control("SH", ["FILES"]);
    roff.control("TP", []).text([bold("config.yaml")]).text([
        roman("In the current folder: the file of a command without "),
        bold("--config"),
        roman("."),
    ]);
    roff.control("TP", [])
        .text([bold("/etc/simple-lb/config.yaml")])
        .text([roman("The file of the service.")]);
    roff.control("SH", ["SEE ALSO"]).text([
        bold("simple-lb"),
        roman("(1), "),
        bold("simple-lb-check"),
        roman("(1)"),
    ]);
    Page {
        file: "simple-lb.yaml.5".to_owned(),
        text: roff.render().into_bytes(),
    }
}

fn write_entry(roff: &mut Roff, entry: &ReferenceEntry) {
    roff.control("SS", [entry.path.as_str()]);
    roff.text(inlines(entry.text));
    for (name, value) in &entry.facts {
        roff.control("TP", []).text([bold(*name)]).text(inlines(value));
    }
    if !entry.example.is_empty() {
        roff.control("PP", []).control("nf", []);
        for line in entry.example.lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
}

/// Markdown of one line: what is code becomes bold, and of a link its words stay.
fn inlines(markdown: &str) -> Vec<Inline> {
    let text = without_links(markdown);
    let parts = text.split('`').enumerate();
    let parts = parts.filter(|(_, part)| !part.is_empty());
    parts
        .map(|(index, part)| match index % 2 {
            0 => roman(part),
            _ => bold(part),
        })
        .collect()
}

fn without_links(markdown: &str) -> String {
    let (mut text, mut rest) = (String::new(), markdown);
    while let Some((before, link)) = rest.split_once("](") {
        let target = link.split_once(')');
        match (opening(before), target) {
            (Some(open), Some((_, behind))) => {
                text.push_str(&before[..open]);
                text.push_str(&before[open + 1..]);
                rest = behind;
            }
            _ => break,
        }
    }
    text.push_str(rest);
    text
}

/// Where the bracket stands that the end of this text closes; words of links have brackets of their own, as `backends[].url`.
fn opening(words: &str) -> Option<usize> {
    let mut closed = 0;
    let brackets = words.char_indices().rev();
    for (at, bracket) in brackets {
        match bracket {
            ']' => closed += 1,
            '[' if closed == 0 => return Some(at),
            '[' => closed -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_markdown_the_words_stay() {
        let see = "[`backends[].weight`](#backendsweight), [routing.md](routing.md) and `a - b`";
        assert_eq!(
            inlines(see),
            [
                bold("backends[].weight"),
                roman(", routing.md and "),
                bold("a - b"),
            ]
        );
        assert_eq!(without_links("x](0) and [y"), "x](0) and [y");
    }
}
