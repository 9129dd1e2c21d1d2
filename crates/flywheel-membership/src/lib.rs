//! Who is in the cluster, whether this node is fit to serve, and when it hands its clients over. No IO, no clock.
//!
//! - [`View`] knows which nodes are heard, and notices on both sides when two nodes do not see the same.
//! - [`Readiness`] makes steady answers out of what probes find.
//! - [`HandOver`] decides when a node that cannot serve sends its clients elsewhere.

mod hand_over;
mod readiness;
mod view;

pub use hand_over::{HandOver, Step};
pub use readiness::{Change, Elsewhere, Entry, Finding, Readiness, Report, Scope};
pub use view::{Said, Soundness, Timing, View};
