//! Sections 3.8, 8.2 and 9: what differs from a WebSocket.

use flywheel_protocol::client::Transport;
use flywheel_protocol::{Disconnect, ErrorCode};

use super::world::World;
use crate::{Failure, Session};

const SESSION: &str = "00000000-0000-4000-8000-000000000002";

fn world(transport: Transport) -> World {
    World::with(|settings, greeting| {
        settings.node = "n1".into();
        settings.unidirectional_disconnects = [(100, Disconnect::SHUTDOWN)].into();
        greeting.transport = transport;
    })
}

#[test]
fn clients_of_streams_are_told_where_their_commands_go_and_listeners_only_their_session() {
    let with_session =
        |rest: &str| format!(r#"{{"id":1,"connect":{{"client":"c1","version":"v","ping":25,{rest}}}}}"#);
    let way = with_session(&format!(r#""pong":true,"session":"{SESSION}","node":"n1""#));
    let secret = with_session(&format!(r#""session":"{SESSION}""#));
    for (transport, expected) in [
        (Transport::WebSocket, with_session(r#""pong":true"#)),
        (Transport::Sse, way.clone()),
        (Transport::HttpStream, way),
        (Transport::UniWebSocket, secret.clone()),
        (Transport::UniSse, secret.clone()),
        (Transport::UniHttpStream, secret),
    ] {
        let mut world = world(transport);
        world.send(r#"{"id":1,"connect":{}}"#);
        world.sees(&[&expected]);
    }
}

#[test]
fn a_listener_on_a_stream_is_pinged_and_owes_no_pong() {
    for transport in [Transport::UniSse, Transport::UniHttpStream] {
        let mut world = world(transport);
        world.send(r#"{"id":1,"connect":{"token":"t42"}}"#);
        world.at(100_000);
        assert!(world.session.is_connected());
    }
}

#[test]
fn a_listener_on_a_websocket_owes_a_pong_of_the_transport() {
    let mut world = world(Transport::UniWebSocket);
    world.send(r#"{"id":1,"connect":{"token":"t42"}}"#);
    world.at(12_499);
    world.does_anything();
    world.at(12_500);
    world.does(&["{}", "transport ping"]);
    world.act(Session::handle_transport_pong);
    world.at(37_500);
    world.does(&["{}", "transport ping"]);
    world.at(45_500);
    world.does(&["close 3000 connection closed", "released 42"]);
}

#[test]
fn what_would_be_an_error_is_a_disconnect_for_a_listener() {
    for (error, disconnect) in [
        (ErrorCode::TOKEN_EXPIRED, "109: 3005 connection expired"),
        (ErrorCode::EXPIRED, "110: 3005 connection expired"),
        (ErrorCode::TOO_MANY_REQUESTS, "111: 3013 too many requests"),
        (ErrorCode::PERMISSION_DENIED, "103: 3507 permission denied"),
        (ErrorCode::UNKNOWN_CHANNEL, "102: 3004 internal server error"),
        (ErrorCode::INTERNAL, "100: 3001 shutdown"),
    ] {
        let mut world = world(Transport::UniSse);
        world.engine.tokens.insert("t".into(), Err(Failure::Error(error)));
        world.send(r#"{"id":1,"connect":{"token":"t"}}"#);
        world.does(&["ask authenticate", &format!("reject {disconnect}")]);
        assert!(world.session.is_deaf());
    }
}
