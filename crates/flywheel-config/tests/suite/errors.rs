//! The texts of errors, word for word.

use crate::Given;

#[track_caller]
fn check(given: &Given, text: &str) {
    assert_eq!(given.errors(), text);
}

#[test]
fn a_misspelt_key_is_named_with_its_neighbour() {
    check(
        &Given::yaml("client:\n  chanel_limit: 5\n"),
        "config.yaml: unknown key client.chanel_limit, did you mean client.channel_limit?",
    );
    check(
        &Given::yaml("channel: {presence: true}"),
        "config.yaml: unknown key channel.presence, did you mean channel.namespaces[].presence or \
         channel.without_namespace.presence?",
    );
    check(
        &Given::yaml("channel: {namespaces: [{name: chat, presense: true}]}"),
        "config.yaml: unknown key channel.namespaces[chat].presense, did you mean channel.namespaces[].presence?",
    );
    check(&Given::yaml("xyzzy: 1"), "config.yaml: unknown key xyzzy");
    check(
        &Given::default().env("FLYWHEEL_CLIENT_CHANEL_LIMIT", "5"),
        "variable FLYWHEEL_CLIENT_CHANEL_LIMIT: unknown key FLYWHEEL_CLIENT_CHANEL_LIMIT, did you mean \
         FLYWHEEL_CLIENT_CHANNEL_LIMIT?",
    );
    check(
        &Given::default().flag("http_server.prot", "5"),
        "flag --http_server.prot: unknown key http_server.prot, did you mean http_server.port?",
    );
}

#[test]
fn a_wrong_type_says_what_was_found_and_what_is_expected() {
    check(
        &Given::yaml("http_server: {port: eighty}"),
        "config.yaml: http_server.port: found \"eighty\", expected a whole number",
    );
    check(
        &Given::yaml("client: 5"),
        "config.yaml: client: found the number 5, expected a section with keys of its own",
    );
    check(
        &Given::yaml("channel: {namespaces: chat}"),
        "config.yaml: channel.namespaces: found \"chat\", expected a list of sections",
    );
    check(
        &Given::yaml("channel: {namespaces: [chat]}"),
        "config.yaml: channel.namespaces[0]: found \"chat\", expected a section\n\
         config.yaml: channel.namespaces[0].name: write at least two characters out of A-Z a-z 0-9 - _ .",
    );
    check(
        &Given::default().env("CENTRIFUGO_HEALTH_ENABLED", "yes"),
        "variable CENTRIFUGO_HEALTH_ENABLED: health.enabled: found \"yes\", expected true or false",
    );
}

#[test]
fn a_bad_duration_says_what_to_write() {
    check(
        &Given::yaml("client: {ping_interval: '25'}"),
        "config.yaml: client.ping_interval: found \"25\", expected a duration: a unit is missing: write \"25s\" for \
         seconds or \"25ms\" for milliseconds",
    );
    check(
        &Given::default().flag("shutdown.timeout", "1 minute"),
        "flag --shutdown.timeout: shutdown.timeout: found \"1 minute\", expected a duration: write a number and a \
         unit, as in \"300ms\", \"25s\" or \"1h30m\"",
    );
}

#[test]
fn all_errors_come_at_once_whatever_their_source() {
    let given = Given::yaml("client: {pong_timeout: x}\nlog: {lvl: info}\nhttp_server: {port: 70000}")
        .env("FLYWHEEL_HEALTH_ENABLED", "on")
        .flag("node.shards", "many");
    let errors = given.load().unwrap_err();
    let keys: Vec<&str> = errors.iter().map(flywheel_config::ConfigError::key).collect();
    let expected = ["client.pong_timeout", "log.lvl", "health.enabled", "node.shards", "http_server.port"];
    assert_eq!(keys, expected, "{}", given.errors());
}

#[test]
fn a_broken_file_does_not_hide_broken_variables() {
    let given = Given::json("{\"client\": {}\n  \"log\": 1}").env("FLYWHEEL_HEALTH_ENABLED", "on");
    check(
        &given,
        "config.json:2:3: expected `,` or `}`\n\
         variable FLYWHEEL_HEALTH_ENABLED: health.enabled: found \"on\", expected true or false",
    );
}

#[test]
fn lenient_turns_unknown_keys_and_nothing_else_into_warnings() {
    let given = Given::yaml("client: {chanel_limit: 5}").env("FLYWHEEL_XYZZY", "1").lenient();
    assert_eq!(
        given.warnings(),
        "config.yaml: unknown key client.chanel_limit has no effect, did you mean client.channel_limit?\n\
         variable FLYWHEEL_XYZZY: unknown key FLYWHEEL_XYZZY has no effect"
    );
    assert!(Given::yaml("http_server: {port: x}").lenient().load().is_err());
}

#[test]
fn unknown_variables_with_the_old_prefix_are_only_warned_about() {
    let given = Given::default().env("CENTRIFUGO_CLIENT_CHANEL_LIMIT", "5");
    assert_eq!(
        given.warnings(),
        "variable CENTRIFUGO_CLIENT_CHANEL_LIMIT: unknown key CENTRIFUGO_CLIENT_CHANEL_LIMIT has no effect, did you \
         mean CENTRIFUGO_CLIENT_CHANNEL_LIMIT?"
    );
}
