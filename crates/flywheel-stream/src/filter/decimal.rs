use std::cmp::Ordering;

/// Longest text that counts as a number.
const LENGTH_MAX: usize = 200;

/// Most digits after the point.
const FRACTION_MAX: usize = 19;

/// A decimal number, exact. Ordered by value: `1.0` equals `1`, `-0` equals `0`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal<'t> {
    negative: bool,
    /// Digits before the point, without leading zeros.
    whole: &'t str,
    /// Digits after the point, without trailing zeros.
    fraction: &'t str,
}

impl<'t> Decimal<'t> {
    /// A sign or none, digits, and perhaps a point and more digits.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        if text.len() > LENGTH_MAX {
            return None;
        }
        let (signed_minus, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, fraction)) if fraction.is_empty() || fraction.len() > FRACTION_MAX => return None,
            Some(parts) => parts,
            None => (digits, ""),
        };
        let only_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !only_digits(whole) || !only_digits(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: signed_minus && !zero, whole, fraction })
    }

    fn cmp_magnitude(&self, other: &Self) -> Ordering {
        let by_length = self.whole.len().cmp(&other.whole.len());
        by_length.then_with(|| self.whole.cmp(other.whole)).then_with(|| self.fraction.cmp(other.fraction))
    }

    pub(super) fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.cmp_magnitude(other),
            (true, true) => other.cmp_magnitude(self),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_by_value_exactly() {
        let ascending = [
            "-10000000000000000000000.1",
            "-10",
            "-9.9",
            "-9.89",
            "-1",
            "-0.0000000000000000001",
            "0",
            "0.05",
            "0.1",
            "0.10000000000000001",
            "1",
            "2",
            "10",
            "9007199254740992",
            "9007199254740993",
            "10000000000000000000000",
        ];
        let numbers: Vec<_> = ascending.iter().map(|text| Decimal::parse(text).unwrap()).collect();
        for (i, one) in numbers.iter().enumerate() {
            for (j, other) in numbers.iter().enumerate() {
                assert_eq!(one.cmp(other), i.cmp(&j), "{} and {}", ascending[i], ascending[j]);
            }
        }
    }

    #[test]
    fn a_number_can_be_written_in_several_ways() {
        for (one, other) in [("1", "1.0"), ("+1", "001.000"), ("-0", "0"), ("-0.0", "+0"), ("0.10", "0.1")] {
            let parsed = Decimal::parse(one).unwrap().cmp(&Decimal::parse(other).unwrap());
            assert_eq!(parsed, Ordering::Equal, "{one} and {other}");
        }
    }

    #[test]
    fn what_is_no_decimal_number_is_refused() {
        let long = "1".repeat(201);
        let texts = [
            "", "+", "-", ".", "1.", ".5", "1e3", " 1", "1 ", "--1", "+-1", "1.2.3", "0x1", "1_0", "٣", "NaN",
        ];
        for text in texts.into_iter().chain(["0.00000000000000000001", long.as_str()]) {
            assert!(Decimal::parse(text).is_none(), "{text:?}");
        }
        assert!(Decimal::parse("0.0000000000000000001").is_some());
        assert!(Decimal::parse(&long[1..]).is_some());
    }
}
