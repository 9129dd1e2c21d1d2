/// Slots of a cluster.
pub const SLOTS: u16 = 16_384;

/// CRC-16 as XMODEM has it, which is what clusters use.
const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut index = 0u16;
    while index < 256 {
        let mut crc = index << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
            bit += 1;
        }
        table[index as usize] = crc;
        index += 1;
    }
    table
};

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| crc << 8 ^ TABLE[usize::from((crc >> 8) ^ u16::from(*byte))])
}

/// The slot that a key is in: only what is between its first brace and the next closing one counts, if there is anything.
///
/// Source: the cluster specification of Redis, "Hash tags".
pub fn key_slot(key: &[u8]) -> u16 {
    crc16(hash_tag(key).unwrap_or(key)) % SLOTS
}

/// What alone decides about the slot, when it is not the whole key.
pub(super) fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let start = memchr::memchr(b'{', key)? + 1;
    let length = memchr::memchr(b'}', &key[start..])?;
    (length > 0).then(|| &key[start..start + length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_that_a_cluster_computes() {
        for (key, slot) in [("123456789", 0x31c3), ("", 0), ("foo", 12_182), ("hello", 866), ("a", 15_495)] {
            assert_eq!(key_slot(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn only_the_first_tag_counts_and_only_when_it_is_not_empty() {
        for (key, counts) in [
            ("{foo}.x", "foo"),
            ("x{foo}{bar}", "foo"),
            ("x{{foo}}y", "{foo"),
            ("{}{foo}", "{}{foo}"),
            ("x{foo", "x{foo"),
            ("x}{foo}", "foo"),
        ] {
            assert_eq!(key_slot(key.as_bytes()), crc16(counts.as_bytes()) % SLOTS, "{key}");
        }
    }
}
