//! Mappings that can be switched off: `on`, `off`, a single value that stands for all, or a mapping.

use std::sync::Arc;

use super::{
    Checker, Place, Settings, Shape,
    field::{At, Change, Field, Lens, mapping},
    forms::switched,
    shape::Kind,
};

/// A mapping of settings that may be off.
pub(in crate::config) struct Switched<M: 'static, N: 'static>(
    pub(in crate::config) Lens<M, Option<N>>,
    /// For `must be …, not a list`.
    pub(in crate::config) &'static str,
);

impl<M: 'static, N: Settings + Default> Field<M> for Switched<M, N> {
    fn expects(&self) -> &'static str {
        self.1
    }

    fn shape(&self, place: Place, _default: &M) -> Shape {
        let mut shape = mapping(&N::default(), place);
        if let Some((scalar, _)) = &mut shape.single {
            scalar.0.push(Kind::Switch);
        }
        Shape::Mapping(shape)
    }

    fn value(&self, of: &M) -> Option<String> {
        Some(self.shown(of).to_owned())
    }

    fn read(&self, to: &mut M, (own, key): At<'_>, checker: &mut Checker<'_>) {
        let to = (self.0.get_mut)(to);
        if let Some(fields) = own.mapping(key, N::keys(own.place), checker.problems) {
            let mut settings = to.take().unwrap_or_default();
            settings.read(&fields, checker);
            *to = Some(settings);
            return;
        }
        let Some(written) = own.scalar(key, checker.problems) else {
            return;
        };
        match switched(&written) {
            Some(false) => *to = None,
            // As good as not written, but where what is inherited is off.
            Some(true) => *to = to.take().or_else(|| Some(N::default())),
            // A single value stands for all.
            None => {
                let mut settings = N::default();
                if let Some(short) = N::SHORT.and_then(N::setting) {
                    short.field.read(&mut settings, (own, key), checker);
                }
                *to = Some(settings);
            }
        }
    }

    fn lines(&self, key: &str, of: &M) -> Vec<(String, String)> {
        match (self.0.get)(of) {
            Some(settings) => settings.lines(&format!("{key}.")),
            None => vec![(key.to_owned(), "off".to_owned())],
        }
    }

    fn changes(&self, key: &str, from: &M, to: &M) -> Vec<Change<M>> {
        let get_mut = self.0.get_mut;
        match ((self.0.get)(from), (self.0.get)(to)) {
            (None, None) => Vec::new(),
            (Some(before), Some(after)) => {
                let changes = N::changes(before, after, &format!("{key}.")).into_iter();
                let within = |change: Change<N>| Change {
                    key: change.key,
                    from: change.from,
                    to: change.to,
                    restart: change.restart,
                    make: Arc::new(move |model| {
                        if let Some(settings) = get_mut(model) {
                            (change.make)(settings);
                        }
                    }),
                };
                changes.map(within).collect()
            }
            (_, after) => {
                let after = after.clone();
                vec![Change {
                    key: key.to_owned(),
                    from: self.shown(from).to_owned(),
                    to: self.shown(to).to_owned(),
                    restart: false,
                    make: Arc::new(move |model| *get_mut(model) = after.clone()),
                }]
            }
        }
    }

    fn put(&self, from: &M, to: &mut M) {
        *(self.0.get_mut)(to) = (self.0.get)(from).clone();
    }
}

impl<M, N> Switched<M, N> {
    fn shown(&self, of: &M) -> &'static str {
        match (self.0.get)(of) {
            Some(_) => "on",
            None => "off",
        }
    }
}
