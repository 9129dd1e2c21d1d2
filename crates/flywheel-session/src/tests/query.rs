//! Sections 6.2 to 6.4.

use flywheel_protocol::ErrorCode;

use super::world::World;
use crate::RpcSettings;

fn check(command: &str, expected: &str) {
    let mut world = World::connected();
    for data in ["\"a\"", "\"b\"", "\"c\""] {
        world.publish("log:h", data);
    }
    world.send(command);
    world.sees(&[expected]);
}

fn history(members: &str, expected: &str) {
    let command = format!(r#"{{"id":2,"history":{{"channel":"log:h"{members}}}}}"#);
    let expected = format!(r#"{{"id":2,"history":{{"publications":[{expected}],"epoch":"e","offset":3}}}}"#);
    check(&command, &expected);
}

const A: &str = r#"{"data":"a","offset":1}"#;
const B: &str = r#"{"data":"b","offset":2}"#;
const C: &str = r#"{"data":"c","offset":3}"#;

#[test]
fn history_is_read_from_either_end_and_since_a_position() {
    history("", "");
    history(r#","limit":2"#, &format!("{A},{B}"));
    history(r#","limit":-1"#, &format!("{A},{B},{C}"));
    history(r#","limit":2,"reverse":true"#, &format!("{C},{B}"));
    history(r#","limit":2,"since":{"offset":2,"epoch":"e"}"#, C);
    history(r#","limit":2,"since":{"offset":2}"#, C);
    history(r#","limit":5,"since":{"offset":2,"epoch":"e"},"reverse":true"#, A);
    history(r#","limit":5,"since":{"offset":77}"#, "");
}

#[test]
fn history_has_a_limit_that_the_server_sets() {
    for (limit, expected) in [(5, format!("{A},{B}")), (-1, format!("{A},{B}")), (1, A.to_owned())] {
        let mut world = World::with(|settings, _| settings.history_limit = Some(2));
        world.connect();
        for data in ["\"a\"", "\"b\"", "\"c\""] {
            world.publish("log:h", data);
        }
        world.send(&format!(r#"{{"id":2,"history":{{"channel":"log:h","limit":{limit}}}}}"#));
        world.sees(&[&format!(
            r#"{{"id":2,"history":{{"publications":[{expected}],"epoch":"e","offset":3}}}}"#
        )]);
    }
}

#[test]
fn history_that_cannot_be_read_is_an_error() {
    let bad_request = r#"{"id":2,"error":{"code":107,"message":"bad request"}}"#;
    let unrecoverable = r#"{"id":2,"error":{"code":112,"message":"unrecoverable position"}}"#;
    check(
        r#"{"id":2,"history":{"channel":"log:h","limit":5,"since":{"epoch":"e"},"reverse":true}}"#,
        bad_request,
    );
    check(
        r#"{"id":2,"history":{"channel":"log:h","limit":5,"since":{"offset":1,"epoch":"x"}}}"#,
        unrecoverable,
    );
    check(r#"{"id":2,"history":{"channel":"log:h","since":{"epoch":"x"}}}"#, unrecoverable);
    let refused = |command: &str, member: &str| command.replace("history", member);
    for (channel, error) in [
        ("lobby", r#"{"code":108,"message":"not available"}"#),
        ("lock:1", r#"{"code":108,"message":"not available"}"#),
        ("nowhere:ü", r#"{"code":102,"message":"unknown channel"}"#),
        ("lobbü", r#"{"code":107,"message":"bad request"}"#),
    ] {
        let command = format!(r#"{{"id":2,"history":{{"channel":"{channel}"}}}}"#);
        for member in ["history", "presence", "presence_stats"] {
            check(&refused(&command, member), &format!(r#"{{"id":2,"error":{error}}}"#));
        }
    }
    for member in ["history", "presence", "presence_stats"] {
        check(&format!(r#"{{"id":2,"{member}":{{}}}}"#), "close 3501 bad request");
    }
}

#[test]
fn presence_that_nobody_has_is_empty_but_there() {
    check(r#"{"id":2,"presence":{"channel":"room:e"}}"#, r#"{"id":2,"presence":{"presence":{}}}"#);
    check(
        r#"{"id":2,"presence_stats":{"channel":"room:e"}}"#,
        r#"{"id":2,"presence_stats":{"num_clients":0,"num_users":0}}"#,
    );
}

#[test]
fn a_failed_engine_is_error_100() {
    for (kind, channel) in [("presence", "room:x"), ("presence_stats", "room:x"), ("history", "log:x")] {
        let mut world = World::connected();
        world.slow(kind);
        world.send(&format!(r#"{{"id":2,"{kind}":{{"channel":"{channel}"}}}}"#));
        world.fail(kind, ErrorCode::INTERNAL);
        world.sees(&[r#"{"id":2,"error":{"code":100,"message":"internal server error","temporary":true}}"#]);
    }
}

#[test]
fn rpc_has_at_most_its_built_in_method() {
    let unavailable = r#"{"id":2,"error":{"code":108,"message":"not available"}}"#;
    let unknown = r#"{"id":2,"error":{"code":104,"message":"method not found"}}"#;
    for (built_in, method, expected) in [
        (None, "ping", unavailable),
        (Some("ping"), "ping", r#"{"id":2,"rpc":{}}"#),
        (Some("ping"), "other", unknown),
    ] {
        let ping_method = built_in.map(str::to_owned);
        let mut world =
            World::with(|settings, _| settings.rpc = RpcSettings { ping_method, ..RpcSettings::default() });
        world.connect();
        world.send(&format!(r#"{{"id":2,"rpc":{{"method":"{method}"}}}}"#));
        world.sees(&[expected]);
    }
}
