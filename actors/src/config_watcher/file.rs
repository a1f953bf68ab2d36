//! Reading a configuration file and the files that it names.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, OnceLock},
};

use lb_core::config::{self, Config, DEFAULT_PSEUDONYM, Origins, Outside, Problem, Via, shown_path};

use crate::{
    files,
    random::random,
    sticky_key::{KeepKey, fill_sticky_keys},
};

/// Far above any file that a person or a generator would write.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// An error page is kept in memory.
const LARGEST_ERROR_PAGE: u64 = 1024 * 1024;

/// What marks of values that are not shown are made with: this process's own, so that those before and after a reload can
/// be compared. None where the system has no random numbers: a mark without a key would let others try out values.
static MARKS: LazyLock<Option<[u8; 16]>> = LazyLock::new(|| random().ok());

/// A file that can serve.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// What of it is probably not meant.
    pub warnings: Vec<Problem>,
    /// Where its values come from.
    pub origins: Origins,
    /// The file that was read, with all links resolved.
    pub file: PathBuf,
    /// Where its relative paths begin.
    folder: PathBuf,
}

impl Loaded {
    /// Adds what a configuration that is to serve has from elsewhere: the kept key of sticky cookies, and the name that this
    /// process has in `Via`.
    pub fn complete(&mut self, path: &Path) {
        self.complete_with(path, KeepKey::MakeIfMissing);
    }

    pub(super) fn complete_with(&mut self, path: &Path, keep: KeepKey) {
        if let Some(Via::Own(name)) = &mut self.config.via {
            *name = own_pseudonym();
        }
        let warning = fill_sticky_keys(&mut self.config, &self.folder, keep);
        let problem = warning.map(|warning| Problem::of_file(path, warning).field("sticky"));
        self.warnings.extend(problem);
    }
}

/// A name in `Via` that no other process has, the same as long as this one runs.
fn own_pseudonym() -> Arc<str> {
    static NAME: OnceLock<Arc<str>> = OnceLock::new();
    let name = NAME.get_or_init(|| format!("{DEFAULT_PSEUDONYM}-{:016x}", fastrand::u64(..)).into());
    Arc::clone(name)
}

/// A configuration file: where it is, and what messages call it.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    /// Where it is read, from whatever folder the process runs in.
    pub path: PathBuf,
    /// As it was typed.
    pub shown: PathBuf,
}

impl<P: Into<PathBuf>> From<P> for ConfigFile {
    fn from(path: P) -> Self {
        let path = path.into();
        Self {
            shown: path.clone(),
            path,
        }
    }
}

/// Reads and checks a configuration file.
///
/// # Errors
/// All problems; never none.
pub fn load_file(path: &Path) -> Result<Loaded, Vec<Problem>> {
    ConfigFile::from(path).load()
}

impl ConfigFile {
    /// Reads and checks it.
    ///
    /// # Errors
    /// All problems; never none.
    pub fn load(&self) -> Result<Loaded, Vec<Problem>> {
        // What is read is what is named later, though a link on the way is moved meanwhile. A path that leads nowhere is
        // tried as it stands, for the error's sake.
        let file = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let bytes = files::read(&file, LARGEST_FILE).map_err(|error| {
            let hint = error.hint();
            let problem = Problem::of_file(&self.shown, error.to_string());
            vec![match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            }]
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let problem = Problem::of_file(&self.shown, format!("is not UTF-8 text (byte {valid})"));
            vec![problem.hint("save it as UTF-8")]
        })?;
        let name = shown_path(&self.shown);
        let loaded = config::load_with_origins(
            &text,
            &name,
            &Outside {
                env: &|name| std::env::var(name),
                key: *MARKS,
            },
        );
        let loaded = loaded.map_err(|error| error.problems)?;
        let mut config = loaded.config;
        self.read_error_pages(&mut config)?;
        Ok(Loaded {
            config,
            warnings: loaded.warnings,
            origins: loaded.origins,
            file,
            folder: self.folder().to_owned(),
        })
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Reads the files that replace error messages; one that cannot be read is a problem like any other.
    fn read_error_pages(&self, config: &mut Config) -> Result<(), Vec<Problem>> {
        let folder = self.folder();
        let mut problems = Vec::new();
        for (status, page) in &mut config.error_pages {
            let path = folder.join(&*page.path);
            match files::read(&path, LARGEST_ERROR_PAGE) {
                Ok(content) => page.content = content.into(),
                Err(error) => {
                    let rule = format!("{} {error}", shown_path(&path));
                    let problem = Problem::of_file(&self.shown, rule);
                    problems.push(problem.field(format!("error_pages.{status}")));
                }
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }
}
