//! What the cells find under the names `crate::sync` and `tokio::sync`. A oneshot channel never blocks, so that it can stay
//! what it is: one step each time.

pub(crate) use crate::cells::{AtomicBool, AtomicUsize, Mutex, Ordering};
pub(crate) use crate::real_tokio::sync::oneshot;
