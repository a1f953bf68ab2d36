//! How a row reaches its value in the checked model.

use std::{fmt, sync::Arc};

use super::{Checker, Entry, Mapping, Place, Settings, Shape};
use crate::config::fields::Fields;

/// A setting as a file has it: its mapping, and its key there.
pub(in crate::config) type At<'f> = (&'f Fields<'f>, &'f str);

/// What a value may be, and how it is read and shown.
pub(in crate::config) trait Type<T>: Sync {
    /// For `must be …, not a list`.
    fn expects(&self) -> &'static str;
    /// For the reference and the schema.
    fn shape(&self) -> Shape;
    /// The value; `None` if it is not written, or refused.
    fn read(&self, at: At<'_>, checker: &mut Checker<'_>) -> Option<T>;
    /// As it could be written.
    fn show(&self, value: &T) -> String;
    /// Whether a change from one to the other changes anything.
    fn is_same(&self, a: &T, b: &T) -> bool;
}

/// Where a value lies in a model.
pub(in crate::config) struct Lens<M, T> {
    pub(in crate::config) get: fn(&M) -> &T,
    pub(in crate::config) get_mut: fn(&mut M) -> &mut T,
}

/// `lens!(Limits, header_size)`: both ways to a field.
macro_rules! lens {
    ($model:ty, $($field:tt).+) => {
        $crate::config::settings::field::Lens {
            get: |model: &$model| &model.$($field).+,
            get_mut: |model: &mut $model| &mut model.$($field).+,
        }
    };
}
pub(in crate::config) use lens;

/// A setting of the model `M`, whatever its type.
pub(in crate::config) trait Field<M>: Sync {
    /// For `must be …, not a list`.
    fn expects(&self) -> &'static str;
    /// What may stand there; the defaults within are those of `default`.
    fn shape(&self, place: Place, default: &M) -> Shape;
    /// Its value as a person reads it; `None` if it is a mapping.
    fn value(&self, of: &M) -> Option<String>;
    /// Reads what is written over what is there.
    fn read(&self, to: &mut M, at: At<'_>, checker: &mut Checker<'_>);
    /// Its values for a person, with their keys.
    fn lines(&self, key: &str, of: &M) -> Vec<(String, String)>;
    /// What turns one into the other.
    fn changes(&self, key: &str, from: &M, to: &M) -> Vec<Change<M>>;
    /// Takes its value over from another.
    fn put(&self, from: &M, to: &mut M);
}

/// A setting's change, which can be shown and made.
pub(in crate::config) struct Change<M> {
    pub(in crate::config) key: String,
    pub(in crate::config) from: String,
    pub(in crate::config) to: String,
    pub(in crate::config) restart: bool,
    pub(in crate::config) make: Arc<dyn Fn(&mut M) + Send + Sync>,
}

impl<M> Clone for Change<M> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            restart: self.restart,
            make: Arc::clone(&self.make),
        }
    }
}

/// `timeouts.connect 3s -> 1s`; where both sides look the same, what differs is the secret that neither shows.
impl<M> fmt::Display for Change<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, from, to, .. } = self;
        if from == to {
            return write!(f, "{key} key changed");
        }
        write!(f, "{key} {from} -> {to}")
    }
}

impl<M> fmt::Debug for Change<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<N: 'static> Change<N> {
    /// The change of the model that holds the changed one.
    pub(in crate::config) fn within<M: 'static>(self, get_mut: fn(&mut M) -> &mut N) -> Change<M> {
        let make = self.make;
        Change {
            key: self.key,
            from: self.from,
            to: self.to,
            restart: self.restart,
            make: Arc::new(move |model| make(get_mut(model))),
        }
    }
}

/// A value of its own.
pub(in crate::config) struct Leaf<M: 'static, T: 'static>(
    pub(in crate::config) Lens<M, T>,
    pub(in crate::config) &'static dyn Type<T>,
);

