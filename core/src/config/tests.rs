//! The configuration as a whole: which files are read, into what, and what is said of those that are not.
#![allow(clippy::unwrap_used)]

mod accepts;
mod admin;
mod bad_routes;
mod choosing;
mod example;
mod forms;
mod health;
mod hostile;
mod origins;
mod pools;
mod positions;
mod reference;
mod refuses;
mod routes;
mod schema;
mod secrets;
mod unreached;

use super::{Config, ConfigError, Loaded, Outside, PoolConfig, load, load_with_origins};

/// The environment of these tests.
fn env(name: &str) -> Option<String> {
    match name {
        "PORT" => Some("8000".into()),
        "HOST" => Some("localhost".into()),
        "WEIGHT" => Some("3".into()),
        "NO" => Some("false".into()),
        "EMPTY" => Some(String::new()),
        "SNEAKY" => Some("1\nlog: off # {a: [b]}".into()),
        _ => None,
    }
}

/// With what else is known of a file.
fn read(text: &str) -> Result<Loaded, ConfigError> {
    let env = |name: &str| env(name).ok_or(std::env::VarError::NotPresent);
    let key = Some([7; 16]);
    load_with_origins(text, "config.yaml", &Outside { env: &env, key })
}

fn config(text: &str) -> Config {
    let config = load(text, "config.yaml", &env).unwrap_or_else(|error| panic!("{text}\n{error}"));
    schema::validates(text);
    config
}

/// The default pool of a file with the keys that are required, and these.
fn pool(keys: &str) -> PoolConfig {
    config(&with(keys)).pools["default"].clone()
}

fn with(keys: &str) -> String {
    format!("port: 8000\nbackends: [\"http://a\"]\n{keys}")
}

/// What is said of a file that is right and yet probably not meant, without its name.
fn warnings_of(text: &str) -> Vec<String> {
    let loaded = read(text).unwrap();
    schema::validates(text);
    let warnings = loaded.warnings;
    warnings
        .iter()
        .map(|warning| warning.to_string().replacen("config.yaml:", "", 1))
        .collect()
}

/// What is said of a file, without the file's name.
#[track_caller]
fn problems(text: &str) -> Vec<String> {
    let error = load(text, "config.yaml", &env).expect_err(text);
    assert!(!error.problems.is_empty(), "{text}");
    schema::refuses(text, &error.problems);
    let problems = error.problems.iter();
    problems
        .map(|problem| problem.to_string().replacen("config.yaml:", "", 1))
        .collect()
}
