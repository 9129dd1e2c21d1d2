//! Whatever is written, nothing panics.

use std::collections::BTreeMap;

use flywheel_config::{File, Format, LoadOptions, Sources, default_tree, keys, load, render};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{Given, lines};

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "-?[0-9]{1,20}(ns|ms|s|m|h)".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z_.]{0,12}|name|key|value|enabled", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// The value at a path such as `proxies[].http.tls.enabled`, with lists of one item.
fn nest(path: &str, value: Value) -> Value {
    match path.split_once('.') {
        None => json!({ path: value }),
        Some((name, rest)) => match name.strip_suffix("[]") {
            Some(list) => {
                let mut item = nest(rest, value);
                if let Value::Object(item) = &mut item {
                    item.entry("name").or_insert("ab".into());
                }
                json!({ list: [item] })
            }
            None => json!({ name: nest(rest, value) }),
        },
    }
}

fn load_everything(file: &str, format: Format, env: &BTreeMap<String, String>) {
    for lenient in [false, true] {
        let file = Some(File { name: "config", text: file, format });
        let result = load(&Sources { file, env: Some(env), flags: &[] }, LoadOptions { lenient });
        let text = match result {
            Ok(loaded) => lines(&loaded.warnings),
            Err(errors) => lines(&errors),
        };
        assert!(text.len() < 1 << 20);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_value_under_any_key_is_read_or_refused(at in 0..keys().len(), value in any_value()) {
        let tree = nest(&keys()[at].path, value);
        load_everything(&tree.to_string(), Format::Json, &BTreeMap::new());
        load_everything(&render(&tree, Format::Yaml), Format::Yaml, &BTreeMap::new());
    }

    #[test]
    fn any_value_under_any_variable_is_read_or_refused(at in 0..keys().len(), text in "\\PC{0,20}|\\[\\{.{0,20}\\}\\]") {
        let name = keys()[at].path.to_uppercase().replace('.', "_").replace("[]", "_AB");
        let env = [("FLYWHEEL_PROXIES".to_owned(), "ab".to_owned()), (format!("FLYWHEEL_{name}"), text)].into();
        load_everything("{}", Format::Json, &env);
    }

    #[test]
    fn any_address_of_redis_is_read_or_refused(
        text in "((rediss?|unix|tcp)(\\+(sentinel|cluster))?://)?[a-z:@/?#%\\[\\],=&.0-9 \u{e4}]{0,24}",
        kind in "address|cluster_address|sentinel_address",
    ) {
        let redis = json!({ kind: [text], "sentinel_master_name": "m" });
        load_everything(&json!({"engine": {"type": "redis", "redis": redis}}).to_string(), Format::Json, &BTreeMap::new());
    }

    #[test]
    fn any_text_is_a_file_or_refused(text in "(\\PC|\n|\t){0,80}|([a-z]{1,6}: ?[\\[{\"'&*|>-]?.{0,8}\n){0,6}") {
        for format in [Format::Json, Format::Yaml, Format::Toml] {
            load_everything(&text, format, &BTreeMap::new());
        }
        let _parsed = flywheel_config::parse_dotenv(&text);
    }

    #[test]
    fn any_section_of_old_keys_is_read_or_refused(
        name in "(proxies|namespaces|broker|connect_proxy_name|nats_raw_mode|rpc_namespaces|history_lifetime|config)",
        value in any_value(),
    ) {
        load_everything(&json!({ name: value }).to_string(), Format::Json, &BTreeMap::new());
    }
}

#[test]
fn deep_and_wide_files_are_refused_in_time() {
    let env = BTreeMap::new();
    load_everything(&"[".repeat(100_000), Format::Json, &env);
    load_everything(&"{a: ".repeat(10_000), Format::Yaml, &env);
    load_everything(&"a.".repeat(50_000), Format::Toml, &env);
    load_everything(&json!({"a.".repeat(50_000): 1}).to_string(), Format::Json, &env);
    let wide: Map<String, Value> = (0..5_000).map(|at| (format!("unknown_{at}"), at.into())).collect();
    load_everything(&Value::Object(wide).to_string(), Format::Json, &env);
}

#[test]
fn every_default_written_out_loads_without_a_word_and_changes_nothing() {
    for (format, name) in
        [(Format::Json, "config.json"), (Format::Yaml, "config.yaml"), (Format::Toml, "config.toml")]
    {
        let given = Given { file: Some((name, render(&default_tree(), format))), ..Given::default() };
        let loaded = given.loaded();
        assert_eq!(lines(&loaded.warnings), "", "{format:?}");
        assert_eq!(loaded.config.raw(), &default_tree());
    }
}

#[test]
fn every_default_as_a_variable_loads_without_a_word_and_changes_nothing() {
    let mut given = Given::default();
    for key in keys().iter().filter(|key| !key.path.contains('[')) {
        let text = match &key.default {
            Value::String(text) => text.clone(),
            Value::Array(texts) if key.kind == flywheel_config::Kind::TextList => {
                texts.iter().map(|text| text.as_str().unwrap()).collect::<Vec<_>>().join(" ")
            }
            other => other.to_string(),
        };
        given = given.env(&format!("FLYWHEEL_{}", key.path.to_uppercase().replace('.', "_")), &text);
    }
    let loaded = given.loaded();
    assert_eq!(lines(&loaded.warnings), "");
    assert_eq!(loaded.config.raw(), &default_tree());
}