impl<M: 'static, T: Clone + Send + Sync + 'static> Field<M> for Leaf<M, T> {
    fn expects(&self) -> &'static str {
        self.1.expects()
    }

    fn shape(&self, _place: Place, _default: &M) -> Shape {
        self.1.shape()
    }

    fn value(&self, of: &M) -> Option<String> {
        Some(self.1.show((self.0.get)(of)))
    }

    fn read(&self, to: &mut M, at: At<'_>, checker: &mut Checker<'_>) {
        if let Some(value) = self.1.read(at, checker) {
            *(self.0.get_mut)(to) = value;
        }
    }

    fn lines(&self, key: &str, of: &M) -> Vec<(String, String)> {
        vec![(key.to_owned(), self.1.show((self.0.get)(of)))]
    }

    fn changes(&self, key: &str, from: &M, to: &M) -> Vec<Change<M>> {
        let (from, to) = ((self.0.get)(from), (self.0.get)(to));
        if self.1.is_same(from, to) {
            return Vec::new();
        }
        let (get_mut, value) = (self.0.get_mut, to.clone());
        vec![Change {
            key: key.to_owned(),
            from: self.1.show(from),
            to: self.1.show(to),
            restart: false,
            make: Arc::new(move |model| *get_mut(model) = value.clone()),
        }]
    }

    fn put(&self, from: &M, to: &mut M) {
        *(self.0.get_mut)(to) = (self.0.get)(from).clone();
    }
}

/// A mapping of settings within another; a single value sets its [`Settings::SHORT`].
pub(in crate::config) struct Part<M: 'static, N: 'static>(
    pub(in crate::config) Lens<M, N>,
    /// For `must be …, not a list`.
    pub(in crate::config) &'static str,
);

impl<M: 'static, N: Settings> Field<M> for Part<M, N> {
    fn expects(&self) -> &'static str {
        self.1
    }

    fn shape(&self, place: Place, default: &M) -> Shape {
        Shape::Mapping(mapping((self.0.get)(default), place))
    }

    fn value(&self, _of: &M) -> Option<String> {
        None
    }

    fn read(&self, to: &mut M, at: At<'_>, checker: &mut Checker<'_>) {
        read_part((self.0.get_mut)(to), at, checker);
    }

    fn lines(&self, key: &str, of: &M) -> Vec<(String, String)> {
        (self.0.get)(of).lines(&format!("{key}."))
    }

    fn changes(&self, key: &str, from: &M, to: &M) -> Vec<Change<M>> {
        let changes = N::changes((self.0.get)(from), (self.0.get)(to), &format!("{key}."));
        changes
            .into_iter()
            .map(|change| change.within(self.0.get_mut))
            .collect()
    }

    fn put(&self, from: &M, to: &mut M) {
        *(self.0.get_mut)(to) = (self.0.get)(from).clone();
    }
}

/// Reads a mapping's settings, or the single value that stands for one of them.
pub(in crate::config) fn read_part<N: Settings>(to: &mut N, (own, key): At<'_>, checker: &mut Checker<'_>) {
    if let Some(fields) = own.mapping(key, N::keys(own.place), checker.problems) {
        to.read(&fields, checker);
    } else if let Some(short) = N::SHORT.and_then(N::setting) {
        short.field.read(to, (own, key), checker);
    } else if !N::EXAMPLE.is_empty() {
        // Reports other shapes; there is no setting that a single value could stand for.
        own.entries(key, N::EXAMPLE, checker.problems);
    }
}

/// What may stand where a mapping does, in which these values are the defaults.
pub(in crate::config) fn mapping<N: Settings>(default: &N, place: Place) -> Mapping {
    let entries: Vec<Entry> = N::entries(default, place);
    let short = entries.iter().find(|entry| Some(entry.about.key) == N::SHORT);
    let single = short.and_then(|entry| match &entry.shape {
        Shape::One(scalar) => Some((scalar.clone(), N::SHORT)),
        _ => None,
    });
    Mapping {
        single,
        ..Mapping::new(entries)
    }
}
