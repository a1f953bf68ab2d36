//! The settings as data: one row a setting, in one place for each mapping.
//!
//! A row ([`Setting`]) says how a setting is called, what it may be, where its value lies in the checked model, and what a
//! person has to know of it. Reading a file, inheritance from the top of the file to its pools and routes, the lines of a
//! reload's plan, `check`, the reference and the schema iterate the rows; rules across settings are code, in the file of
//! their mapping ([`Settings::judge`]). After ripgrep's `flags/defs.rs`.

mod field;
mod forms;
mod overrides;
mod shape;
mod switched;

mod access_log;
mod admin;
mod backend;
mod balancer;
mod ejection;
mod elsewhere;
mod error_pages;
mod health_check;
mod limits;
mod pool;
mod queue;
mod ranges;
mod reference;
mod resolver;
mod retries;
mod route;
mod schema;
mod sticky;
mod strategy;
mod timeouts;

pub(crate) use self::strategy::is_token_byte;
pub(in crate::config) use self::{
    backend::ADD_A_BACKEND,
    field::{Change, Field, Type},
    forms::{Single, Switch, Whole, switched},
    pool::Draft,
    route::{ACTIONS, FORWARDING, name},
    shape::{Entry, Kind, Mapping, Scalar, Shape},
    sticky::named_cookie,
    strategy::{HASH_KEY, Strategy},
};
pub use self::{
    limits::MAX_HEADER_SIZE,
    overrides::Overrides,
    reference::{Reference, ReferenceEntry, reference},
    schema::schema,
};
use super::{
    checker::Checker,
    fields::{Fields, Key, Keys},
    model::{Config, PoolConfig},
};

/// Where in a file a setting stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Place {
    /// At the top of the file.
    Top,
    /// In a pool below `pools`.
    Pool,
    /// In a route.
    Route,
}

/// What is known of a setting whatever its type.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct About {
    /// Its name in its mapping.
    pub(in crate::config) key: &'static str,
    /// What it does, in one or two sentences.
    pub(in crate::config) text: &'static str,
    /// What goes wrong with a bad value; may be empty.
    pub(in crate::config) danger: &'static str,
    /// The default in words, where the value of the model says too little; may be empty.
    pub(in crate::config) default: &'static str,
    /// How it may be written; may be empty.
    pub(in crate::config) example: &'static str,
    /// Settings and documents that belong to it.
    pub(in crate::config) see: &'static [&'static str],
    /// The version that brought it.
    pub(in crate::config) since: &'static str,
    /// Whether a change needs a restart.
    pub(in crate::config) restart: bool,
    /// Whether it must be written.
    pub(in crate::config) required: bool,
    /// Where it stands, as far as its mapping does.
    pub(in crate::config) places: &'static [Place],
}

impl About {
    const fn new(key: &'static str, text: &'static str) -> Self {
        Self {
            key,
            text,
            danger: "",
            default: "",
            example: "",
            see: &[],
            since: "0.1",
            restart: false,
            required: false,
            places: &[Place::Top, Place::Pool],
        }
    }
}

/// One setting of a mapping whose checked form is `M`.
pub(in crate::config) struct Setting<M: 'static> {
    pub(in crate::config) about: About,
    pub(in crate::config) field: &'static dyn Field<M>,
}

impl<M> Setting<M> {
    /// A setting that may stand wherever its mapping may, but on no route.
    pub(in crate::config) const fn new(
        key: &'static str,
        field: &'static dyn Field<M>,
        text: &'static str,
    ) -> Self {
        Self {
            about: About::new(key, text),
            field,
        }
    }

    /// What goes wrong with a bad value.
    pub(in crate::config) const fn danger(self, danger: &'static str) -> Self {
        let about = About { danger, ..self.about };
        Self { about, ..self }
    }

    /// The default in words.
    pub(in crate::config) const fn default_is(self, default: &'static str) -> Self {
        let about = About {
            default,
            ..self.about
        };
        Self { about, ..self }
    }

    /// How it may be written.
    pub(in crate::config) const fn example(self, example: &'static str) -> Self {
        let about = About {
            example,
            ..self.about
        };
        Self { about, ..self }
    }

    /// What belongs to it.
    pub(in crate::config) const fn see(self, see: &'static [&'static str]) -> Self {
        let about = About { see, ..self.about };
        Self { about, ..self }
    }

    /// A change needs a restart.
    pub(in crate::config) const fn needs_restart(self) -> Self {
        let about = About {
            restart: true,
            ..self.about
        };
        Self { about, ..self }
    }

    /// It must be written.
    pub(in crate::config) const fn required(self) -> Self {
        let about = About {
            required: true,
            ..self.about
        };
        Self { about, ..self }
    }

    /// Where it stands.
    pub(in crate::config) const fn at(self, places: &'static [Place]) -> Self {
        let about = About { places, ..self.about };
        Self { about, ..self }
    }

    /// Routes may have it, too.
    pub(in crate::config) const fn on_routes(self) -> Self {
        self.at(&[Place::Top, Place::Pool, Place::Route])
    }

    pub(in crate::config) fn stands_at(&self, place: Place) -> bool {
        self.about.places.contains(&place)
    }
}

