mod facts;
mod verdict;

pub use facts::{ClusterState, masters};
pub(crate) use verdict::not_a_sentinel;
pub use verdict::{Asked, Detail, Verdict, judge, judge_master, unknown_master};
