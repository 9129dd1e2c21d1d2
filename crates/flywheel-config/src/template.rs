use serde_json::{Value, json};

use crate::file::Format;
use crate::schema::{ROOT, default_object};

/// Secrets for a new configuration. The reference takes unpadded base64url of 64 random bytes each, 16 for the
/// password.
#[derive(Debug, Clone, Copy)]
pub struct Secrets<'a> {
    /// For `client.token.hmac_secret_key`.
    pub token_hmac_secret_key: &'a str,
    /// For `admin.password`.
    pub admin_password: &'a str,
    /// For `admin.secret`.
    pub admin_secret: &'a str,
    /// For `http_api.key`.
    pub http_api_key: &'a str,
}

/// Every key at its default.
pub fn default_tree() -> Value {
    default_object(ROOT)
}

/// What a new installation starts from: secrets, and the keys one is sure to change.
pub fn generated_tree(secrets: &Secrets<'_>) -> Value {
    json!({
        "client": {
            "token": { "hmac_secret_key": secrets.token_hmac_secret_key },
            "allowed_origins": [],
        },
        "admin": {
            "enabled": false,
            "password": secrets.admin_password,
            "secret": secrets.admin_secret,
        },
        "http_api": { "key": secrets.http_api_key },
    })
}

/// Writes a tree as a file, with a line feed at the end. What TOML has no word for (`null`) is left out there; a tree
/// that is no section gives an empty TOML file.
pub fn render(tree: &Value, format: Format) -> String {
    let text = match format {
        Format::Json => serde_json::to_string_pretty(tree).unwrap_or_default(),
        Format::Yaml => {
            // A secret folded over two lines is hard to copy.
            let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
            serde_saphyr::to_string_with_options(tree, options).unwrap_or_default()
        }
        Format::Toml => match to_toml(tree) {
            Some(toml::Value::Table(table)) => toml::to_string_pretty(&table).unwrap_or_default(),
            _ => String::new(),
        },
    };
    format!("{}\n", text.trim_end())
}

fn to_toml(value: &Value) -> Option<toml::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => toml::Value::Boolean(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(number) => toml::Value::Integer(number),
            None => toml::Value::Float(number.as_f64()?),
        },
        Value::String(text) => toml::Value::String(text.clone()),
        Value::Array(items) => toml::Value::Array(items.iter().filter_map(to_toml).collect()),
        Value::Object(section) => toml::Value::Table(
            section.iter().filter_map(|(key, value)| Some((key.clone(), to_toml(value)?))).collect(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::File;

    const FORMATS: [Format; 3] = [Format::Json, Format::Yaml, Format::Toml];

    #[test]
    fn a_rendered_tree_reads_back_as_itself() {
        for format in FORMATS {
            let text = render(&default_tree(), format);
            let file = File { name: "default", text: &text, format };
            assert_eq!(Value::Object(file.tree().unwrap()), default_tree(), "{format:?}");
        }
    }

    #[test]
    fn a_generated_file_holds_the_secrets_and_nothing_else() {
        let secrets = Secrets {
            token_hmac_secret_key: "one",
            admin_password: "two",
            admin_secret: "three",
            http_api_key: "four",
        };
        let yaml = "admin:\n  enabled: false\n  password: two\n  secret: three\nclient:\n  allowed_origins: []\n  \
                    token:\n    hmac_secret_key: one\nhttp_api:\n  key: four\n";
        assert_eq!(render(&generated_tree(&secrets), Format::Yaml), yaml);
    }

    #[test]
    fn what_toml_cannot_say_is_left_out() {
        assert_eq!(render(&json!({"a": null, "b": [null, 1]}), Format::Toml), "b = [1]\n");
        assert_eq!(render(&Value::Null, Format::Toml), "\n");
    }
}
