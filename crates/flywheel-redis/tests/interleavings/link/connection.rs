//! Both sides of a lane: whoever calls, as `link::Link` does, and the connection's task, as `link::wire` has it.

use std::task::Waker;

use tokio::sync::oneshot::Receiver;

use super::lane::{Lane, Reply, Taken};
use super::{CallError, ClosedBecause};
use crate::resp::{Command, Value};
use crate::waiting::{Rest, wait};
use crate::words::commands;

/// What the models ask of a lane, so that one with a fault can stand in for it.
pub(super) trait Calls: Send + Sync + 'static {
    fn push(&self, command: Command) -> Result<Receiver<Reply>, ClosedBecause>;
    fn take(&self, out: &mut Vec<u8>, waker: &Waker) -> Taken;
    /// Whether these are the answers that are due.
    fn answer(&self, values: &mut Vec<Value>) -> bool;
    fn close(&self);
}

pub(super) const PLACES: usize = 100;

/// There is room for so many calls.
pub(super) fn lane(calls_max: usize) -> Lane {
    Lane::new(calls_max, PLACES, 7)
}

impl Calls for Lane {
    /// Waits for a place first.
    fn push(&self, command: Command) -> Result<Receiver<Reply>, ClosedBecause> {
        let cost = self.cost(&command);
        match wait(self.places.acquire_many(cost)) {
            Ok(permit) => permit.forget(),
            Err(_) => return Err(self.closed_because().unwrap_or(ClosedBecause::ByServer)),
        }
        self.push(command, cost, false)
    }

    fn take(&self, out: &mut Vec<u8>, waker: &Waker) -> Taken {
        self.take(out, usize::MAX, waker)
    }

    fn answer(&self, values: &mut Vec<Value>) -> bool {
        self.answer(values, &mut None).is_ok()
    }

    fn close(&self) {
        self.close(ClosedBecause::ByUs("closed".into()));
    }
}

/// A call that is worth its own name: the answer, or why there is none.
pub(super) fn call(lane: &impl Calls, name: &str) -> Reply {
    let answer = lane.push(Command::new(name).checked()).map_err(CallError::NotSent)?;
    wait(answer).unwrap()
}

/// What the server answers: the command itself.
pub(super) fn echoes(bytes: &[u8]) -> Vec<Value> {
    commands(bytes)
        .into_iter()
        .map(|words| Value::Array(words.into_iter().map(Value::Bulk).collect()))
        .collect()
}

/// What of that reaches the caller.
pub(super) fn echo(name: &'static str) -> Value {
    Value::Array(vec![Value::Bulk(name.into())])
}

/// The connection's task with a server that answers at once, if it does. Ends with the lane, or after so many answers.
/// Answers with what it took.
pub(super) fn serve(lane: &impl Calls, answers: usize, is_mute: bool) -> Vec<u8> {
    let rest = Rest::new();
    let (mut taken, mut answered) = (Vec::new(), 0);
    while answered < answers {
        let mut out = Vec::new();
        if matches!(lane.take(&mut out, rest.waker()), Taken::Closed) {
            break;
        }
        taken.extend_from_slice(&out);
        if !out.is_empty() && !is_mute {
            let mut values = echoes(&out);
            answered += values.len();
            if !lane.answer(&mut values) {
                // Either it has ended, or now it does.
                lane.close();
                break;
            }
        }
        if answered < answers {
            rest.until_woken();
        }
    }
    taken
}

/// Whether the call is among these bytes.
pub(super) fn has(bytes: &[u8], name: &str) -> bool {
    commands(bytes).iter().any(|words| words[0] == name)
}
