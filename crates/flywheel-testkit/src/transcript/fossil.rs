//! A decoder of fossil deltas that shares nothing with the server's.

/// What a patch in the delta format of Fossil makes of the source; `None` when it is malformed or made for something else.
pub fn apply_delta(source: &[u8], patch: &[u8]) -> Option<Vec<u8>> {
    let mut rest = patch;
    let size = number(&mut rest)?;
    rest = rest.strip_prefix(b"\n")?;
    let mut target: Vec<u8> = Vec::new();
    loop {
        let count = number(&mut rest)?;
        let (kind, after) = rest.split_first()?;
        rest = after;
        match kind {
            b'@' => {
                let from = usize::try_from(number(&mut rest)?).ok()?;
                rest = rest.strip_prefix(b",")?;
                target.extend(source.get(from..from.checked_add(usize::try_from(count).ok()?)?)?);
            }
            b':' => {
                let (literal, after) = rest.split_at_checked(usize::try_from(count).ok()?)?;
                target.extend(literal);
                rest = after;
            }
            b';' => {
                let whole = target.len() as u64 == size && rest.is_empty();
                return (whole && count == checksum(&target)).then_some(target);
            }
            _ => return None,
        }
    }
}

fn number(text: &mut &[u8]) -> Option<u64> {
    const DIGITS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
    let mut number = None;
    while let Some(value) = text.first().and_then(|byte| DIGITS.find(char::from(*byte))) {
        number = Some(number.unwrap_or(0_u64).checked_mul(64)?.checked_add(value as u64)?);
        *text = &text[1..];
    }
    number
}

fn checksum(text: &[u8]) -> u64 {
    let words = text.chunks(4).map(|chunk| {
        chunk.iter().zip([24, 16, 8, 0]).map(|(byte, shift)| u64::from(*byte) << shift).sum::<u64>()
    });
    words.sum::<u64>() % (1 << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(seq: u32) -> String {
        let body = "the quick brown fox jumps over the lazy dog and then sleeps for a while";
        format!(r#"{{"seq":{seq},"body":"{body}"}}"#)
    }

    #[test]
    fn the_protocols_example_is_understood() {
        let patch = b"1Q\n7@0,1:21I@8,2UWYL8;";
        assert_eq!(apply_delta(document(1).as_bytes(), patch).unwrap(), document(2).as_bytes());
    }

    #[test]
    fn a_patch_for_something_else_is_refused() {
        let patch = b"1Q\n7@0,1:21I@8,2UWYL8;";
        assert_eq!(apply_delta(document(1).to_uppercase().as_bytes(), patch), None);
        for damaged in [&patch[..20], b"1R\n7@0,1:21I@8,2UWYL8;", b"", b"1Q\n7@~~~~~,", b"1\n5:a"] {
            assert_eq!(apply_delta(document(1).as_bytes(), damaged), None);
        }
    }
}
