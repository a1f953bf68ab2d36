//! The reference and the schema in docs/ are what the rows make.

use crate::config::{reference, schema};

/// Writes them anew: `simple-lb schema --reference > docs/configuration.md`, `simple-lb schema > docs/config.schema.json`.
#[test]
fn the_documents_are_fresh() {
    let (document, made) = (include_str!("../../../../docs/configuration.md"), reference());
    let differs = document.lines().zip(made.lines()).find(|(had, made)| had != made);
    assert_eq!(
        differs, None,
        "run `simple-lb schema --reference > docs/configuration.md`"
    );
    assert_eq!(document, made);
    let document: serde_json::Value =
        serde_json::from_str(include_str!("../../../../docs/config.schema.json")).unwrap();
    assert!(
        document == schema(),
        "run `simple-lb schema > docs/config.schema.json`"
    );
}
