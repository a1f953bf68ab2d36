//! The whole way once, with the one balancer that is always there.
#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn the_relay_is_measured_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (json, svg) = (folder.path().join("out.json"), folder.path().join("out.svg"));
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args([
            "--balancers",
            "relay",
            "--only",
            "small,64k,upload-64k,churn,websocket",
        ])
        .args(["--rounds", "1", "--seconds", "0.1", "--json"])
        .arg(&json)
        .arg("--svg")
        .arg(&svg)
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let cases = report["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let medians = &case["balancers"][0]["medians"];
        assert!(medians["requests/s"].as_f64().unwrap() > 0.0, "{case}\n{said}");
        assert!(medians["CPU us"].as_f64().unwrap() > 0.0, "{case}\n{said}");
        assert_eq!(medians["failed"], 0.0, "{case}\n{said}");
    }
    assert!(std::fs::read_to_string(&svg).unwrap().ends_with("</svg>\n"));
    // Nothing is left behind but the two reports.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
