use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use loom::sync::{Condvar, Mutex};

/// Tasks, and the line in which those stand that can go on. Threads that [`work`](Self::work) carry them out.
#[derive(Clone)]
pub(crate) struct Tasks(Arc<Inner>);

struct Inner {
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Default)]
struct Line {
    ready: VecDeque<Arc<Task>>,
    unfinished: usize,
    closing: bool,
}

struct Task {
    /// Held by nobody who could be interrupted, so that its lock need not be one of loom's.
    state: std::sync::Mutex<State>,
    inner: Arc<Inner>,
}

struct State {
    /// `None` while a thread works on it, and when it is finished.
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// It was woken while a thread worked on it.
    again: bool,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let inner = Arc::clone(&self.inner);
        inner.line.lock().unwrap().ready.push_back(self);
        inner.changed.notify_all();
    }
}

impl Task {
    /// Works on it, and answers whether it is finished now.
    fn go_on(self: Arc<Self>) -> bool {
        let mut state = self.state.lock().unwrap();
        state.again = true;
        let Some(mut future) = state.future.take() else { return false };
        state.again = false;
        drop(state);
        let waker = Waker::from(Arc::clone(&self));
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            return true;
        }
        let mut state = self.state.lock().unwrap();
        state.future = Some(future);
        let again = state.again;
        drop(state);
        if again {
            self.wake();
        }
        false
    }
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner { line: Mutex::new(Line::default()), changed: Condvar::new() }))
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let state = State { future: Some(Box::pin(task)), again: false };
        let task = Task { state: state.into(), inner: Arc::clone(&self.0) };
        let mut line = self.0.line.lock().unwrap();
        line.unfinished += 1;
        line.ready.push_back(Arc::new(task));
        drop(line);
        self.0.changed.notify_all();
    }

    /// Carries tasks out until there will be none any more.
    pub(crate) fn work(&self) {
        loop {
            let task = {
                let mut line = self.0.line.lock().unwrap();
                loop {
                    if let Some(task) = line.ready.pop_front() {
                        break task;
                    }
                    if line.closing && line.unfinished == 0 {
                        return;
                    }
                    line = self.0.changed.wait(line).unwrap();
                }
            };
            if task.go_on() {
                self.0.line.lock().unwrap().unfinished -= 1;
                self.0.changed.notify_all();
            }
        }
    }

    /// Waits until there is nothing left to do.
    pub(crate) fn settle(&self) {
        let mut line = self.0.line.lock().unwrap();
        while line.unfinished > 0 {
            line = self.0.changed.wait(line).unwrap();
        }
    }

    /// Nobody will ask for more.
    pub(crate) fn close(&self) {
        self.0.line.lock().unwrap().closing = true;
        self.0.changed.notify_all();
    }
}
