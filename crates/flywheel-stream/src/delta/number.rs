/// Digits in the order of their value.
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

/// The values of digits, by byte; `NONE` for everything else.
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 64 {
        values[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
};

const NONE: u8 = u8::MAX;

/// Appends a number, most significant digit first.
pub(super) fn write(number: u32, out: &mut Vec<u8>) {
    let mut shift = 6 * (digits(number) - 1);
    loop {
        out.push(DIGITS[(number >> shift & 63) as usize]);
        if shift == 0 {
            return;
        }
        shift -= 6;
    }
}

/// How many digits a number takes.
pub(super) fn digits(number: u32) -> u32 {
    (u32::BITS - number.leading_zeros()).div_ceil(6).max(1)
}

/// Takes a number off the front; `None` when there is none, it has a leading zero, or it does not fit.
pub(super) fn read(text: &mut &[u8]) -> Option<u32> {
    let length = text.iter().position(|byte| VALUES[usize::from(*byte)] == NONE).unwrap_or(text.len());
    let (digits, rest) = text.split_at(length);
    if digits.is_empty() || digits.len() > 1 && digits[0] == b'0' || digits.len() > 6 {
        return None;
    }
    let number = digits.iter().fold(0, |number, byte| number << 6 | u64::from(VALUES[usize::from(*byte)]));
    *text = rest;
    u32::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_leading_zeros_and_read_back() {
        for (number, text) in [(0, "0"), (7, "7"), (63, "~"), (64, "10"), (90, "1Q"), (u32::MAX, "3~~~~~")] {
            let mut out = Vec::new();
            write(number, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), text);
            assert_eq!(digits(number) as usize, text.len());
            let mut rest = out.as_slice();
            assert_eq!((read(&mut rest), rest.len()), (Some(number), 0));
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", ",", "01", "00", "4000000", "40000000", "~~~~~~", "~~~~~~~~~~~~~~~~~~~~~~~~"] {
            assert_eq!(read(&mut text.as_bytes()), None, "{text:?}");
        }
    }
}
