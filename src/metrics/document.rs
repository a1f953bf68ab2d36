//! `docs/metrics.md`, made from the rows of [`names`](super::names).

use super::names::GROUPS;

const HEAD: &str = "\
# Metrics

<!-- Made by `simple-lb schema --metrics`; a test holds it to src/metrics/names.rs. -->

`GET /metrics` has all figures of an instance for Prometheus and all that read its formats: on the
[admin listener](admin.md), and on the control socket. [Observability](observability.md#metrics)
says how to scrape, what the figures cost and how many series there are.
";

/// The whole page.
pub fn document() -> String {
    let mut page = HEAD.to_owned();
    for group in GROUPS {
        page.push_str(&format!("\n## {}\n\n{}\n", group.title, group.about));
        page.push_str("\n| Name | Type | Labels | Meaning |\n|---|---|---|---|\n");
        for family in group.families {
            let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
            page.push_str(&format!(
                "| `{}` | {} | {} | {} |\n",
                family.name,
                family.kind.word(),
                match labels.is_empty() {
                    true => "–".to_owned(),
                    false => labels.join(", "),
                },
                family.help
            ));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_the_rows_make() {
        let kept = include_str!("../../docs/metrics.md");
        let made = document();
        let differs = kept.lines().zip(made.lines()).find(|(kept, made)| kept != made);
        assert_eq!(
            differs, None,
            "run `simple-lb schema --metrics > docs/metrics.md`"
        );
        assert_eq!(kept, made);
    }
}
