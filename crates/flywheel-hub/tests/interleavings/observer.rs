//! The reference: what a client may see of a channel, from nothing but what it was told before.

use std::collections::BTreeMap;

use flywheel_stream::delta;
use serde_json::Value;

/// What the publication at `offset` in the life `epoch` of a channel says.
pub(crate) fn payload(channel: &str, epoch: &str, offset: u64) -> String {
    format!("\"{channel} {epoch} {offset} and a tail that stays the same, so that a patch is shorter\"")
}

/// Whether the filter of `pick:` channels admits the publication.
pub(crate) fn admitted(channel: &str, offset: u64) -> bool {
    !channel.starts_with("pick:") || offset % 2 == 1
}

/// Offset and epoch.
pub(crate) type Position = (u64, String);

/// Who wanted a subscription, and from where it is to recover.
#[derive(Debug, PartialEq)]
enum Asked {
    ByServer,
    Anew,
    From(Position),
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub subscribed: bool,
    pub offset: u64,
    pub epoch: String,
    delta: bool,
    /// The last payload, for patches.
    last: Vec<u8>,
}

/// What one client saw.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    pub channels: BTreeMap<&'static str, Seen>,
    /// Subscribe and unsubscribe commands without a reply, and from where they recover.
    pub commands: BTreeMap<u64, (&'static str, Option<Position>)>,
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_default()
}

impl Observer {
    pub(crate) fn connection_lost(&mut self) {
        self.commands.clear();
        self.channels.values_mut().for_each(|seen| seen.subscribed = false);
    }

    /// `names`: the channels there are.
    pub(crate) fn see(&mut self, message: &Value, names: &[&'static str]) -> Result<(), String> {
        if let Some(push) = message.get("push") {
            let name = push["channel"].as_str().unwrap_or_default();
            let Some(channel) = names.iter().find(|known| **known == name) else {
                return Ok(());
            };
            let seen = self.channels.entry(*channel).or_default();
            return if let Some(publication) = push.get("pub") {
                seen.publication(channel, publication)
            } else if push.get("unsubscribe").is_some() {
                if std::mem::take(&mut seen.subscribed) {
                    Ok(())
                } else {
                    Err("unsubscribed from nothing".into())
                }
            } else if let Some(result) = push.get("subscribe") {
                seen.begin(channel, result, &Asked::ByServer)
            } else {
                Ok(())
            };
        }
        let Some((channel, since)) = self.commands.remove(&number(message, "id")) else {
            return Ok(());
        };
        let seen = self.channels.entry(channel).or_default();
        if let Some(result) = message.get("subscribe") {
            seen.begin(channel, result, &since.map_or(Asked::Anew, Asked::From))
        } else {
            if message.get("unsubscribe").is_some() {
                seen.subscribed = false;
            }
            Ok(())
        }
    }
}

impl Seen {
    fn begin(&mut self, channel: &str, result: &Value, asked: &Asked) -> Result<(), String> {
        if std::mem::replace(&mut self.subscribed, true) {
            return Err("subscribed twice".into());
        }
        let is_command = *asked != Asked::ByServer;
        let (offset, epoch) = (number(result, "offset"), result["epoch"].as_str().unwrap_or_default());
        let recovered = result["recovered"].as_bool() == Some(true);
        if recovered && *asked != Asked::From((offset, epoch.to_owned())) {
            return Err(format!("recovered from {offset} of {epoch}, not from {asked:?}"));
        }
        (self.offset, self.epoch) = (offset, epoch.to_owned());
        self.delta = is_command && result["delta"].as_bool() == Some(true);
        self.last.clear();
        for publication in result["publications"].as_array().into_iter().flatten() {
            if !recovered {
                return Err("unrecovered publications".into());
            }
            self.publication(channel, publication)?;
        }
        Ok(())
    }

    fn publication(&mut self, channel: &str, publication: &Value) -> Result<(), String> {
        if !self.subscribed {
            return Err("a publication without a subscription".into());
        }
        let offset = number(publication, "offset");
        let next = (self.offset + 1..=self.offset + 2).find(|offset| admitted(channel, *offset));
        if Some(offset) != next {
            return Err(format!("{channel}: {offset} follows {}", self.offset));
        }
        self.offset = offset;
        let data = &publication["data"];
        let data = if publication["delta"].as_bool() == Some(true) {
            let patch = data.as_str().ok_or("a patch that is no text")?;
            delta::apply(&self.last, patch.as_bytes(), 10_000).map_err(|flaw| format!("{flaw:?}"))?
        } else if self.delta {
            data.as_str().ok_or("a payload that is no text")?.as_bytes().to_vec()
        } else {
            data.to_string().into_bytes()
        };
        if data != payload(channel, &self.epoch, offset).into_bytes() {
            return Err(format!("another payload: {}", String::from_utf8_lossy(&data)));
        }
        self.last = data;
        Ok(())
    }
}
