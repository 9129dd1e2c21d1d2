//! A channel's stream: append, trim, read since, and the merge of what history had with what came in meanwhile; what
//! changed from one payload to the next, and which publications a subscriber wants.

pub mod delta;
mod filter;
mod history;
mod merge;
mod recovery;
mod stream;

pub use filter::{Filter, InvalidFilter, NodeView};
pub use history::{History, HistoryQuery, Unrecoverable};
pub use merge::{Gap, Held, Merged, merge};
pub use recovery::{Recovered, RecoveryRequest};
pub use stream::{Append, Retention, Stream, Version};
