use flywheel_metrics::ApiMethod;

/// A method of the server API that has a path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "a method is what its section in the API's description says")]
pub enum Method {
    Publish,
    Broadcast,
    Subscribe,
    Unsubscribe,
    Disconnect,
    Refresh,
    Presence,
    PresenceStats,
    History,
    HistoryRemove,
    Channels,
    Info,
    Rpc,
    Batch,
    Drain,
}

impl Method {
    const ALL: [(Self, &'static str, ApiMethod, Option<u32>); 15] = [
        (Self::Publish, "publish", ApiMethod::Publish, Some(0)),
        (Self::Broadcast, "broadcast", ApiMethod::Broadcast, Some(1)),
        (Self::Unsubscribe, "unsubscribe", ApiMethod::Unsubscribe, Some(2)),
        (Self::Disconnect, "disconnect", ApiMethod::Disconnect, Some(3)),
        (Self::Presence, "presence", ApiMethod::Presence, Some(4)),
        (Self::PresenceStats, "presence_stats", ApiMethod::PresenceStats, Some(5)),
        (Self::History, "history", ApiMethod::History, Some(6)),
        (Self::HistoryRemove, "history_remove", ApiMethod::HistoryRemove, Some(7)),
        (Self::Channels, "channels", ApiMethod::Channels, Some(8)),
        (Self::Info, "info", ApiMethod::Info, Some(9)),
        (Self::Rpc, "rpc", ApiMethod::Rpc, Some(10)),
        (Self::Subscribe, "subscribe", ApiMethod::Subscribe, Some(11)),
        (Self::Refresh, "refresh", ApiMethod::Refresh, Some(12)),
        (Self::Batch, "batch", ApiMethod::Batch, None),
        // Flywheel's own.
        (Self::Drain, "drain", ApiMethod::Drain, None),
    ];

    /// The method with this name, in lower case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, ..)| *known == name).map(|(method, ..)| *method)
    }

    /// The method with this number in the single endpoint.
    pub fn numbered(number: u32) -> Option<Self> {
        Self::ALL.iter().find(|(.., known)| *known == Some(number)).map(|(method, ..)| *method)
    }

    /// How metrics label it.
    pub fn label(self) -> ApiMethod {
        Self::ALL
            .iter()
            .find(|(method, ..)| *method == self)
            .map_or(ApiMethod::Unknown, |(_, _, label, _)| *label)
    }
}
