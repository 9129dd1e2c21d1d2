//! From what was written to what a key holds.
//!
//! Three dialects: a file, where types are converted when they can be; JSON inside a variable, where they must fit;
//! and the plain text of a variable or a flag. Source: configuration-v6, section 1.

mod text;

use serde_json::{Map, Number, Value};
pub(crate) use text::go_bool;

use crate::duration;
use crate::schema::{Kind, Width};
use text::go_int;

/// How strictly types are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A configuration file. A zero value counts as unset.
    File,
    /// A key of version 5 or older in a file; the same, but text is split where a list is wanted.
    OldFile,
    /// JSON inside a variable. A zero value counts as unset.
    Json,
}

/// Why a value does not fit its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) found: String,
    pub(crate) expected: String,
}

/// A value that fits, or `None` when it counts as unset; and what to point out about it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Converted {
    pub(crate) value: Option<Value>,
    pub(crate) remark: Option<String>,
}

/// Converts a value of a file or of JSON in a variable. Lists of sections are not for this function.
pub(crate) fn from_value(kind: Kind, dialect: Dialect, value: &Value) -> Result<Converted, Mismatch> {
    if value.is_null() {
        return Ok(Converted::default());
    }
    let mismatch = || Mismatch { found: describe(value), expected: expected(kind) };
    if dialect == Dialect::Json && !fits_strictly(kind, value) {
        return Err(mismatch());
    }
    let mut remark = None;
    let converted = match kind {
        Kind::Bool => bool_of(value).map(Value::from),
        Kind::Int(width) => return int_of(width, value).map(set_unless_zero),
        Kind::Duration => {
            let nanoseconds = duration_of(value)?;
            if value.is_number() && nanoseconds != 0 {
                remark = Some(bare_number(nanoseconds));
            }
            Some(duration::format(nanoseconds).into())
        }
        Kind::Text | Kind::Choice(_) | Kind::Pem => scalar_text(value).map(Value::from),
        Kind::TextList => texts_of(dialect, value),
        Kind::TextMap => return text_map(dialect, value).map(|map| set_unless_zero(map.into())),
        Kind::ObjectList => None,
    };
    let mut converted = converted.map(set_unless_zero).ok_or_else(mismatch)?;
    converted.remark = remark;
    Ok(converted)
}

/// Converts the text of a variable or a flag. The empty text is the caller's affair.
pub(crate) fn from_text(kind: Kind, text: &str) -> Result<Converted, Mismatch> {
    let mismatch = |expected| Mismatch { found: quoted(text), expected };
    let value = match kind {
        Kind::Bool => go_bool(text).map(Value::from).ok_or_else(|| mismatch(expected(kind)))?,
        Kind::Int(width) => int_text(width, text)?,
        Kind::Duration => match duration::parse(text) {
            Ok(nanoseconds) => duration::format(nanoseconds).into(),
            Err(error) => return Err(mismatch(format!("a duration: {error}"))),
        },
        Kind::Text | Kind::Choice(_) | Kind::Pem => text.into(),
        Kind::TextList => text.split(' ').map(Value::from).collect(),
        Kind::TextMap => {
            let Ok(Value::Object(map)) = serde_json::from_str(text) else {
                // The text may hold secrets, so it is not shown.
                let found = String::from("text that is no JSON object");
                return Err(Mismatch { found, expected: "a JSON object with texts as values".into() });
            };
            text_map(Dialect::Json, &Value::Object(map))?.into()
        }
        Kind::ObjectList => return Err(mismatch(expected(kind))),
    };
    Ok(Converted { value: Some(value), remark: None })
}

/// What stands there, in words and short. Texts are shown, since only scalars of known kinds can be wrong.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => quoted(text),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a section".into(),
    }
}

fn expected(kind: Kind) -> String {
    match kind {
        Kind::Bool => "true or false",
        Kind::Int(_) => "a whole number",
        Kind::Duration => "a duration with a unit, as in \"300ms\", \"25s\" or \"1h30m\"",
        Kind::Text | Kind::Choice(_) => "a text",
        Kind::TextList => "a list of texts",
        Kind::Pem => "a text: PEM, base64 of PEM, or the path of a file",
        Kind::TextMap => "a section with texts as values, or a list of {key, value}",
        Kind::ObjectList => "a list of sections",
    }
    .into()
}

fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

fn set_unless_zero(value: Value) -> Converted {
    let zero = match &value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty() || text == "0s",
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Null => true,
    };
    Converted { value: (!zero).then_some(value), remark: None }
}

fn fits_strictly(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Bool => value.is_boolean(),
        Kind::Int(_) => value.is_i64() || value.is_u64(),
        Kind::Duration => value.is_string() || value.is_i64(),
        Kind::Text | Kind::Choice(_) | Kind::Pem => value.is_string(),
        Kind::TextList => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        Kind::TextMap => value.is_object(),
        Kind::ObjectList => true,
    }
}

