//! What the balancer told of each request when it ended.

use std::{collections::HashSet, fs, path::Path};

use serde_json::Value;

/// The variable by which the program is told where to write records.
pub const VARIABLE: &str = "SIMPLE_LB_TEST_RECORDS";

/// One request that has ended.
#[derive(Debug, Clone)]
pub struct Record(pub Value);

impl Record {
    pub fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or("-")
    }

    pub fn number(&self, field: &str) -> Option<u64> {
        self.0[field].as_u64()
    }

    /// These fields, each with a blank between.
    pub fn show(&self, fields: &str) -> String {
        let shown = fields.split(' ').map(|field| match &self.0[field] {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }
}

/// The records in a file, in the order in which requests have ended. A line that is being written is none yet.
pub fn read(path: &Path) -> Vec<Record> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole
        .map(|line| Record(serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))))
        .collect()
}

/// What holds for every request, whatever the test.
#[track_caller]
pub fn check(records: &[Record]) {
    let mut numbers = HashSet::new();
    for record in records {
        let number = |field| record.number(field);
        let has = |field: &str| !record.0[field].is_null();
        assert!(
            numbers.insert((number("pid"), number("number"))),
            "it ends twice: {record:?}"
        );
        assert_eq!(has("backend"), number("attempts") > Some(0), "{record:?}");
        assert!(!has("backend") || has("pool"), "{record:?}");
        assert_eq!(has("retried"), has("retried") && has("backend"), "{record:?}");
        assert_eq!(record.text("responder") == "Nobody", !has("status"), "{record:?}");
        assert_eq!(has("first_byte"), has("status"), "{record:?}");
        assert!(number("first_byte") <= number("total"), "{record:?}");
        assert!(number("queued") <= number("total"), "{record:?}");
        assert!(number("attempts") <= Some(11), "{record:?}");
        assert!(!has("pool") || has("route"), "{record:?}");
        let own = record.text("responder") == "Balancer";
        let is_error = own && number("status") >= Some(400);
        // A route can respond with any status.
        assert!(!is_error || has("fault") || has("route"), "{record:?}");
        match record.text("end") {
            "Complete" => assert!(has("status"), "{record:?}"),
            "BrokenOff" => assert!(
                has("status") && (has("fault") || record.0["tunnel"] == true),
                "{record:?}"
            ),
            "ClientGone" => assert_eq!(record.text("fault"), "Client", "{record:?}"),
            "Cut" => {}
            other => panic!("{other}: {record:?}"),
        }
    }
}
