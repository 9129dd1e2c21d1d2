//! `batch`: many calls in one.
//!
//! Source: server API, section 3.1.

use std::sync::Arc;

use flywheel_node::{ApiError, Node};
use flywheel_protocol::api::{BatchCommand, BatchRequest};
use flywheel_protocol::json::Nullable;

use super::call::{Call, Reply, error_text};

/// A command and the name under which its result is told; or why it is none.
fn chosen(command: Nullable<BatchCommand>) -> Result<(&'static str, Call), ApiError> {
    let command = command.0.ok_or(ApiError::BadRequest)?;
    macro_rules! first {
        ($($member:ident => $call:expr,)*) => {
            $(if let Some(request) = command.$member {
                return Ok((stringify!($member), $call(request)));
            })*
        };
    }
    first! {
        publish => Call::Publish,
        broadcast => Call::Broadcast,
        subscribe => Call::Subscribe,
        unsubscribe => Call::Unsubscribe,
        disconnect => Call::Disconnect,
        history => Call::History,
        history_remove => Call::HistoryRemove,
        presence => Call::Presence,
        presence_stats => Call::PresenceStats,
        info => |_| Call::Info,
        rpc => Call::Rpc,
        refresh => Call::Refresh,
        channels => Call::Channels,
    }
    Err(ApiError::NotFound)
}

/// Runs the commands one after the other and answers in their order.
///
/// `parallel` allows more than it demands: with an engine that answers at once there is nothing to wait for, and with
/// one that does not, order within a channel is worth more than the time.
pub(super) async fn run(node: &Arc<Node>, batch: BatchRequest) -> Vec<u8> {
    if batch.commands.is_empty() {
        return b"{}".to_vec();
    }
    let mut out = b"{\"replies\":[".to_vec();
    for (index, command) in batch.commands.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match chosen(command) {
            Ok((name, call)) => write(&mut out, name, &Box::pin(call.make_one(node)).await),
            Err(error) => write(&mut out, "", &Err(error)),
        }
    }
    out.extend_from_slice(b"]}");
    out
}

fn write(out: &mut Vec<u8>, name: &str, reply: &Reply) {
    let (name, text) = match reply {
        Ok(result) => (name, result.clone()),
        Err(error) => ("error", error_text(*error)),
    };
    out.extend_from_slice(b"{\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    out.extend_from_slice(&text);
    out.push(b'}');
}
