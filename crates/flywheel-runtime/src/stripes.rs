use std::hash::{BuildHasher as _, Hash, RandomState};

/// A few of the same thing, such as a locked map, of which each key has one: threads that are about different keys seldom
/// meet. Which it is differs from one process to the next, so that nobody can choose keys that all meet in one.
#[derive(Debug)]
pub struct Stripes<T> {
    stripes: Box<[T]>,
    hasher: RandomState,
}

impl<T: Default> Stripes<T> {
    /// As many as `count`, made up to a power of two.
    pub fn new(count: usize) -> Self {
        let stripes = std::iter::repeat_with(T::default).take(count.next_power_of_two()).collect();
        Self { stripes, hasher: RandomState::new() }
    }
}

impl<T> Stripes<T> {
    /// The one for `key`, always the same.
    pub fn of(&self, key: &(impl Hash + ?Sized)) -> &T {
        let index = self.hasher.hash_one(key) & (self.stripes.len() as u64 - 1);
        &self.stripes[usize::try_from(index).unwrap_or_default()]
    }

    /// All of them.
    pub fn all(&self) -> std::slice::Iter<'_, T> {
        self.stripes.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_key_keeps_its_stripe_and_keys_are_spread() {
        let stripes = Stripes::<Cell<usize>>::new(7);
        for key in 0..1000 {
            assert!(std::ptr::eq(stripes.of(&key), stripes.of(&key)));
            stripes.of(&key).update(|count| count + 1);
        }
        let counts: Vec<_> = stripes.all().map(Cell::get).collect();
        assert!(counts.len() == 8 && counts.iter().all(|count| *count > 50), "{counts:?}");
    }
}
