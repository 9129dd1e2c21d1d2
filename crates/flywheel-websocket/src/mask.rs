/// Masks or unmasks `bytes`, of which the first is byte number `offset` of the frame's payload.
///
/// Doing it twice restores the bytes. Source: RFC 6455, section 5.3.
pub fn apply_mask(bytes: &mut [u8], key: [u8; 4], offset: u64) {
    let key = rotated(key, offset);
    let [a, b, c, d] = key;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = bytes.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, mask) in tail.iter_mut().zip(key.iter().cycle()) {
        *byte ^= mask;
    }
}

fn rotated([a, b, c, d]: [u8; 4], offset: u64) -> [u8; 4] {
    match offset % 4 {
        0 => [a, b, c, d],
        1 => [b, c, d, a],
        2 => [c, d, a, b],
        _ => [d, a, b, c],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_at_any_offset_is_masked_as_byte_by_byte() {
        let key = [0x11, 0x52, 0x93, 0xD4];
        for len in 0..40 {
            for offset in 0..9_u64 {
                let mut bytes: Vec<u8> = (0..len).collect();
                apply_mask(&mut bytes, key, offset);
                let expected: Vec<u8> = (0..len)
                    .map(|index| index ^ key[(usize::from(index) + usize::try_from(offset).unwrap()) % 4])
                    .collect();
                assert_eq!(bytes, expected, "{len} bytes at {offset}");
            }
        }
    }
}
