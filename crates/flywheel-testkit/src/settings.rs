use serde_json::{Map, Value};

/// The configuration that the transcripts are written for.
///
/// Its API key is `secret`; the port is added by [`Server`](crate::Server).
pub fn fixture() -> Value {
    serde_json::from_str(include_str!("../transcripts/fixture.json")).expect("the fixture is JSON")
}

/// The same on a Redis that is reached like this.
pub fn fixture_on_redis(redis: &Value) -> Value {
    let mut config = fixture();
    set(&mut config, "engine.type", "redis".into());
    set(&mut config, "engine.redis", redis.clone());
    config
}

/// Sets the value under a path of keys joined by dots, making the objects in between.
pub fn set(config: &mut Value, path: &str, value: Value) {
    let mut place = config;
    for key in path.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = place.as_object_mut().unwrap().entry(key).or_insert(Value::Null);
    }
    *place = value;
}

/// Adds a namespace of channels.
pub fn add_namespace(config: &mut Value, namespace: Value) {
    config["channel"]["namespaces"].as_array_mut().unwrap().push(namespace);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn setting_a_path_makes_the_objects_in_between_and_keeps_the_rest() {
        let mut config = json!({"client": {"channel_limit": 3}});
        set(&mut config, "client.ping_interval", json!("1s"));
        set(&mut config, "admin.enabled", json!(true));
        assert_eq!(
            config,
            json!({"client": {"channel_limit": 3, "ping_interval": "1s"}, "admin": {"enabled": true}})
        );
    }

    #[test]
    fn the_fixture_names_all_namespaces_of_the_transcripts() {
        let config = fixture();
        let names: Vec<_> = config["channel"]["namespaces"]
            .as_array()
            .unwrap()
            .iter()
            .map(|namespace| namespace["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["room", "log", "snap", "diff", "pick", "vault", "lock"]);
    }
}
