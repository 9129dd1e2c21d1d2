/// One for all keys: whoever could meet does.
#[derive(Debug)]
pub(crate) struct Stripes<T>(T);

impl<T: Default> Stripes<T> {
    pub(crate) fn new(_count: usize) -> Self {
        Self(T::default())
    }

    pub(crate) fn of<K>(&self, _key: &K) -> &T {
        &self.0
    }
}
