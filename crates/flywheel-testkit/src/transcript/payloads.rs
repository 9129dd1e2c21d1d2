use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::fossil::apply_delta;

/// Compares what subscribers with delta make of their patches with what was published.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    /// By channel: the payloads in the order of their offsets.
    published: BTreeMap<String, Vec<String>>,
    /// By connection and id: the channels of subscribe commands.
    asked: BTreeMap<(usize, u64), String>,
    /// By connection and channel, where delta is on: the last payload.
    held: BTreeMap<(usize, String), Vec<u8>>,
}

impl Payloads {
    /// A publication through the server API.
    pub(super) fn publish(&mut self, body: &str) {
        let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(body).unwrap_or_default();
        let channel = members.get("channel").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        if let (Some(channel), Some(data)) = (channel, members.get("data")) {
            self.published.entry(channel).or_default().push(data.get().to_owned());
        }
    }

    /// A client sent a message of one or more commands.
    pub(super) fn send(&mut self, connection: usize, text: &str) {
        for line in text.lines() {
            let command: Value = serde_json::from_str(line).unwrap_or_default();
            if let (Some(id), Some(channel)) =
                (command["id"].as_u64(), command["subscribe"]["channel"].as_str())
            {
                self.asked.insert((connection, id), channel.to_owned());
            }
        }
    }

    /// A message of the server arrived.
    ///
    /// # Errors
    /// A publication with delta is not what was published.
    pub(super) fn receive(&mut self, connection: usize, message: &str) -> Result<(), String> {
        let message: Value = serde_json::from_str(message).unwrap_or_default();
        let asked = message["id"].as_u64().and_then(|id| self.asked.remove(&(connection, id)));
        if let (Some(channel), Some(true)) = (asked, message["subscribe"]["delta"].as_bool()) {
            self.held.insert((connection, channel.clone()), Vec::new());
            for publication in message["subscribe"]["publications"].as_array().into_iter().flatten() {
                self.publication(connection, &channel, publication)?;
            }
        }
        let push = &message["push"];
        match push["channel"].as_str() {
            Some(channel) if push["pub"].is_object() => self.publication(connection, channel, &push["pub"]),
            _ => Ok(()),
        }
    }

    fn publication(&mut self, connection: usize, channel: &str, publication: &Value) -> Result<(), String> {
        let Some(held) = self.held.get_mut(&(connection, channel.to_owned())) else {
            return Ok(());
        };
        let data = publication["data"].as_str().ok_or_else(|| format!("no string as data: {publication}"))?;
        *held = if publication["delta"] == true {
            apply_delta(held, data.as_bytes())
                .ok_or_else(|| format!("a patch that does not fit: {publication}"))?
        } else {
            data.as_bytes().to_vec()
        };
        let offset = publication["offset"].as_u64().and_then(|offset| usize::try_from(offset).ok());
        let published = offset.and_then(|offset| self.published.get(channel)?.get(offset.checked_sub(1)?));
        match published {
            Some(published) if published.as_bytes() == *held => Ok(()),
            _ => Err(format!("a payload that was not published there: {}", String::from_utf8_lossy(held))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscribed() -> Payloads {
        let mut payloads = Payloads::default();
        payloads.publish(r#"{"channel":"a","data":{"long":"0123456789"}}"#);
        payloads.publish(r#"{"channel":"a","data":{"long":"9123456789"}}"#);
        payloads.send(1, "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}");
        payloads.receive(1, r#"{"id":2,"subscribe":{"delta":true}}"#).unwrap();
        payloads
    }

    const FULL: &str = r#"{"push":{"channel":"a","pub":{"data":"{\"long\":\"0123456789\"}","offset":1}}}"#;

    #[test]
    fn patches_are_applied_to_what_came_before() {
        let mut payloads = subscribed();
        payloads.receive(1, FULL).unwrap();
        let patch =
            r#"{"push":{"channel":"a","pub":{"data":"L\n9@0,1:9B@A,3oBnto;","offset":2,"delta":true}}}"#;
        payloads.receive(1, patch).unwrap();
        let damaged = patch.replace("3oBnto", "3oBntp");
        assert!(payloads.receive(1, &damaged).unwrap_err().contains("does not fit"));
    }

    #[test]
    fn another_payload_than_the_published_one_is_found() {
        let mut payloads = subscribed();
        let wrong = FULL.replace("\"offset\":1", "\"offset\":2");
        assert!(payloads.receive(1, &wrong).unwrap_err().contains("not published"));
        assert!(payloads.receive(1, &FULL.replace("0123", "0124")).is_err());
        assert!(payloads.receive(1, &FULL.replace("\"offset\":1", "\"offset\":9")).is_err());
        assert!(
            payloads.receive(1, r#"{"push":{"channel":"a","pub":{"data":{"long":1},"offset":1}}}"#).is_err()
        );
    }

    #[test]
    fn connections_without_delta_are_left_alone() {
        let mut payloads = subscribed();
        payloads.receive(2, r#"{"push":{"channel":"a","pub":{"data":{"any":1},"offset":1}}}"#).unwrap();
    }
}
