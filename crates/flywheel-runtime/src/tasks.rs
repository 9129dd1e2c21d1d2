use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::task::JoinSet;

/// The tasks of a runtime, so that whoever stops it can wait for them.
#[derive(Debug, Clone)]
pub struct Tasks {
    runtime: Handle,
    running: Arc<Mutex<JoinSet<()>>>,
    /// Tasks without an end of their own.
    background: Arc<Mutex<JoinSet<()>>>,
}

impl Tasks {
    /// Tasks on `runtime`.
    pub fn new(runtime: Handle) -> Self {
        Self { runtime, running: Arc::default(), background: Arc::default() }
    }

    /// Starts a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock();
        // Finished ones are collected here, so that the set does not grow with the life of the process.
        while running.try_join_next().is_some() {}
        running.spawn_on(task, &self.runtime);
    }

    /// Starts a task that never finishes by itself: [`join`](Self::join) ends it instead of waiting for it.
    pub fn spawn_background(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.background.lock().spawn_on(task, &self.runtime);
    }

    /// What the runtime counts of itself.
    pub(crate) fn runtime_metrics(&self) -> RuntimeMetrics {
        self.runtime.metrics()
    }

    /// Number of tasks that have not finished.
    pub fn count(&self) -> usize {
        let mut running = self.running.lock();
        while running.try_join_next().is_some() {}
        running.len()
    }

    /// Waits until all tasks have finished, at most `deadline`; then ends those that have not. Answers whether all had.
    pub async fn join(&self, deadline: Duration) -> bool {
        let mut background = std::mem::take(&mut *self.background.lock());
        background.shutdown().await;
        let mut running = std::mem::take(&mut *self.running.lock());
        let all = async { while running.join_next().await.is_some() {} };
        let finished = tokio::time::timeout(deadline, all).await.is_ok();
        running.shutdown().await;
        finished
    }
}
