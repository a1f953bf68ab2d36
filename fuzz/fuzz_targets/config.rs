//! Any text as a configuration: no panic, and every problem has a place.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) =
        lb_core::config::load(text, "config.yaml", &|name| (name == "A").then(|| "1".to_owned()))
    {
        assert!(!error.problems.is_empty());
        for problem in &error.problems {
            assert!(problem.to_string().starts_with("config.yaml"), "{problem}");
        }
    }
});
