/// The decoded value of the first parameter called `name`; `None` without one, or when it is no UTF-8 in percent code.
pub(crate) fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query.unwrap_or_default().split('&');
    let value = pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1;
    decoded(value)
}

fn decoded(value: &str) -> Option<String> {
    let mut bytes = value.bytes();
    let mut out = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                high << 4 | low
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_and_decoded() {
        let query = Some("a=1&cf_connect=%7B%22id%22%3a1%2C%22x%22:%22a+b%C3%BC%22%7D&cf_connect=2");
        assert_eq!(parameter(query, "cf_connect").unwrap(), r#"{"id":1,"x":"a bü"}"#);
        assert_eq!(parameter(query, "a").unwrap(), "1");
        assert_eq!(parameter(Some("cf_connect="), "cf_connect").unwrap(), "");
    }

    #[test]
    fn what_is_not_there_or_no_text_is_none() {
        for query in [
            None,
            Some(""),
            Some("cf_connect"),
            Some("x=1"),
            Some("cf_connect=%"),
            Some("cf_connect=%7"),
            Some("cf_connect=%zz"),
            Some("cf_connect=%ff"),
        ] {
            assert_eq!(parameter(query, "cf_connect"), None, "{query:?}");
        }
    }
}
