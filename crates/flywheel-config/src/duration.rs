//! Durations in the syntax of Go: `300ms`, `1h30m`, `-1.5s`. Counted in nanoseconds.

const UNITS: &[(&str, i128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND as i128),
    ("m", 60 * SECOND as i128),
    ("h", 3600 * SECOND as i128),
];

/// Nanoseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000_000;

/// Why a text is no duration; says what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    /// Digits only.
    #[error("a unit is missing: write \"{0}s\" for seconds or \"{0}ms\" for milliseconds")]
    NoUnit(String),
    /// Not of that form.
    #[error("write a number and a unit, as in \"300ms\", \"25s\" or \"1h30m\"")]
    Malformed,
    /// More than about 292 years.
    #[error("it is longer than 292 years")]
    TooLong,
}

/// Nanoseconds of a text such as `1m30s`; `0` needs no unit.
pub(crate) fn parse(text: &str) -> Result<i64, DurationError> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(DurationError::NoUnit(text.chars().take(20).collect()));
    }
    let mut total: i128 = 0;
    let mut rest = rest;
    loop {
        let (nanoseconds, after) = term(rest)?;
        total = total.saturating_add(nanoseconds);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| DurationError::TooLong)
}

/// The shortest text that [`parse`] reads back as the same time.
pub(crate) fn format(nanoseconds: i64) -> String {
    let mut left = i128::from(nanoseconds).abs();
    if left == 0 {
        return "0s".into();
    }
    let mut text = String::from(if nanoseconds < 0 { "-" } else { "" });
    for unit in ["h", "m", "s", "ms", "us", "ns"] {
        let size = UNITS.iter().find(|(name, _)| *name == unit).map_or(1, |(_, size)| *size);
        if left >= size {
            text += &(left / size).to_string();
            text += unit;
            left %= size;
        }
    }
    text
}

/// One number with its unit, and what follows.
fn term(text: &str) -> Result<(i128, &str), DurationError> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(DurationError::Malformed)?;
    let (number, rest) = text.split_at(unit_at);
    let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    let size = UNITS.iter().find(|(name, _)| *name == unit).ok_or(DurationError::Malformed)?.1;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(DurationError::Malformed);
    }
    if whole.len() > 19 {
        return Err(DurationError::TooLong);
    }
    let mut total = whole.parse::<i128>().unwrap_or(0) * size;
    // Finer digits are below a nanosecond even for hours.
    let mut scale = size;
    for digit in fraction.bytes().take(18) {
        total += i128::from(digit - b'0') * scale / 10;
        scale /= 10;
    }
    Ok((total, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let table = [
            ("0", 0),
            ("0s", 0),
            ("300ms", 300_000_000),
            ("25s", 25 * SECOND),
            ("1h30m", 5400 * SECOND),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", SECOND),
            ("-1s", -SECOND),
            ("+1s", SECOND),
            ("1µs", 1_000),
            ("3us", 3_000),
            ("720h", 2_592_000 * SECOND),
            ("1.25m", 75 * SECOND),
        ];
        for (text, nanoseconds) in table {
            assert_eq!(parse(text), Ok(nanoseconds), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_with_advice() {
        for text in ["", "-", "s", "1 s", "1d", "25 ", "1h-3m", ".s", "1..2s", "abc", "ü"] {
            assert_eq!(parse(text), Err(DurationError::Malformed), "{text:?}");
        }
        assert_eq!(parse("25"), Err(DurationError::NoUnit("25".into())));
        assert_eq!(parse("9999999999h"), Err(DurationError::TooLong));
        assert_eq!(parse("99999999999999999999999h"), Err(DurationError::TooLong));
        let advice = DurationError::NoUnit("25".into()).to_string();
        assert_eq!(advice, "a unit is missing: write \"25s\" for seconds or \"25ms\" for milliseconds");
    }

    #[test]
    fn the_written_form_is_short() {
        assert_eq!(format(0), "0s");
        assert_eq!(format(parse("1000ms").unwrap()), "1s");
        assert_eq!(format(parse("90s").unwrap()), "1m30s");
        assert_eq!(format(parse("-1500ms").unwrap()), "-1s500ms");
    }

    proptest! {
        #[test]
        fn reading_what_was_written_gives_it_back(nanoseconds: i64) {
            prop_assert_eq!(parse(&format(nanoseconds)), Ok(nanoseconds));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.a-zµ ]{0,40}") {
            let _ignored = parse(&text);
        }
    }
}
