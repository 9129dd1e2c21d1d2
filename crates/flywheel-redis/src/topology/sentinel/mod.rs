mod drive;
mod event;
mod fence;
mod table;
mod watch;

pub(super) use drive::run;
pub use event::{SentinelEvent, sentinel_event};
pub use fence::Fence;
pub use table::{Chosen, SentinelTable};
