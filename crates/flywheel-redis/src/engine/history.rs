use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flywheel_engine::EngineError;
use flywheel_model::{Channel, StreamPosition, Timestamp};
use flywheel_stream::{History, HistoryQuery};

use super::gaps::text;
use super::publish::seconds;
use super::route::Call;
use super::shard::{Shard, failed, unexpected, wrong_with};
use crate::envelope;
use crate::keys::SlotTag;
use crate::resp::{Command, Value};

/// What is stored at which offset.
type Entries = Vec<(u64, Bytes)>;

impl Shard {
    pub(super) async fn history(
        &self,
        channel: &Channel,
        query: &HistoryQuery,
        meta_ttl: Duration,
    ) -> Result<History, EngineError> {
        let deadline = self.deadline();
        let tag = self.keys(deadline).await?.of_channel(channel);
        let (top, epoch, entries) = self.read_entries(channel, &tag, query, meta_ttl, deadline).await?;
        let top = StreamPosition { offset: top, epoch: epoch.as_str().into() };
        if query.since.as_ref().is_some_and(|since| !since.epoch.admits(&top.epoch)) {
            return Err(EngineError::Unrecoverable);
        }
        let stored =
            entries.iter().map(|(offset, bytes)| envelope::stored_publication(bytes, *offset).map(Arc::new));
        let publications = stored.collect::<Result<_, _>>().map_err(|error| wrong_with(channel)(&error))?;
        Ok(History { publications, top })
    }

    pub(super) async fn remove_history(&self, channel: &Channel) -> Result<(), EngineError> {
        let deadline = self.deadline();
        let tag = self.keys(deadline).await?.of_channel(channel);
        let name = if self.options.history_lists { tag.list() } else { tag.stream() };
        let call = Call { is_repeatable: true, ..Self::call_of(&tag, deadline) };
        self.command(call, Command::new("DEL").arg(name)).await.map(drop)
    }

    /// Top, epoch and entries, in the order asked for. The epoch of the query is not looked at.
    pub(super) async fn read_entries(
        &self,
        channel: &Channel,
        tag: &SlotTag<'_>,
        query: &HistoryQuery,
        meta_ttl: Duration,
        deadline: Timestamp,
    ) -> Result<(u64, String, Entries), EngineError> {
        let epoch = self.new_epoch();
        let meta_ttl = seconds(meta_ttl);
        // It writes where there is no epoch; to do that twice does no harm.
        let call = Call { is_repeatable: true, ..Self::call_of(tag, deadline) };
        let answer = if self.options.history_lists {
            let last = last_item(query);
            let arguments = [&meta_ttl, epoch.as_str(), &last].map(str::as_bytes);
            let (list, meta) = (tag.list(), tag.list_meta());
            self.script(call, &self.scripts.read_list.call(&[&list, &meta], &arguments)).await
        } else {
            let (way, first) = stream_range(query);
            let limit = query.limit.unwrap_or_default().to_string();
            let arguments = [&meta_ttl, epoch.as_str(), way, &first, &limit].map(str::as_bytes);
            let (stream, meta) = (tag.stream(), tag.stream_meta());
            self.script(call, &self.scripts.read_stream.call(&[&stream, &meta], &arguments)).await
        };
        let answer = answer.map_err(failed(channel))?;
        let top = answer.first().and_then(Value::uint).ok_or_else(unexpected)?;
        let items = answer.get(2).map(Value::items).ok_or_else(unexpected)?;
        let entries: Option<Entries> = if self.options.history_lists {
            let items: Option<Entries> = items.iter().map(list_entry).collect();
            items.map(|items| chosen(items, query))
        } else {
            items.iter().map(stream_entry).collect()
        };
        Ok((top, text(answer.get(1)).to_owned(), entries.ok_or_else(unexpected)?))
    }
}

/// Which way to read a stream, and from which entry on.
fn stream_range(query: &HistoryQuery) -> (&'static str, String) {
    let since = query.since.as_ref().map(|since| since.offset);
    let none = ("none", String::new());
    match (query.limit, query.reverse, since) {
        (Some(0), ..) => none,
        (_, false, None) => ("forward", "-".into()),
        (_, false, Some(since)) => since.checked_add(1).map_or(none, |first| ("forward", first.to_string())),
        (_, true, None) => ("backward", "+".into()),
        (_, true, Some(since)) => since.checked_sub(1).map_or(none, |first| ("backward", first.to_string())),
    }
}

/// Index of the last item of a list, whose newest is the first, that may be needed.
fn last_item(query: &HistoryQuery) -> String {
    match (query.limit, query.reverse, &query.since) {
        (Some(0), ..) => "none".into(),
        (Some(limit), true, None) => (limit - 1).to_string(),
        _ => "-1".into(),
    }
}

/// What the query asks for, out of all items with the newest first.
fn chosen(mut items: Entries, query: &HistoryQuery) -> Entries {
    if !query.reverse {
        items.reverse();
    }
    let since = query.since.as_ref().map(|since| since.offset);
    items.retain(|(offset, _)| {
        since.is_none_or(|since| if query.reverse { *offset < since } else { *offset > since })
    });
    items.truncate(query.limit.unwrap_or(usize::MAX));
    items
}

fn list_entry(item: &Value) -> Option<(u64, Bytes)> {
    envelope::list_item(item.bytes()?).ok()
}

/// `OFFSET-0` and the fields, of which `d` is the publication.
fn stream_entry(entry: &Value) -> Option<(u64, Bytes)> {
    let [id, fields] = entry.items() else { return None };
    let (offset, _) = id.text()?.split_once('-')?;
    Some((offset.parse().ok()?, fields.get("d")?.bytes()?.clone()))
}
