/// Bytes that were just read, and how many of them a decoder has taken.
///
/// The decoder unmasks in place, so the buffer's content is not what arrived once it has been decoded.
#[derive(Debug)]
pub struct Input<'b> {
    bytes: &'b mut [u8],
    taken: usize,
}

impl<'b> Input<'b> {
    /// All of `bytes` are fresh.
    pub fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, taken: 0 }
    }

    /// How many bytes are not yet taken.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.taken
    }

    /// How many bytes have been taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    pub(crate) fn rest(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    /// Takes `count` bytes, or all that are left.
    pub(crate) fn take(&mut self, count: usize) -> &mut [u8] {
        let start = self.taken;
        self.taken += count.min(self.remaining());
        self.bytes.get_mut(start..self.taken).unwrap_or_default()
    }

    pub(crate) fn skip_all(&mut self) {
        self.taken = self.bytes.len();
    }

    pub(crate) fn slice(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }
}
