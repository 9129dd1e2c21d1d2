//! Ways to get stuck on purpose, in builds for development alone, for tests of what follows from it.

use std::sync::Arc;

use flywheel_node::{Node, ShardPost};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// From now on SIGUSR1 blocks a worker of the runtime for ever, and SIGUSR2 takes the lock of shard 0's mailbox and never
/// gives it back.
pub(crate) fn on_signals(node: &Arc<Node>) {
    let tasks = node.tasks().clone();
    on(SignalKind::user_defined1(), node, move || tasks.spawn(async { for_ever() }));
    let post: Option<Arc<ShardPost>> = node.posts().first().cloned();
    on(SignalKind::user_defined2(), node, move || {
        let post = post.clone();
        std::thread::spawn(move || post.map(|post| post.mail.hold(for_ever)));
    });
}

fn on(kind: SignalKind, node: &Arc<Node>, act: impl Fn() + Send + 'static) {
    let signals: std::io::Result<Signal> = signal(kind);
    node.tasks().spawn_background(async move {
        let Ok(mut signals) = signals else { return };
        while signals.recv().await.is_some() {
            act();
        }
    });
}

fn for_ever() {
    loop {
        std::thread::park();
    }
}
