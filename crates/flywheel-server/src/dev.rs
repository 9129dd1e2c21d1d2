use flywheel_api::Page;
use serde_json::json;

/// The page that `serve --dev` shows at `/`.
pub(crate) const PAGE: Page = Page(include_str!("page.html"));

/// What trying the server out needs.
#[derive(Debug, Clone)]
pub struct DevMode {
    /// The key of the server API, made for this run.
    pub api_key: String,
}

/// The configuration of `serve --dev`, as a JSON file: memory engine, loopback only, anonymous clients in a demo
/// namespace where everything is allowed.
pub fn dev_file(mode: &DevMode, port: u16) -> String {
    let origins: Vec<_> =
        ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("http://{host}:{port}")).into();
    json!({
        "http_server": { "address": "127.0.0.1", "port": port },
        "client": { "allow_anonymous_connect_without_token": true, "allowed_origins": origins },
        "http_api": { "key": mode.api_key },
        "health": { "enabled": true },
        "prometheus": { "enabled": true },
        "channel": { "namespaces": [{
            "name": "demo",
            "presence": true,
            "join_leave": true,
            "force_push_join_leave": true,
            "history_size": 100,
            "history_ttl": "300s",
            "force_recovery": true,
            "allow_subscribe_for_client": true,
            "allow_subscribe_for_anonymous": true,
            "allow_publish_for_client": true,
            "allow_publish_for_anonymous": true,
            "allow_presence_for_client": true,
            "allow_presence_for_anonymous": true,
            "allow_history_for_client": true,
            "allow_history_for_anonymous": true
        }]}
    })
    .to_string()
}
