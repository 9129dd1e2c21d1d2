//! A channel's stream: append, trim, read since, and the merge of what history had with what came in meanwhile.

mod history;
mod merge;
mod recovery;
mod stream;

pub use history::{History, HistoryQuery, Unrecoverable};
pub use merge::{Gap, Held, Merged, merge};
pub use recovery::{Recovered, RecoveryRequest};
pub use stream::{Append, Retention, Stream, Version};