fn bool_of(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => number.as_f64().map(|number| number != 0.0),
        Value::String(text) if text.is_empty() => Some(false),
        Value::String(text) => go_bool(text),
        _ => None,
    }
}

fn int_of(width: Width, value: &Value) -> Result<Value, Mismatch> {
    let mismatch = || Mismatch { found: describe(value), expected: expected(Kind::Int(width)) };
    match value {
        Value::Bool(flag) => Ok(i64::from(*flag).into()),
        Value::String(text) if text.is_empty() => Ok(0.into()),
        Value::String(text) => int_text(width, text),
        Value::Number(number) => whole(number).ok_or_else(mismatch).and_then(|whole| in_range(width, whole)),
        _ => Err(mismatch()),
    }
}

fn int_text(width: Width, text: &str) -> Result<Value, Mismatch> {
    let number =
        go_int(text).ok_or_else(|| Mismatch { found: quoted(text), expected: expected(Kind::Int(width)) })?;
    in_range(width, number)
}

/// The number without its fraction.
fn whole(number: &Number) -> Option<i128> {
    if let Some(number) = number.as_i64() {
        return Some(number.into());
    }
    if let Some(number) = number.as_u64() {
        return Some(number.into());
    }
    let number = number.as_f64()?.trunc();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "cutting fractions is the rule, and the range is checked"
    )]
    (number.abs() < 1e20).then_some(number as i128)
}

fn in_range(width: Width, number: i128) -> Result<Value, Mismatch> {
    let (least, most): (i128, i128) = match width {
        Width::I32 => (i32::MIN.into(), i32::MAX.into()),
        Width::U32 => (0, u32::MAX.into()),
        Width::I64 => (i64::MIN.into(), i64::MAX.into()),
    };
    let value = i64::try_from(number).ok().filter(|_| (least..=most).contains(&number));
    value.map(Value::from).ok_or_else(|| Mismatch {
        found: format!("the number {number}"),
        expected: format!("a whole number from {least} to {most}"),
    })
}

fn duration_of(value: &Value) -> Result<i64, Mismatch> {
    let mismatch = |expected| Mismatch { found: describe(value), expected };
    match value {
        Value::String(text) if text.is_empty() => Ok(0),
        Value::String(text) => {
            duration::parse(text).map_err(|error| mismatch(format!("a duration: {error}")))
        }
        Value::Number(number) => whole(number)
            .and_then(|number| i64::try_from(number).ok())
            .ok_or_else(|| mismatch(expected(Kind::Duration))),
        _ => Err(mismatch(expected(Kind::Duration))),
    }
}

fn bare_number(nanoseconds: i64) -> String {
    format!(
        "a number without a unit means nanoseconds, so this is {}; write it with a unit, as in \"{nanoseconds}s\"",
        duration::format(nanoseconds)
    )
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(String::from(if *flag { "1" } else { "0" })),
        Value::Number(number) if number.is_f64() => number.as_f64().map(|number| number.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null => Some(String::new()),
        _ => None,
    }
}

fn texts_of(dialect: Dialect, value: &Value) -> Option<Value> {
    match value {
        Value::Array(items) => items.iter().map(|item| scalar_text(item).map(Value::from)).collect(),
        Value::Object(map) => map.is_empty().then(|| Value::Array(Vec::new())),
        Value::String(text) if dialect == Dialect::OldFile => {
            Some(text.split_whitespace().map(Value::from).collect())
        }
        Value::String(text) if text.is_empty() => Some(Value::Array(Vec::new())),
        scalar => scalar_text(scalar).map(|text| Value::Array(vec![text.into()])),
    }
}

fn text_map(dialect: Dialect, value: &Value) -> Result<Map<String, Value>, Mismatch> {
    let wrong = |found: String| Mismatch { found, expected: expected(Kind::TextMap) };
    let mut map = Map::new();
    match value {
        Value::Object(pairs) => {
            for (key, value) in pairs {
                let text =
                    value.as_str().ok_or_else(|| wrong(format!("{} under {key:?}", describe(value))))?;
                // The reference's file reader lower-cases every key.
                let key = if dialect == Dialect::Json { key.clone() } else { key.to_lowercase() };
                map.insert(key, text.into());
            }
        }
        Value::Array(pairs) => {
            for pair in pairs {
                let part = |name| pair.get(name).and_then(Value::as_str);
                let (Some(key), Some(text)) = (part("key"), part("value")) else {
                    return Err(wrong("an item without the texts key and value".into()));
                };
                if map.insert(key.to_owned(), text.into()).is_some() {
                    return Err(wrong(format!("the key {key:?} twice")));
                }
            }
        }
        other => return Err(wrong(describe(other))),
    }
    Ok(map)
}

#[cfg(test)]
mod tests;
