//! Which changes a reload takes over.

use flywheel_config::Changes;

use crate::Given;

fn between(running: &str, wanted: &str) -> Changes {
    Changes::between(&Given::yaml(running).loaded().config, &Given::yaml(wanted).loaded().config)
}

#[test]
fn changes_are_sorted_by_whether_a_reload_takes_them() {
    let wanted = "client: {ping_interval: 30s, token: {hmac_secret_key: s}, insecure: true}\nlog: {level: debug, file: x}\n\
                  channel: {namespaces: [{name: chat}], proxy: {subscribe: {timeout: 2s}}}\nhttp_server: {port: 1}";
    let changes = between("", wanted);
    let taken = [
        "log.level",
        "client.token.hmac_secret_key",
        "client.ping_interval",
        "client.insecure",
        "channel.proxy.subscribe.timeout",
        "channel.namespaces",
    ];
    let waiting = ["http_server.port", "log.file"];
    assert_eq!(changes.reloadable, taken);
    assert_eq!(changes.needs_restart, waiting);
}

#[test]
fn the_same_said_differently_is_no_change() {
    assert_eq!(between("client: {ping_interval: 60s}", "client: {ping_interval: 1m}"), Changes::default());
    assert_eq!(between("", "http_server: {port: 8000}"), Changes::default());
    assert_eq!(
        between("channel: {namespaces: [{name: aa}]}", "channel: {namespaces: [{name: aa}]}"),
        Changes::default()
    );
}
