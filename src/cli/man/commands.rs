//! The pages of the commands: `simple-lb.1`, and one a verb.

use std::io;

use clap::{Command, CommandFactory};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::{MANUAL, NO_DATE, Page, SOURCE};
use crate::cli::args::Args;

/// The page of the program, and those of its verbs.
///
/// # Errors
/// None in practice: they are written into memory.
pub(super) fn pages() -> io::Result<Vec<Page>> {
    let mut program = Args::command().disable_help_subcommand(true);
    // Gives the verbs their full names and the options that all of them have.
    program.build();
    let verbs = program.get_subcommands().cloned();
    let all = verbs.chain([program.clone()]);
    all.map(|command| page(&command)).collect()
}

fn page(command: &Command) -> io::Result<Page> {
    let man = Man::new(command.clone())
        .date(NO_DATE)
        .source(SOURCE)
        .manual(MANUAL);
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    let mut options = Vec::new();
    man.render_options_section(&mut options)?;
    // clap_mangen leaves the blank line of a help with two paragraphs, which ends the indented one.
    text.extend(
        String::from_utf8_lossy(&options)
            .replace("\n\n", "\n.IP\n")
            .bytes(),
    );
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    after_help(command).to_writer(&mut text)?;
    see_also(command).to_writer(&mut text)?;
    Ok(Page {
        file: man.get_filename(),
        text,
    })
}

/// What stands below the options: examples, whose lines clap_mangen would fill, and paragraphs.
fn after_help(command: &Command) -> Roff {
    let mut roff = Roff::new();
    let help = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut has_notes = false;
    for paragraph in help.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        if let Some((_, examples)) = paragraph
            .split_once('\n')
            .filter(|_| paragraph.starts_with("Example"))
        {
            roff.control("SH", ["EXAMPLES"]).control("nf", []);
            for line in examples.lines() {
                roff.text([roman(line.trim_start())]);
            }
            roff.control("fi", []);
        } else if let Some(codes) = paragraph.strip_prefix("Exit codes: ") {
            roff.control("SH", ["EXIT STATUS"]).text([roman(codes)]);
        } else {
            if has_notes {
                roff.control("PP", []);
            } else {
                roff.control("SH", ["NOTES"]);
            }
            has_notes = true;
            paragraph.lines().for_each(|line| {
                roff.text([roman(line)]);
            });
        }
    }
    roff
}

fn see_also(command: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    let mut pages = vec![bold("simple-lb.yaml"), roman("(5)")];
    if !command.has_subcommands() {
        pages.splice(0..0, [bold("simple-lb"), roman("(1), ")]);
    }
    roff.text(pages);
    roff
}
