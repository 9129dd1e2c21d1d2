//! Time stands still: nothing is ever too late.

use std::future::Future;
use std::time::Duration;

pub(crate) mod error {
    /// It took too long, which nothing does here.
    #[derive(Debug)]
    pub(crate) enum Elapsed {}
}

pub(crate) async fn timeout<F: Future>(_within: Duration, future: F) -> Result<F::Output, error::Elapsed> {
    Ok(future.await)
}
