//! The single endpoint: any number of commands in one body.
//!
//! Source: server API, section 4.

use std::sync::Arc;

use flywheel_node::{ApiError, Node};
use flywheel_protocol::api::LegacyCommand;
use flywheel_protocol::json;

use crate::api::{Call, Method, Reply};

/// A body or command that cannot be read: 400.
#[derive(Debug)]
pub(crate) struct Undecodable;

/// Runs the commands of `body`; answers a line for each.
pub(crate) async fn run(node: &Arc<Node>, body: &[u8]) -> Result<Vec<u8>, Undecodable> {
    if body.is_empty() {
        return Err(Undecodable);
    }
    let mut out = Vec::new();
    let values = serde_json::Deserializer::from_slice(body).into_iter::<&serde_json::value::RawValue>();
    for value in values {
        let raw = value.map_err(|_| Undecodable)?.get();
        let command: LegacyCommand = json::first_value(raw.as_bytes()).map_err(|_| Undecodable)?;
        let reply = match method(&command.method)? {
            None => Err(ApiError::NotFound),
            Some(method) => {
                let params: &[u8] = if command.params.is_empty() { b"{}" } else { &command.params };
                match Call::read(method, params) {
                    Ok(call) => call.make(node).await,
                    Err(_) => Err(ApiError::BadRequest),
                }
            }
        };
        if !out.is_empty() {
            out.push(b'\n');
        }
        write(&mut out, command.id, &reply);
    }
    Ok(out)
}

/// The method that a command names; `None` for one that exists but is not served here.
fn method(text: &[u8]) -> Result<Option<Method>, Undecodable> {
    if text.is_empty() || text == b"null" {
        return Ok(Some(Method::Publish));
    }
    if let Ok(number) = serde_json::from_slice::<u32>(text) {
        return Ok(Method::numbered(number));
    }
    let name = serde_json::from_slice::<String>(text).map_err(|_| Undecodable)?.to_ascii_lowercase();
    match Method::named(&name) {
        Some(Method::Batch) => Err(Undecodable),
        Some(method) => Ok(Some(method)),
        None if NOT_SERVED.contains(&name.as_str()) => Ok(None),
        None => Err(Undecodable),
    }
}

/// Methods that the reference's schema has and this server does not offer.
const NOT_SERVED: [&str; 26] = [
    "map_publish",
    "map_remove",
    "map_read_state",
    "map_read_stream",
    "map_stats",
    "map_clear",
    "shared_poll_publish",
    "connections",
    "update_user_status",
    "get_user_status",
    "delete_user_status",
    "block_user",
    "unblock_user",
    "revoke_token",
    "invalidate_user_tokens",
    "device_register",
    "device_update",
    "device_remove",
    "device_list",
    "device_topic_list",
    "device_topic_update",
    "user_topic_list",
    "user_topic_update",
    "send_push_notification",
    "update_push_status",
    "cancel_push",
];

fn write(out: &mut Vec<u8>, id: u32, reply: &Reply) {
    let wrapped = crate::api::wrapped(reply);
    if id == 0 {
        out.extend_from_slice(&wrapped);
        return;
    }
    out.extend_from_slice(format!("{{\"id\":{id},").as_bytes());
    out.extend_from_slice(&wrapped[1..]);
}
