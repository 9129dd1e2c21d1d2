/// The text has a byte that no valid UTF-8 can have there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid utf-8")]
pub struct InvalidUtf8;

/// Checks text that arrives in pieces, and fails at the first byte that cannot be right.
///
/// Keeps only the beginning of a character that a piece's end has cut. A new one is at the start of a text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Utf8Validator {
    cut: [u8; 3],
    cut_len: u8,
}

impl Utf8Validator {
    /// Checks the next piece.
    ///
    /// # Errors
    /// The text cannot become valid, whatever follows. The validator is then of no more use.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        while self.cut_len > 0 {
            let Some((&byte, rest)) = piece.split_first() else { return Ok(()) };
            self.push_to_cut(byte)?;
            piece = rest;
        }
        match simdutf8::compat::from_utf8(piece) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(InvalidUtf8),
            Err(error) => {
                for byte in piece.get(error.valid_up_to()..).unwrap_or_default() {
                    self.push_to_cut(*byte)?;
                }
                Ok(())
            }
        }
    }

    /// Says whether the text may end here.
    ///
    /// # Errors
    /// It ends inside a character.
    pub fn finish(self) -> Result<(), InvalidUtf8> {
        if self.cut_len == 0 { Ok(()) } else { Err(InvalidUtf8) }
    }

    fn push_to_cut(&mut self, byte: u8) -> Result<(), InvalidUtf8> {
        let [a, b, c] = self.cut;
        let character = match self.cut_len {
            0 => [byte, 0, 0, 0],
            1 => [a, byte, 0, 0],
            2 => [a, b, byte, 0],
            _ => [a, b, c, byte],
        };
        let len = usize::from(self.cut_len) + 1;
        match std::str::from_utf8(character.get(..len).unwrap_or(&character)) {
            Ok(_) => self.cut_len = 0,
            Err(error) if error.error_len().is_some() => return Err(InvalidUtf8),
            Err(_) => {
                self.cut = [character[0], character[1], character[2]];
                self.cut_len += 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Index of the byte at which `text` was refused, pushed byte by byte.
    fn refused_at(text: &[u8]) -> Option<usize> {
        let mut validator = Utf8Validator::default();
        text.iter().position(|byte| validator.push(&[*byte]).is_err())
    }

    #[test]
    fn the_first_impossible_byte_is_refused_at_once() {
        assert_eq!(refused_at(b"ab\xF4\x90\x80\x80"), Some(3), "beyond U+10FFFF");
        assert_eq!(refused_at(b"\xED\xA0\x80"), Some(1), "surrogate");
        assert_eq!(refused_at(b"\xE0\x9F\xBF"), Some(1), "overlong");
        assert_eq!(refused_at(b"\xC0\x80"), Some(0), "overlong");
        assert_eq!(refused_at(b"\xF5"), Some(0));
        assert_eq!(refused_at(b"\xE2\x82a"), Some(2), "character broken off");
        assert_eq!(refused_at("κόσμε 𤭢 €".as_bytes()), None);
    }

    #[test]
    fn a_text_may_not_end_inside_a_character() {
        let text = "a€𤭢".as_bytes();
        for end in 0..=text.len() {
            let mut validator = Utf8Validator::default();
            validator.push(&text[..end]).unwrap();
            assert_eq!(validator.finish().is_ok(), std::str::from_utf8(&text[..end]).is_ok(), "{end}");
        }
    }
}
