use std::fmt::Write;

use crate::metrics::Metrics;

/// The table of all metrics for the manual, in Markdown: name, type, labels and meaning, sorted by name.
pub fn reference_markdown() -> String {
    let mut declarations = Metrics::new("").declarations;
    declarations.sort_by_key(|declaration| declaration.name);
    let mut table = "| Name | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for declaration in declarations {
        let labels: Vec<String> = declaration.labels.iter().map(|label| format!("`{label}`")).collect();
        // Writing to a String cannot fail.
        let _written = writeln!(
            table,
            "| `{}` | {} | {} | {} |",
            declaration.name,
            declaration.kind,
            labels.join(", "),
            declaration.meaning
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    const BEGIN: &str = "<!-- metrics: begin -->\n";
    const END: &str = "<!-- metrics: end -->";

    #[test]
    fn the_manual_has_the_table_as_it_is() {
        let page = fs::read_to_string(PAGE).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (table, after) = rest.split_once(END).unwrap();
        if std::env::var_os("FLYWHEEL_WRITE_DOCS").is_some() {
            fs::write(PAGE, format!("{before}{BEGIN}{}{END}{after}", reference_markdown())).unwrap();
        } else {
            assert_eq!(table, reference_markdown(), "set FLYWHEEL_WRITE_DOCS=1 and run this test again");
        }
    }
}
