//! What a configuration file is known by.

use std::{
    env, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The canonical folder of a configuration plus its file name, whose last link is not resolved, so that a Kubernetes
/// ConfigMap may swap what it points to.
///
/// # Errors
/// When the folder does not exist or cannot be read.
pub fn identity(config: &Path) -> io::Result<PathBuf> {
    let name = config
        .file_name()
        .ok_or_else(|| io::Error::other("not a file name"))?;
    let folder = config
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    Ok(fs::canonicalize(folder)?.join(name))
}

/// The same path from every folder, with every link in it as it was typed: a deployment may move a link to a folder, and
/// the name stays. The shell's word for the current folder is taken where it is true, for it has the links that `cd` took.
pub fn absolute(path: &Path) -> PathBuf {
    let typed = env::var_os("PWD").map(PathBuf::from);
    let current = typed.filter(|typed| typed.is_absolute() && is_here(typed));
    let joined = match current.or_else(|| env::current_dir().ok()) {
        Some(current) => current.join(path),
        None => path.to_path_buf(),
    };
    // Takes out `.`; fails for an empty path only.
    std::path::absolute(&joined).unwrap_or(joined)
}

fn is_here(folder: &Path) -> bool {
    let place = |path: &Path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    place(folder).is_some_and(|there| Some(there) == place(Path::new(".")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_last_link_of_a_configuration_is_not_resolved() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("..2026").join("config.yaml");
        fs::create_dir(real.parent().unwrap()).unwrap();
        fs::write(&real, "").unwrap();
        let link = folder.path().join("config.yaml");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(
            identity(&link).unwrap(),
            fs::canonicalize(folder.path()).unwrap().join("config.yaml")
        );
    }

    #[test]
    fn an_absolute_name_keeps_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("current");
        std::os::unix::fs::symlink("releases/1", &link).unwrap();
        assert_eq!(absolute(&link.join("./config.yaml")), link.join("config.yaml"));
        assert!(absolute(Path::new("config.yaml")).is_absolute());
    }
}
