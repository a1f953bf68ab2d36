//! Which running instance a command means.
//!
//! Commands that only read may take the user's only instance for the one that is meant. Commands that change something
//! never guess where a configuration is at hand, and never take another user's instance that was not named.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    claim::{InstanceInfo, living, lock_names},
    folders::{Distrust, Folder, RelativeFolder, own_uid, to_search},
    identity::{absolute, identity},
};

/// The configuration that is meant where none is named.
const DEFAULT: &str = "config.yaml";

/// What a command does with the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It looks.
    Read,
    /// It changes something.
    Change,
}

/// The outcome of looking for the instance that a command means.
#[derive(Debug)]
pub enum Found {
    /// The one of the given configuration, or of `./config.yaml`.
    Meant(InstanceInfo),
    /// The user's only one, though it has another configuration than the one in this folder.
    OnlyOne(InstanceInfo),
    /// None that is certainly meant.
    Unclear(Unclear),
}

/// Why no instance is certainly meant.
#[derive(Debug)]
pub struct Unclear {
    /// The configuration that was meant, if one was.
    pub meant: Option<PathBuf>,
    /// All that run, of this user first.
    pub running: Vec<InstanceInfo>,
    /// Folders that could not be looked into, with what to type.
    pub obstacles: Vec<String>,
}

impl InstanceInfo {
    /// Whether it belongs to the user of this process.
    pub fn is_own(&self) -> bool {
        self.owner == own_uid()
    }
}

/// All running instances of this user, and for root also those of others; with the folders that are not believed.
fn survey() -> Result<(Vec<InstanceInfo>, Vec<Distrust>), RelativeFolder> {
    let (mut found, mut obstacles) = (Vec::new(), Vec::new());
    for place in to_search()? {
        match Folder::open(place) {
            Ok(folder) => {
                found.extend(lock_names(&folder).filter_map(|name| living(&folder, &name)));
            }
            Err(distrust) if distrust.is_absent() => {}
            Err(distrust) => obstacles.push(distrust),
        }
    }
    found.sort_by(|a, b| (!a.is_own(), &a.config).cmp(&(!b.is_own(), &b.config)));
    Ok((found, obstacles))
}

/// Whether this instance still holds its identity.
pub fn is_running(info: &InstanceInfo) -> bool {
    survey().is_ok_and(|(all, _)| all.contains(info))
}

/// The instance that a command means: the one of `config` if that was given, else the one of `./config.yaml`; where there
/// is no such file, or for a command that only looks, the user's only one.
///
/// # Errors
/// [`RelativeFolder`]
pub fn find(config: Option<&Path>, purpose: Purpose) -> Result<Found, RelativeFolder> {
    let (running, obstacles) = survey()?;
    let asked = config.unwrap_or(Path::new(DEFAULT));
    if let Some(info) = of_configuration(&running, asked) {
        return Ok(Found::Meant(info.clone()));
    }
    let is_named = config.is_some();
    let is_here = is_named || fs::symlink_metadata(asked).is_ok();
    if !is_named && (purpose == Purpose::Read || !is_here) {
        let candidates = running
            .iter()
            .filter(|info| purpose == Purpose::Read || info.is_own());
        let mut own = candidates.clone().filter(|info| info.is_own());
        let mut all = candidates;
        if let Some(info) = only(&mut own).or_else(|| only(&mut all)) {
            return Ok(Found::OnlyOne(info.clone()));
        }
    }
    Ok(Found::Unclear(Unclear {
        meant: is_here.then(|| asked.to_path_buf()),
        running,
        obstacles: obstacles.iter().map(ToString::to_string).collect(),
    }))
}

/// The instance of that configuration: by its place, else by the name under which it was started, whose links may lead
/// elsewhere by now. Of several the user's own.
fn of_configuration<'a>(running: &'a [InstanceInfo], config: &Path) -> Option<&'a InstanceInfo> {
    let (place, name) = (identity(config).ok(), absolute(config));
    let by_place = |info: &&InstanceInfo| Some(&info.config) == place.as_ref();
    let by_name = |info: &&InstanceInfo| info.named == name;
    let own = |info: &&InstanceInfo| info.is_own();
    let mut attempts = [
        only(&mut running.iter().filter(by_place).filter(own)),
        only(&mut running.iter().filter(by_name).filter(own)),
        only(&mut running.iter().filter(by_place)),
        only(&mut running.iter().filter(by_name)),
    ]
    .into_iter();
    attempts.find_map(|found| found)
}

fn only<'a>(some: &mut impl Iterator<Item = &'a InstanceInfo>) -> Option<&'a InstanceInfo> {
    let first = some.next();
    first.filter(|_| some.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(place: &str, name: &str, owner: u32) -> InstanceInfo {
        InstanceInfo {
            pid: 1,
            config: place.into(),
            named: name.into(),
            socket: PathBuf::new(),
            owner,
        }
    }

    #[test]
    fn an_instance_is_known_by_its_place_and_else_by_its_name() {
        let own = own_uid();
        let old = instance("/x/releases/1/lb.yaml", "/x/current/lb.yaml", own);
        let named = Path::new("/x/current/lb.yaml");
        assert_eq!(of_configuration(std::slice::from_ref(&old), named), Some(&old));
        assert_eq!(
            of_configuration(std::slice::from_ref(&old), Path::new("/x/other.yaml")),
            None
        );
        let twice = [
            old.clone(),
            instance("/x/releases/2/lb.yaml", "/x/current/lb.yaml", own),
        ];
        assert_eq!(of_configuration(&twice, named), None, "either could be meant");
        let foreign = instance("/x/releases/1/lb.yaml", "/x/current/lb.yaml", own + 1);
        assert_eq!(of_configuration(&[foreign, old.clone()], named), Some(&old));
    }
}
