//! The operator's page.

const BEGIN: &str = "<!-- keys: begin, written by a test of flywheel-config -->\n";
const END: &str = "<!-- keys: end -->\n";

/// With `FLYWHEEL_UPDATE_DOCS=1` the page is written instead of compared.
#[test]
fn the_tables_of_the_page_are_those_of_the_schema() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has no begin marker");
    let (_, after) = rest.split_once(END).expect("the page has no end marker");
    let wanted = format!("{before}{BEGIN}{}\n{END}{after}", flywheel_config::reference_markdown());
    if std::env::var_os("FLYWHEEL_UPDATE_DOCS").is_some() {
        std::fs::write(path, &wanted).unwrap();
    } else {
        let hint = "run FLYWHEEL_UPDATE_DOCS=1 cargo test -p flywheel-config --test suite reference";
        assert!(page == wanted, "docs/configuration.md is out of date; {hint}");
    }
}

#[test]
fn every_key_has_a_row() {
    let page = flywheel_config::reference_markdown();
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, flywheel_config::keys().len());
    assert!(page.contains("| `client.channel_limit` | int | `128` | yes, reload | "));
    assert!(page.contains("| `webtransport.enabled` | bool | `false` | not yet | "));
}
