//! What the cells between threads are made of: the models of their interleavings make them of something else.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(crate) use parking_lot::Mutex;
