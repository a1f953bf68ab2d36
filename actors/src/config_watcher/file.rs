//! Reading a configuration file and the files that it names.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use lb_core::{
    config::{self, Config, DEFAULT_PSEUDONYM, Origins, Outside, Problem, Via, shown_path},
    token::TokenDigest,
};

use crate::{files, kept::KeepKey, marks, sticky_key::fill_sticky_keys, tokens};

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
    /// Where its values come from.
    pub origins: Arc<Origins>,
    /// The file that was read, with all links resolved.
    pub file: PathBuf,
    /// Where its relative paths begin.
    folder: PathBuf,
    /// The file as it was typed.
    shown: PathBuf,
    marked: bool,
}

impl Loaded {
    /// Where what it says stands.
    pub fn places(&self) -> Places {
        Places {
            shown: self.shown.clone(),
            origins: Arc::clone(&self.origins),
        }
    }

    /// The keys that it has from elsewhere.
    pub fn keys(&self) -> Keys {
        Keys {
            folder: self.folder.clone(),
            shown: self.shown.clone(),
            marked: self.marked,
        }
    }
}

/// Where what a file says stands, for problems that only show when it is acted upon.
#[derive(Debug, Clone)]
pub struct Places {
    shown: PathBuf,
    origins: Arc<Origins>,
}

impl Places {
    /// A problem of a setting, at its place; where only a mapping around it is written, at that.
    pub fn problem(&self, field: &str, rule: impl Into<String>) -> Problem {
        let mut key = Some(field);
        let position = std::iter::from_fn(|| {
            let here = key?;
            key = here.rsplit_once('.').map(|(outer, _)| outer);
            Some(self.origins.position(here))
        });
        Problem {
            position: position.flatten().next(),
            ..Problem::of_file(&self.shown, rule).field(field)
        }
    }
}

/// The keys that a configuration has from `state_dir`. They are made once nothing is in the way of what it says: a start or a
/// reload that is refused leaves nothing behind.
#[derive(Debug, Clone)]
pub struct Keys {
    folder: PathBuf,
    shown: PathBuf,
    marked: bool,
}

impl Keys {
    /// Gives the configuration those that are kept, and keeps those that are missing. Returns what a person should know.
    pub fn make(&self, config: &mut Config) -> Option<Problem> {
        if self.marked {
            marks::keep(config, &self.folder);
        }
        self.fill(config, KeepKey::MakeIfMissing)
    }

    /// The same without keeping any.
    pub(super) fn look_up(&self, config: &mut Config) -> Option<Problem> {
        self.fill(config, KeepKey::OnlyRead)
    }

    fn fill(&self, config: &mut Config, keep: KeepKey) -> Option<Problem> {
        let warning = fill_sticky_keys(config, &self.folder, keep)?;
        Some(Problem::of_file(&self.shown, warning).field("sticky"))
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
    /// Reads and checks it, for a look.
    ///
    /// # Errors
    /// All problems; never none.
    pub fn load(&self) -> Result<Loaded, Vec<Problem>> {
        self.load_with(marks::key)
    }

    /// Reads and checks it, for what serves: with the name that this process has in `Via`, and without its [`Keys`].
    ///
    /// # Errors
    /// All problems; never none.
    pub fn load_to_serve(&self) -> Result<Loaded, Vec<Problem>> {
        let mut loaded = self.load_with(|| marks::known().flatten())?;
        if loaded.marked && marks::known().is_none() {
            // Only the file tells where the key of its marks is.
            marks::take_kept(&loaded.config, &loaded.folder);
            loaded = self.load()?;
        }
        if let Some(Via::Own(name)) = &mut loaded.config.via {
            *name = own_pseudonym();
        }
        Ok(loaded)
    }

    fn load_with(&self, key: impl FnOnce() -> Option<marks::Key>) -> Result<Loaded, Vec<Problem>> {
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
                key: key(),
            },
        );
        let loaded = loaded.map_err(|error| error.problems)?;
        let mut config = loaded.config;
        self.read_error_pages(&mut config, &loaded.origins)?;
        let mut warnings = loaded.warnings;
        warnings.extend(self.read_tokens(&mut config, &loaded.origins)?);
        Ok(Loaded {
            config,
            warnings,
            origins: Arc::new(loaded.origins),
            file,
            folder: self.folder().to_owned(),
            shown: self.shown.clone(),
            marked: loaded.marked,
        })
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Reads the files that replace error messages; one that cannot be read is a problem like any other.
    fn read_error_pages(&self, config: &mut Config, origins: &Origins) -> Result<(), Vec<Problem>> {
        let folder = self.folder();
        let mut problems = Vec::new();
        for (status, page) in &mut config.error_pages {
            let path = folder.join(&*page.path);
            match files::read(&path, LARGEST_ERROR_PAGE) {
                Ok(content) => page.content = content.into(),
                Err(error) => {
                    let shown = folder.join(page.path.shown());
                    let rule = format!("{} {error}", shown_path(&shown));
                    let field = format!("error_pages.{status}");
                    let position = origins.position(&field);
                    problems.push(Problem {
                        position,
                        ..Problem::of_file(&self.shown, rule).field(field)
                    });
                }
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// Reads the files that hold tokens of the admin API. What is wrong with one is a problem like any other; that everybody may
    /// read one is returned as a warning.
    fn read_tokens(&self, config: &mut Config, origins: &Origins) -> Result<Vec<Problem>, Vec<Problem>> {
        let (folder, mut problems, mut warnings) = (self.folder(), Vec::new(), Vec::new());
        let written = config.admin.iter().flat_map(|admin| &admin.tokens);
        let written = written.filter_map(|token| Some((Arc::clone(&token.name), token.digest.clone()?)));
        let mut known: Vec<(Arc<str>, TokenDigest)> = written.collect();
        let tokens = config.admin.iter_mut().flat_map(|admin| &mut admin.tokens);
        // Those of the list come after the one that is written as `token`, which has no file.
        let listed = tokens.skip_while(|token| token.is_short);
        for (index, token) in listed.enumerate() {
            let field = format!("admin.tokens[{index}].file");
            let Some(path) = &token.file else {
                continue;
            };
            let shown = shown_path(&folder.join(path.shown()));
            let said = |rule: String, hint: Option<&str>| Problem {
                position: origins.position(&field),
                hint: hint.map(str::to_owned),
                ..Problem::of_file(&self.shown, format!("{shown} {rule}")).field(&*field)
            };
            match tokens::read(&folder.join(&**path)) {
                Ok(read) => {
                    // Of two equal ones the log could not say whose it was.
                    if let Some((other, _)) = known.iter().find(|(_, other)| other.is_same(&read.digest)) {
                        let rule = format!("holds the secret of `{other}`, too");
                        problems.push(said(rule, Some("make one with `openssl rand -hex 32`")));
                    }
                    known.push((Arc::clone(&token.name), read.digest.clone()));
                    token.digest = Some(read.digest);
                    warnings.extend(
                        read.warning
                            .map(|warning| said(warning, Some(tokens::WARNING_HINT))),
                    );
                }
                Err((rule, hint)) => problems.push(said(rule, hint.as_deref())),
            }
        }
        match problems.is_empty() {
            true => Ok(warnings),
            false => Err(problems),
        }
    }
}
