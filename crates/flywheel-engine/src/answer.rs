use std::future::Future;
use std::pin::Pin;

/// The answer to a call: here already, or on its way.
///
/// A shard runs its sessions' calls on its own thread. An engine in the same process answers at once and costs no
/// hand-over; one behind a network answers with a future, which the node drives elsewhere.
pub enum Answer<T> {
    /// It is here.
    Now(T),
    /// It will come. The future keeps its own deadline.
    Later(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T: Send + 'static> Answer<T> {
    /// An answer that takes time.
    pub fn later(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Later(Box::pin(future))
    }

    /// Waits for it.
    pub async fn wait(self) -> T {
        match self {
            Self::Now(value) => value,
            Self::Later(future) => future.await,
        }
    }

    /// What becomes of it.
    pub fn map<U: Send + 'static>(self, change: impl FnOnce(T) -> U + Send + 'static) -> Answer<U> {
        match self {
            Self::Now(value) => Answer::Now(change(value)),
            Self::Later(future) => Answer::later(async move { change(future.await) }),
        }
    }

    /// The next call, made with what this one answered.
    pub fn then<U: Send + 'static>(self, next: impl FnOnce(T) -> Answer<U> + Send + 'static) -> Answer<U> {
        match self {
            Self::Now(value) => next(value),
            Self::Later(future) => Answer::later(async move { next(future.await).wait().await }),
        }
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Now(value) => f.debug_tuple("Now").field(value).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}
