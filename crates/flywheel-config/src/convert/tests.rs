use proptest::prelude::*;
use serde_json::json;

use super::*;

fn file(kind: Kind, value: &Value) -> Result<Option<Value>, Mismatch> {
    from_value(kind, Dialect::File, value).map(|converted| converted.value)
}

const INT: Kind = Kind::Int(Width::I64);

#[test]
fn a_file_converts_what_go_converts() {
    let table = [
        (INT, json!("8000"), Some(json!(8000))),
        (INT, json!(8000.0), Some(json!(8000))),
        (INT, json!(8000.9), Some(json!(8000))),
        (INT, json!("0x10"), Some(json!(16))),
        (INT, json!("1_000"), Some(json!(1000))),
        (INT, json!(true), Some(json!(1))),
        (INT, json!(""), None),
        (INT, json!(0), None),
        (Kind::Text, json!(5), Some(json!("5"))),
        (Kind::Text, json!(1.5), Some(json!("1.5"))),
        (Kind::Text, json!(true), Some(json!("1"))),
        (Kind::Text, json!(""), None),
        (Kind::Bool, json!("true"), Some(json!(true))),
        (Kind::Bool, json!("t"), Some(json!(true))),
        (Kind::Bool, json!(2), Some(json!(true))),
        (Kind::Bool, json!(0.0), None),
        (Kind::Bool, json!(""), None),
        (Kind::TextList, json!("a b,c"), Some(json!(["a b,c"]))),
        (Kind::TextList, json!(7), Some(json!(["7"]))),
        (Kind::TextList, json!(["a", 7]), Some(json!(["a", "7"]))),
        (Kind::TextList, json!([]), None),
        (Kind::Duration, json!("1h30m"), Some(json!("1h30m"))),
        (Kind::Duration, json!("90s"), Some(json!("1m30s"))),
        (Kind::Duration, json!("0s"), None),
        (Kind::Duration, json!(1_000_000_000), Some(json!("1s"))),
        (Kind::TextMap, json!({"A": "b"}), Some(json!({"a": "b"}))),
        (Kind::TextMap, json!([{"key": "A.B", "value": "b"}]), Some(json!({"A.B": "b"}))),
        (Kind::Pem, json!("/etc/x.pem"), Some(json!("/etc/x.pem"))),
        (Kind::Bool, json!(null), None),
    ];
    for (kind, written, held) in table {
        assert_eq!(file(kind, &written), Ok(held), "{kind:?} {written}");
    }
}

#[test]
fn what_go_cannot_convert_is_a_mismatch() {
    let table = [
        (INT, json!("8000.0"), "\"8000.0\""),
        (INT, json!("08"), "\"08\""),
        (INT, json!([1]), "a list"),
        (Kind::Int(Width::U32), json!(-1), "the number -1"),
        (Kind::Int(Width::I32), json!(2_147_483_648_u32), "the number 2147483648"),
        (INT, json!(18_446_744_073_709_551_615_u64), "the number 18446744073709551615"),
        (Kind::Text, json!({}), "a section"),
        (Kind::Bool, json!("yes"), "\"yes\""),
        (Kind::TextList, json!({"a": 1}), "a section"),
        (Kind::TextList, json!([["a"]]), "a list"),
        (Kind::Duration, json!("10"), "\"10\""),
        (Kind::Duration, json!(true), "true"),
        (Kind::TextMap, json!({"a": 1}), "the number 1 under \"a\""),
        (
            Kind::TextMap,
            json!([{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]),
            "the key \"a\" twice",
        ),
        (Kind::TextMap, json!([{"key": "a"}]), "an item without the texts key and value"),
    ];
    for (kind, written, found) in table {
        assert_eq!(file(kind, &written).unwrap_err().found, found, "{kind:?} {written}");
    }
}

#[test]
fn a_bare_number_as_a_duration_is_remarked_on() {
    let converted = from_value(Kind::Duration, Dialect::File, &json!(60)).unwrap();
    assert_eq!(converted.value, Some(json!("60ns")));
    assert!(converted.remark.unwrap().contains("\"60s\""));
}

#[test]
fn text_of_a_variable_follows_go() {
    let table = [
        (Kind::Bool, "T", json!(true)),
        (INT, "0", json!(0)),
        (INT, "-0x1F", json!(-31)),
        (Kind::Duration, "0", json!("0s")),
        (Kind::Duration, "5m", json!("5m")),
        (Kind::TextList, "a  b,c", json!(["a", "", "b,c"])),
        (Kind::TextMap, r#"{"A":"b"}"#, json!({"A": "b"})),
        (Kind::Text, "0", json!("0")),
    ];
    for (kind, text, held) in table {
        assert_eq!(from_text(kind, text).unwrap().value, Some(held), "{kind:?} {text}");
    }
    for (kind, text) in [
        (Kind::Bool, "yes"),
        (Kind::Bool, "on"),
        (INT, "1__0"),
        (INT, "_1"),
        (INT, "1_"),
        (INT, "--1"),
        (INT, "0x"),
        (INT, "1.0"),
        (Kind::Duration, "10"),
        (Kind::TextMap, r#"[{"key":"a","value":"b"}]"#),
        (Kind::TextMap, "a"),
    ] {
        assert!(from_text(kind, text).is_err(), "{kind:?} {text}");
    }
}

#[test]
fn a_text_map_that_cannot_be_read_is_not_shown() {
    let mismatch = from_text(Kind::TextMap, "Authorization: swordfish").unwrap_err();
    assert_eq!(mismatch.found, "text that is no JSON object");
}

#[test]
fn json_in_a_variable_must_fit() {
    let strict = |kind, value: Value| from_value(kind, Dialect::Json, &value);
    assert!(strict(Kind::Bool, json!("true")).is_err());
    assert!(strict(INT, json!("1")).is_err());
    assert!(strict(INT, json!(1.0)).is_err());
    assert!(strict(Kind::Text, json!(1)).is_err());
    assert!(strict(Kind::TextList, json!("a")).is_err());
    assert!(strict(Kind::Duration, json!(5)).is_ok());
    assert_eq!(strict(Kind::TextMap, json!({"A": "b"})).unwrap().value, Some(json!({"A": "b"})));
}

#[test]
fn a_list_of_an_old_version_is_split_at_spaces() {
    let old = |value: Value| from_value(Kind::TextList, Dialect::OldFile, &value).unwrap().value;
    assert_eq!(old(json!("a:7000,b:7000")), Some(json!(["a:7000,b:7000"])));
    assert_eq!(old(json!("a b")), Some(json!(["a", "b"])));
}

#[test]
fn long_texts_are_shortened_in_messages() {
    assert_eq!(quoted(&"ü".repeat(100)).chars().count(), 63);
}

proptest! {
    #[test]
    fn integers_survive_their_decimal_text(number: i64) {
        prop_assert_eq!(go_int(&number.to_string()), Some(i128::from(number)));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,30}") {
        for kind in [Kind::Bool, INT, Kind::Duration, Kind::TextList, Kind::TextMap, Kind::Pem] {
            let _from_text = from_text(kind, &text);
            let _from_file = file(kind, &json!(text));
        }
    }
}
