//! `simple-lb man`: the manual pages, from the definitions of the commands and of the settings.
//!
//! They are written by the program itself, so that a package needs no second source of what can be typed.

mod commands;
mod settings;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::Args as ClapArgs;

use super::{
    exit,
    output::{error_line, line},
};

/// The name of the manual, at the top of each page.
const MANUAL: &str = "simple-lb manual";

/// Pages carry no date, so that those of one version are equal whenever they are made. In quotes, because roff takes what
/// follows for the date otherwise.
const NO_DATE: &str = "\"\"";

/// The program and its version, at the bottom of each page.
const SOURCE: &str = concat!("simple-lb ", env!("CARGO_PKG_VERSION"));

/// `simple-lb man`
#[derive(Debug, ClapArgs)]
pub(super) struct ManArgs {
    /// The folder for the pages, which is made if it is missing
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
}

/// A manual page.
struct Page {
    /// The name of its file.
    file: String,
    text: Vec<u8>,
}

pub(super) fn man(args: &ManArgs) -> u8 {
    match write_pages(&args.into) {
        Ok(count) => {
            line(format_args!("{count} pages written to {}", args.into.display()));
            exit::DONE
        }
        Err(error) => {
            error_line(format_args!(
                "cannot write pages to {}: {error}",
                args.into.display()
            ));
            exit::FAILED
        }
    }
}

fn write_pages(folder: &Path) -> io::Result<usize> {
    let mut pages = commands::pages()?;
    pages.push(settings::page());
    fs::create_dir_all(folder)?;
    for Page { file, text } in &pages {
        fs::write(folder.join(file), text)?;
    }
    Ok(pages.len())
}
