//! Beside the code, and not in it: `tests/interleavings` compiles that once more.

use std::sync::Arc;

use flywheel_engine::Sink as _;
use flywheel_model::{Channel, Timestamp};
use flywheel_runtime::Bell;

use crate::{Mail, Routes, ShardPost};

#[test]
fn a_gap_is_told_also_to_a_shard_whose_mailbox_is_full() {
    let post = ShardPost::new(Arc::new(Bell::new(|| ())), Timestamp::ZERO);
    let routes = Routes::new(vec![Arc::clone(&post)]);
    let channel = Channel::from("lobby");
    routes.add(&channel, 0);
    routes.gap(&channel);
    assert_eq!(post.take_gapped(), [], "there was room");
    while post.mail.push(Mail::Stay, 1 << 10).is_ok() {}
    while post.mail.push(Mail::Stay, 1).is_ok() {}
    routes.gap(&channel);
    assert_eq!(post.take_gapped(), [channel]);
}
