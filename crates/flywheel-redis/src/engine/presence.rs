use std::collections::BTreeSet;
use std::sync::Arc;

use flywheel_engine::{EngineError, PresenceStats};
use flywheel_model::{Channel, ClientInfo};

use super::publish::seconds;
use super::route::Call;
use super::shard::{Shard, failed, unavailable, unexpected, wrong_with};
use crate::envelope;
use crate::keys::SlotTag;
use crate::resp::Value;

impl Shard {
    pub(super) async fn add_present(&self, channel: &Channel, info: &ClientInfo) -> Result<(), EngineError> {
        let arguments = [
            seconds(self.options.presence_ttl).into_bytes(),
            info.client.clone().into_bytes(),
            envelope::client_info(info),
            info.user.as_str().into(),
            self.fields_expire().into(),
        ];
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        self.on_presence(
            channel,
            |tag| (presence_keys(tag, self.options.presence_users), &self.scripts.presence_add),
            &arguments,
        )
        .await
        .map(drop)
    }

    pub(super) async fn remove_present(&self, channel: &Channel, client: &str) -> Result<(), EngineError> {
        let arguments = [client.as_bytes(), self.fields_expire()];
        self.on_presence(
            channel,
            |tag| (presence_keys(tag, self.options.presence_users), &self.scripts.presence_remove),
            &arguments,
        )
        .await
        .map(drop)
    }

    pub(super) async fn present(&self, channel: &Channel) -> Result<Vec<Arc<ClientInfo>>, EngineError> {
        let answer = self
            .on_presence(
                channel,
                |tag| (presence_keys(tag, false), &self.scripts.presence_get),
                &[self.fields_expire()],
            )
            .await?;
        let infos: Vec<&Value> = match answer.first() {
            Some(Value::Array(items)) => items.iter().skip(1).step_by(2).collect(),
            Some(Value::Map(pairs)) => pairs.iter().map(|(_, info)| info).collect(),
            _ => return Err(unexpected()),
        };
        let decode = |info: &Value| {
            let bytes = info.bytes().ok_or_else(unexpected)?;
            let info = envelope::stored_client_info(bytes).map_err(|error| wrong_with(channel)(&error))?;
            Ok(Arc::new(info))
        };
        let mut clients = infos.into_iter().map(decode).collect::<Result<Vec<_>, _>>()?;
        clients.sort_by(|one, other| one.client.cmp(&other.client));
        Ok(clients)
    }

    pub(super) async fn presence_stats(&self, channel: &Channel) -> Result<PresenceStats, EngineError> {
        if !self.options.presence_users {
            let clients = self.present(channel).await?;
            let users: BTreeSet<_> = clients.iter().map(|info| &info.user).collect();
            return Ok(PresenceStats { clients: clients.len(), users: users.len() });
        }
        let answer = self
            .on_presence(
                channel,
                |tag| (presence_keys(tag, true), &self.scripts.presence_stats),
                &[self.fields_expire()],
            )
            .await?;
        let count = |index: usize| {
            let count = answer.get(index).and_then(Value::uint).ok_or_else(unexpected)?;
            usize::try_from(count).map_err(unavailable)
        };
        Ok(PresenceStats { clients: count(0)?, users: count(1)? })
    }

    fn fields_expire(&self) -> &'static [u8] {
        if self.options.presence_field_ttl { b"1" } else { b"0" }
    }

    /// Runs a script on the keys of a channel's presence. All of them may be run twice.
    async fn on_presence<'s>(
        &'s self,
        channel: &Channel,
        what: impl FnOnce(&SlotTag<'_>) -> (Vec<String>, &'s crate::scripts::Script),
        arguments: &[&[u8]],
    ) -> Result<Vec<Value>, EngineError> {
        let deadline = self.deadline();
        let tag = self.keys(deadline).await?.of_presence(channel);
        let (keys, script) = what(&tag);
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let call = Call { is_repeatable: true, ..Self::call_of(&tag, deadline) };
        self.script(call, &script.call(&keys, arguments)).await.map_err(failed(channel))
    }
}

fn presence_keys(tag: &SlotTag<'_>, with_users: bool) -> Vec<String> {
    let mut keys = vec![tag.presence(), tag.presence_expiry()];
    if with_users {
        keys.extend([tag.presence_users(), tag.presence_users_expiry()]);
    }
    keys
}
