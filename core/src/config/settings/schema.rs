//! The schema for editors, `docs/config.schema.json`: JSON Schema 2020-12, made from the rows.
//!
//! It holds what is true of single values: keys, types, words, ranges. What settings mean together, and what only a parser
//! of its own can tell (a host's name, a regular expression, a network's bits), is for `check`. Every single value may be a
//! variable, and every setting that is not required may be null, as in the file.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Entry, Kind, Mapping, Scalar, Shape, ranges, tree};

/// The schema.
pub fn schema() -> Value {
    let mut shared = Shared::default();
    let whole = object(&Mapping::new(tree()));
    shared.count(&whole);
    let mut schema = shared.inside(&whole, "");
    shared.definitions.insert("variable".to_owned(), variable());
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The configuration of simple-lb",
        "patternProperties": { "^x-": {} },
        "anyOf": [there("backends"), there("pools"), routes_that_stay_here()],
        "$defs": shared.definitions,
    });
    if let (Value::Object(schema), Value::Object(head)) = (&mut schema, head) {
        schema.extend(head);
    }
    schema
}

fn variable() -> Value {
    json!({
        "description": "An environment variable: ${NAME}, or ${NAME:-default}.",
        "type": "string",
        "pattern": "(^|[^$])\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}",
    })
}

/// A key that is written; null counts as not written.
fn there(key: &str) -> Value {
    json!({ "required": [key], "properties": { key: { "not": { "type": "null" } } } })
}

/// Routes of which none forwards, beside which no backends are needed.
fn routes_that_stay_here() -> Value {
    let stays_here = json!({ "anyOf": [there("redirect"), there("respond")] });
    json!({ "required": ["routes"], "properties": { "routes": { "type": "array", "items": stays_here } } })
}

/// Shorter parts are repeated where they are used.
const WORTH_SHARING: usize = 300;

/// Parts of the schema that are used more than once, which are defined once.
#[derive(Default)]
struct Shared {
    uses: BTreeMap<String, usize>,
    /// The name of the definition of each.
    names: BTreeMap<String, String>,
    definitions: Map<String, Value>,
}

impl Shared {
    fn count(&mut self, value: &Value) {
        if let Some(text) = worth_sharing(value) {
            let uses = self.uses.entry(text).or_default();
            *uses += 1;
            if *uses > 1 {
                return;
            }
        }
        match value {
            Value::Object(object) => object.values().for_each(|value| self.count(value)),
            Value::Array(items) => items.iter().for_each(|value| self.count(value)),
            _ => {}
        }
    }

    /// The value with references in the place of what is shared; `key` is the last one above it.
    fn replaced(&mut self, value: &Value, key: &str) -> Value {
        let shared = worth_sharing(value).filter(|text| self.uses.get(text).is_some_and(|uses| *uses > 1));
        let Some(text) = shared else {
            return self.inside(value, key);
        };
        if !self.names.contains_key(&text) {
            let names = (1..).map(|number| match number {
                1 => key.to_owned(),
                number => format!("{key}-{number}"),
            });
            let taken = |name: &String| self.names.values().any(|other| other == name);
            let name = names.into_iter().find(|name| !taken(name)).unwrap_or_default();
            self.names.insert(text.clone(), name.clone());
            let definition = self.inside(value, key);
            self.definitions.insert(name, definition);
        }
        json!({ "$ref": format!("#/$defs/{}", self.names[&text]) })
    }

    fn inside(&mut self, value: &Value, key: &str) -> Value {
        // What the schema language calls things is no name for a definition.
        let words = [
            "anyOf",
            "items",
            "properties",
            "additionalProperties",
            "propertyNames",
        ];
        match value {
            Value::Object(object) => {
                let replaced = object.iter().map(|(own, value)| {
                    let key = if words.contains(&own.as_str()) { key } else { own };
                    (own.clone(), self.replaced(value, key))
                });
                replaced.collect::<Map<_, _>>().into()
            }
            Value::Array(items) => {
                let replaced = items.iter().map(|value| self.replaced(value, key));
                replaced.collect::<Vec<_>>().into()
            }
            other => other.clone(),
        }
    }
}

/// The text of a schema that is long enough; an object of properties is none.
fn worth_sharing(value: &Value) -> Option<String> {
    let is_schema = value["anyOf"].is_array() || value["type"].is_string();
    let text = is_schema.then(|| value.to_string());
    text.filter(|text| text.len() > WORTH_SHARING)
}

/// A setting, with what an editor shows of it.
fn setting(entry: &Entry) -> Value {
    let about = &entry.about;
    let mut forms = shape(&entry.shape);
    if !about.required {
        forms.push(json!({ "type": "null" }));
    }
    let mut described = Map::new();
    let text = [about.text, about.danger];
    let text: Vec<_> = text.into_iter().filter(|text| !text.is_empty()).collect();
    if !text.is_empty() {
        described.insert("description".to_owned(), text.join(" ").into());
    }
    if let (Some(default), true) = (&entry.default, about.default.is_empty()) {
        let typed = serde_json::from_str(default).ok().filter(Value::is_number);
        described.insert(
            "default".to_owned(),
            typed.unwrap_or_else(|| default.clone().into()),
        );
    }
    if !about.example.is_empty() {
        described.insert("$comment".to_owned(), about.example.into());
    }
    described.insert("anyOf".to_owned(), forms.into());
    described.into()
}

