//! Names of keys and channels, and which slot of a cluster they are in.
//!
//! The names are those of the reference, so that its data can be taken over. A [`SlotTag`] names everything that one call
//! may touch together: keys of different slots cannot be put into one script, because nothing else makes names.

mod slot;
mod tag;

pub use slot::{SLOTS, key_slot};
pub use tag::{InvalidPrefix, Keys, Layout, SlotTag};
