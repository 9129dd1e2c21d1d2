use crate::{Bound, resident_bytes};

/// How much more than the stated may be held while other tests run in the same process.
const TIMES: u64 = 10;

/// Memory of this process, for tests that run what they test within it: nothing may pile up while a fault lasts.
#[derive(Debug)]
pub struct Footprint {
    before: u64,
}

impl Footprint {
    /// Takes note of what is held now.
    pub fn start() -> Self {
        Self { before: resident_bytes(std::process::id()) }
    }

    /// Panics when more than this many bytes have been added; ten times as many where tests run side by side, which is
    /// whenever `FLYWHEEL_DRILL_STRICT` is not `1`.
    #[track_caller]
    pub fn grew_at_most(&self, row: &str, bytes: u64) {
        let limit = if Bound::is_strict() { bytes } else { bytes * TIMES };
        let grown = resident_bytes(std::process::id()).saturating_sub(self.before);
        assert!(grown <= limit, "{row}: memory grew by {grown} bytes, and {bytes} is the bound");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_for_good_is_seen() {
        let footprint = Footprint::start();
        footprint.grew_at_most("R1", 64 << 20);
        let held = vec![1_u8; 256 << 20];
        let seen = std::panic::catch_unwind(|| footprint.grew_at_most("R1", 16 << 20));
        assert!(seen.is_err(), "{} bytes are not seen", held.len());
    }
}
