//! Reading a configuration file and the files that it names.

use std::{io::Read, path::Path};

use lb_core::config::{self, Config, Problem};

use crate::sticky_key::{KeepKey, fill_sticky_keys};

/// Far above any file that a person or a generator would write.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// An error page is kept in memory.
const LARGEST_ERROR_PAGE: u64 = 1024 * 1024;

/// A file that can serve.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// What of it is probably not meant.
    pub warnings: Vec<Problem>,
}

impl Loaded {
    /// Adds what a configuration that is to serve has from elsewhere: the kept key of sticky cookies.
    pub fn complete(&mut self, path: &Path) {
        self.complete_with(path, KeepKey::MakeIfMissing);
    }

    pub(super) fn complete_with(&mut self, path: &Path, keep: KeepKey) {
        let warning = fill_sticky_keys(&mut self.config, keep);
        let problem = warning.map(|warning| Problem::of_file(path, warning).field("sticky"));
        self.warnings.extend(problem);
    }
}

/// Reads and checks a configuration file.
///
/// # Errors
/// All problems; never none.
pub fn load_file(path: &Path) -> Result<Loaded, Vec<Problem>> {
    let unreadable = |error: std::io::Error| vec![Problem::of_file(path, format!("cannot be read: {error}"))];
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(vec![Problem::of_file(path, "is larger than 16 MiB")]);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let problem = Problem::of_file(path, format!("is not UTF-8 text (byte {valid})"));
        vec![problem.hint("save it as UTF-8")]
    })?;
    let name = path.display().to_string();
    let loaded = config::load_with_warnings(&text, &name, &|name| std::env::var(name).ok());
    let (mut config, warnings) = loaded.map_err(|error| error.problems)?;
    read_error_pages(&mut config, path)?;
    Ok(Loaded { config, warnings })
}

/// Reads the files that replace error messages; one that cannot be read is a problem like any other.
fn read_error_pages(config: &mut Config, config_path: &Path) -> Result<(), Vec<Problem>> {
    let folder = config_path.parent().unwrap_or(Path::new("."));
    let mut problems = Vec::new();
    for (status, page) in &mut config.error_pages {
        let path = folder.join(&*page.path);
        let mut content = Vec::new();
        let read = std::fs::File::open(&path)
            .and_then(|file| file.take(LARGEST_ERROR_PAGE + 1).read_to_end(&mut content));
        let mut add = |rule: String| {
            let problem = Problem::of_file(config_path, rule);
            problems.push(problem.field(format!("error_pages.{status}")));
        };
        match read {
            Ok(_) if content.len() as u64 > LARGEST_ERROR_PAGE => {
                add(format!("{} is larger than 1 MiB", path.display()));
            }
            Ok(_) => page.content = content.into(),
            Err(error) => add(format!("{} cannot be read: {error}", path.display())),
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}
