use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::shard::model;

/// What came to pass in any of the orders.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<BTreeSet<&'static str>>>);

impl Seen {
    pub(crate) fn saw(&self, what: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(what);
    }
}

/// Tries every order of what the threads of `act` do, and asserts that among them they saw `expected`, which is sorted: a
/// model in which a race never happens proves nothing.
pub(crate) fn model_seeing(expected: &[&str], act: impl Fn(&Seen) + Send + Sync + 'static) {
    let seen = Seen::default();
    let seeing = seen.clone();
    model(move || act(&seeing));
    let seen = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(seen.iter().copied().collect::<Vec<_>>(), expected);
}