/// The forms that a value may have.
fn shape(of: &Shape) -> Vec<Value> {
    match of {
        Shape::One(scalar) => single(scalar),
        Shape::List { item, filled } => {
            let mut forms = single(item);
            forms.push(json!({
                "type": "array",
                "items": { "anyOf": single(item) },
                "minItems": usize::from(*filled),
            }));
            forms
        }
        Shape::Mapping(mapping) => {
            let mut forms = vec![object(mapping)];
            forms.extend(mapping.single.iter().flat_map(|(scalar, _)| single(scalar)));
            forms
        }
        Shape::Named { name, value, filled } => {
            let mut values = shape(value);
            values.push(json!({ "type": "null" }));
            // A key is text without variables, whatever it looks like.
            let is_text = |form: &Value| form["type"] == "string";
            let names: Vec<_> = match &name.0[..] {
                [Kind::AnyText(_, "")] => vec![json!({ "type": "string" })],
                _ => single(name).into_iter().filter(is_text).collect(),
            };
            vec![json!({
                "type": "object",
                "propertyNames": { "anyOf": names },
                "additionalProperties": { "anyOf": values },
                "minProperties": usize::from(*filled),
            })]
        }
        Shape::Items(item) => vec![json!({
            "type": "array",
            "items": { "anyOf": shape(item) },
            "minItems": 1,
        })],
        Shape::Either(shapes) => shapes.iter().flat_map(shape).collect(),
    }
}

fn object(mapping: &Mapping) -> Value {
    let entries = mapping.entries.iter();
    let properties: Map<_, _> = entries
        .clone()
        .map(|entry| (entry.about.key.to_owned(), setting(entry)))
        .collect();
    let required: Vec<_> = entries
        .filter(|entry| entry.about.required)
        .map(|entry| entry.about.key)
        .collect();
    let mut object = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        object["required"] = required.into();
    }
    if !mapping.one_of.is_empty() {
        object["oneOf"] = mapping.one_of.iter().map(|key| there(key)).collect();
    }
    object
}

fn single(scalar: &Scalar) -> Vec<Value> {
    let mut forms: Vec<_> = scalar.0.iter().flat_map(kind).collect();
    // Text of any kind may hold a variable anyway.
    if !scalar.0.iter().any(|kind| matches!(kind, Kind::AnyText(_, ""))) {
        forms.push(json!({ "$ref": "#/$defs/variable" }));
    }
    forms
}

fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

/// Whole numbers may also stand in quotes.
fn kind(of: &Kind) -> Vec<Value> {
    match of {
        Kind::Whole(least, most) => vec![
            json!({ "type": "integer", "minimum": least, "maximum": most }),
            text(&format!("^({})$", ranges::whole((*least).into(), (*most).into()))),
        ],
        Kind::Duration(least) => vec![text(&ranges::duration(*least))],
        Kind::Size(least, most) => vec![text(&ranges::size(*least, *most))],
        Kind::Share(most) => vec![text(&format!("^0*({})%$", ranges::whole(0, (*most).into())))],
        Kind::Number {
            least, most, percent, ..
        } => {
            let bound = if *least > 0.0 {
                "minimum"
            } else {
                "exclusiveMinimum"
            };
            let mut forms = vec![
                json!({ "type": "number", bound: least, "maximum": most }),
                text("^(?=.*[1-9])[0-9]+(\\.[0-9]+)?$"),
            ];
            if *percent {
                forms.push(text("^[1-9][0-9]{2,3}(\\.[0-9]+)?%$"));
            }
            forms
        }
        Kind::Words(words) => {
            let words = words.iter().flat_map(|word| {
                let number = word.parse::<u32>().ok().map(Value::from);
                [Value::from(*word)].into_iter().chain(number)
            });
            vec![json!({ "enum": words.collect::<Vec<_>>() })]
        }
        Kind::Numbers(numbers) => {
            let words = numbers
                .iter()
                .flat_map(|number| [Value::from(*number), number.to_string().into()]);
            vec![json!({ "enum": words.collect::<Vec<_>>() })]
        }
        Kind::Switch => vec![json!({ "type": "boolean" }), json!({ "enum": ["on", "off"] })],
        Kind::Statuses(first, last) => {
            let code = ranges::whole((*first).into(), (*last).into());
            let range = format!("\\s*({code})\\s*(-\\s*({code})\\s*)?");
            vec![
                json!({ "type": "integer", "minimum": first, "maximum": last }),
                text(&format!("^{range}(,{range})*$")),
            ]
        }
        Kind::Text(_, "") => vec![json!({ "type": "string" })],
        Kind::Text(_, pattern) => vec![text(pattern)],
        Kind::AnyText(_, "") => vec![json!({ "type": ["string", "number", "boolean"] })],
        Kind::AnyText(_, pattern) => vec![json!({ "type": ["number", "boolean"] }), text(pattern)],
    }
}