/// A mapping of the file in its checked form, which knows its settings.
pub(in crate::config) trait Settings: Clone + PartialEq + Send + Sync + 'static {
    /// Its settings, in the order of the reference.
    const SETTINGS: &'static [Setting<Self>];
    /// The setting that a single value in the mapping's place sets.
    const SHORT: Option<&'static str> = None;
    /// How it is written, where no single value can stand for it.
    const EXAMPLE: &'static str = "";
    /// What a later version will know, so that nobody looks for a spelling.
    const LATER: &'static [&'static str] = &[];
    /// What other programs have in such a mapping, and what to know about it here.
    const ELSEWHERE: &'static [(&'static str, &'static str)] = &[];

    /// What a file's own settings take away from inherited ones, before they are read over them.
    fn inherit(&mut self, _own: &Fields<'_>) {}

    /// The rules across settings, after all of them are read.
    fn judge(&mut self, _own: &Fields<'_>, _checker: &mut Checker<'_>) {}

    /// The row of a key.
    fn setting(key: &str) -> Option<&'static Setting<Self>> {
        Self::SETTINGS.iter().find(|setting| setting.about.key == key)
    }

    /// The keys that are known at a place, with what they hold.
    fn keys(place: Place) -> Keys {
        Keys {
            known: known::<Self>(place),
            later: Self::LATER,
            elsewhere: Self::ELSEWHERE,
            place,
        }
    }

    /// Reads what is written over what holds without it.
    fn read(&mut self, own: &Fields<'_>, checker: &mut Checker<'_>) {
        self.inherit(own);
        for About { key, example, .. } in known_abouts::<Self>(own.place).filter(|about| about.required) {
            own.require(key, &format!("add for example `{example}`"), checker.problems);
        }
        for setting in Self::SETTINGS
            .iter()
            .filter(|setting| setting.stands_at(own.place))
        {
            setting.field.read(self, (own, setting.about.key), checker);
        }
        self.judge(own, checker);
    }

    /// Each setting with its value, for a person; `path` ends with a dot or is empty.
    fn lines(&self, path: &str) -> Vec<(String, String)> {
        let settings = Self::SETTINGS.iter();
        settings
            .flat_map(|setting| setting.field.lines(&format!("{path}{}", setting.about.key), self))
            .collect()
    }

    /// What turns one into the other, a change a setting.
    fn changes(from: &Self, to: &Self, path: &str) -> Vec<Change<Self>> {
        let settings = Self::SETTINGS.iter();
        settings
            .flat_map(|setting| {
                let changes = setting
                    .field
                    .changes(&format!("{path}{}", setting.about.key), from, to);
                changes.into_iter().map(|change| Change {
                    restart: change.restart || setting.about.restart,
                    ..change
                })
            })
            .collect()
    }

    /// Its rows for those who do not know its type, each with its default.
    fn entries(default: &Self, place: Place) -> Vec<Entry> {
        let here = Self::SETTINGS.iter().filter(|setting| setting.stands_at(place));
        here.map(|setting| Entry {
            about: setting.about,
            shape: setting.field.shape(place, default),
            default: setting.field.value(default),
        })
        .collect()
    }
}

fn known_abouts<M: Settings>(place: Place) -> impl Iterator<Item = &'static About> {
    let here = M::SETTINGS.iter().filter(move |setting| setting.stands_at(place));
    here.map(|setting| &setting.about)
}

/// The keys of a mapping at a place, with what they hold.
fn known<M: Settings>(place: Place) -> Vec<Key> {
    let here = M::SETTINGS.iter().filter(|setting| setting.stands_at(place));
    here.map(|setting| (setting.about.key, setting.field.expects()))
        .collect()
}

/// All rows: what may stand at the top of a file, and below it.
pub(in crate::config) fn tree() -> Vec<Entry> {
    let place = Place::Top;
    let mut all = Config::entries(&Config::default(), place);
    let mut pool = PoolConfig::entries(&PoolConfig::default(), place);
    // Both sides of `timeouts` stand in one mapping.
    let is_timeouts = |entry: &Entry| entry.about.key == "timeouts";
    let client = all.iter().position(is_timeouts).map(|at| all.remove(at).shape);
    let upstream = pool.iter_mut().find(|entry| is_timeouts(entry));
    if let (Some(Shape::Mapping(client)), Some(upstream)) = (client, upstream)
        && let Shape::Mapping(upstream) = &mut upstream.shape
    {
        upstream.entries.extend(client.entries);
    }
    let order = Config::keys(place).known;
    all.extend(pool);
    all.sort_by_key(|entry| order.iter().position(|(key, _)| *key == entry.about.key));
    all
}
