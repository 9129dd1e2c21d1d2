use std::sync::Arc;

use flywheel_model::{Publication, StreamPosition};

/// What to read from a stream.
///
/// Source: client protocol, section 6.3.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryQuery {
    /// How many publications at most; `Some(0)` reads only the position, `None` all.
    pub limit: Option<usize>,
    /// Read after this position, or before it in reverse. Its epoch must be the stream's, or unknown.
    pub since: Option<StreamPosition>,
    /// Newest first.
    pub reverse: bool,
}

impl HistoryQuery {
    /// Reads only the position.
    pub fn top() -> Self {
        Self { limit: Some(0), ..Self::default() }
    }

    /// Reads the newest `count` publications, newest first.
    pub fn newest(count: usize) -> Self {
        Self { limit: Some(count), since: None, reverse: true }
    }

    /// Reads at most `limit` publications after `since`.
    pub fn after(since: StreamPosition, limit: usize) -> Self {
        Self { limit: Some(limit), since: Some(since), reverse: false }
    }
}

/// What was read, and the stream's top at the same instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// In the order asked for.
    pub publications: Vec<Arc<Publication>>,
    /// Position of the last publication ever made.
    pub top: StreamPosition,
}

/// The epoch of `since` is not the stream's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unrecoverable;
