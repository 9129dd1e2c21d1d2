use super::blocks::{BLOCK, Blocks};
use super::{checksum, number};

/// The patch that turns `source` into `target`; `None` when it would be longer than `longest` bytes.
///
/// When `target` is UTF-8, so is the patch: what it copies begins and ends between characters. Takes time in proportion
/// to both lengths.
pub fn diff(source: &[u8], target: &[u8], longest: usize) -> Option<Vec<u8>> {
    let size = u32::try_from(target.len()).ok()?;
    u32::try_from(source.len()).ok()?;
    let mut patch =
        Patch { target, text: std::str::from_utf8(target).is_ok(), done: 0, out: Vec::new(), longest };
    number::write(size, &mut patch.out);
    patch.out.push(b'\n');
    // Most payloads differ from the last one in the middle.
    let prefix = common(source.iter(), target.iter());
    let suffix = common(source[prefix..].iter().rev(), target[prefix..].iter().rev());
    patch.copy(Copy { target: 0, source: 0, length: prefix })?;
    patch.search(source, prefix, target.len() - suffix)?;
    patch.copy(Copy { target: target.len() - suffix, source: source.len() - suffix, length: suffix })?;
    patch.insert_until(target.len())?;
    number::write(checksum(target), &mut patch.out);
    patch.out.push(b';');
    (patch.out.len() <= longest).then_some(patch.out)
}

/// How many items are the same from the beginning.
fn common<'b>(one: impl Iterator<Item = &'b u8>, other: impl Iterator<Item = &'b u8>) -> usize {
    one.zip(other).take_while(|(a, b)| a == b).count()
}

/// A part of the target that stands in the source too.
#[derive(Clone, Copy)]
struct Copy {
    target: usize,
    source: usize,
    length: usize,
}

struct Patch<'t> {
    target: &'t [u8],
    /// Whether the target is UTF-8.
    text: bool,
    /// How much of the target the patch makes so far.
    done: usize,
    out: Vec<u8>,
    longest: usize,
}

impl Patch<'_> {
    /// Finds what stands in the source too, between `from` and `end` of the target.
    fn search(&mut self, source: &[u8], from: usize, end: usize) -> Option<()> {
        if end.saturating_sub(from) < BLOCK {
            return Some(());
        }
        let Some(blocks) = Blocks::of(source) else {
            return Some(());
        };
        let mut at = from;
        while let Some(block) = self.target[..end].get(at..).and_then(<[u8]>::first_chunk::<BLOCK>) {
            let matches = blocks.like(block).filter(|start| source[*start..].starts_with(block));
            let extended = matches.map(|start| self.extend(source, at, start, end));
            match extended.max_by_key(|copy| copy.length) {
                Some(copy) => {
                    self.copy(copy)?;
                    // A copy that stopped within a character or was not worth it still needs no second look.
                    at = copy.target + copy.length;
                }
                None => at += 1,
            }
        }
        Some(())
    }

    /// Makes a block that both have as long as it can be, in both directions.
    fn extend(&self, source: &[u8], at: usize, start: usize, end: usize) -> Copy {
        let before = common(source[..start].iter().rev(), self.target[self.done..at].iter().rev());
        let after = common(source[start + BLOCK..].iter(), self.target[at + BLOCK..end].iter());
        Copy { target: at - before, source: start - before, length: before + BLOCK + after }
    }

    /// Takes a part from the source, unless to name it is longer than the part.
    fn copy(&mut self, mut copy: Copy) -> Option<()> {
        if self.text {
            copy = self.between_characters(copy);
        }
        let (Ok(length), Ok(source)) = (u32::try_from(copy.length), u32::try_from(copy.source)) else {
            return None;
        };
        // What a copy interrupts needs a length of its own afterwards.
        let interrupts = if copy.target > self.done { 2 } else { 0 };
        if copy.length <= (number::digits(length) + number::digits(source)) as usize + 2 + interrupts {
            return Some(());
        }
        self.insert_until(copy.target)?;
        number::write(length, &mut self.out);
        self.out.push(b'@');
        number::write(source, &mut self.out);
        self.out.push(b',');
        self.done = copy.target + copy.length;
        Some(())
    }

    /// Shortens a copy so that it cuts no character of the target.
    fn between_characters(&self, mut copy: Copy) -> Copy {
        let cuts = |index: usize| self.target.get(index).is_some_and(|byte| byte & 0xc0 == 0x80);
        while copy.length > 0 && cuts(copy.target) {
            copy = Copy { target: copy.target + 1, source: copy.source + 1, length: copy.length - 1 };
        }
        while copy.length > 0 && cuts(copy.target + copy.length) {
            copy.length -= 1;
        }
        copy
    }

    /// Everything of the target up to `end` that is not made yet stands in the patch itself.
    fn insert_until(&mut self, end: usize) -> Option<()> {
        let bytes = &self.target[self.done..end];
        if self.out.len() + bytes.len() > self.longest {
            return None;
        }
        if !bytes.is_empty() {
            number::write(u32::try_from(bytes.len()).ok()?, &mut self.out);
            self.out.push(b':');
            self.out.extend_from_slice(bytes);
        }
        self.done = end;
        Some(())
    }
}
