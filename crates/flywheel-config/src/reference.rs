use serde_json::Value;

use crate::schema::{Key, Kind, Support, Width, keys};

/// The tables of the operator's page: every key with its type, default, support and meaning, by section.
pub fn reference_markdown() -> String {
    let mut page = String::new();
    let mut section = "";
    for key in keys() {
        let top = key.path.split(['.', '[']).next().unwrap_or("");
        let is_section = key.path != top || key.kind == Kind::ObjectList;
        let heading = if is_section { top } else { "Top level" };
        if heading != section {
            section = heading;
            let title = if is_section { format!("`{top}`") } else { heading.to_owned() };
            page += "\n### ";
            page += &title;
            page += "\n\n| key | type | default | | meaning |\n|---|---|---|---|---|\n";
        }
        page += &row(key);
    }
    page
}

fn row(key: &Key) -> String {
    let support = match (key.support, key.reloadable) {
        (Support::Supported, true) => "yes, reload",
        (Support::Supported, false) => "yes",
        (Support::Ignored, _) => "not needed",
        (Support::NotYet, _) => "not yet",
    };
    let (path, kind, default) = (&key.path, kind_name(key.kind), default_text(&key.default));
    format!("| `{path}` | {kind} | {default} | {support} | {} |\n", key.meaning.replace('|', "\\|"))
}

fn kind_name(kind: Kind) -> String {
    match kind {
        Kind::Bool => "bool".into(),
        Kind::Int(Width::I64) => "int".into(),
        Kind::Int(Width::I32) => "int32".into(),
        Kind::Int(Width::U32) => "uint32".into(),
        Kind::Duration => "duration".into(),
        Kind::Text => "text".into(),
        Kind::Choice(words) => {
            let words: Vec<String> =
                words.iter().filter(|word| !word.is_empty()).map(|word| format!("`{word}`")).collect();
            words.join(" ")
        }
        Kind::TextList => "list of texts".into(),
        Kind::Pem => "PEM".into(),
        Kind::TextMap => "texts by name".into(),
        Kind::ObjectList => "list of sections".into(),
    }
}

fn default_text(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => String::new(),
        Value::String(text) => format!("`{text}`"),
        Value::Array(items) if items.is_empty() => String::new(),
        Value::Object(map) if map.is_empty() => String::new(),
        other => format!("`{other}`"),
    }
}
