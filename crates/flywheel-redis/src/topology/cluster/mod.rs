mod drive;
mod map;

pub(super) use drive::{Members, moved, run, server_at};
pub use map::{SlotAnswer, SlotMap};
