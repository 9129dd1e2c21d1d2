use super::{checksum, number};

/// Why a patch cannot be applied. The positions are bytes of the patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It ends too early, or something stands where it must not.
    #[error("malformed at byte {0}")]
    Malformed(usize),
    /// It copies what the source does not have.
    #[error("the copy before byte {0} leaves the source")]
    OutsideSource(usize),
    /// It makes more or less than it says, or more than it may.
    #[error("wrong length at byte {0}")]
    Length(usize),
    /// What it makes of this source is not what it was made for.
    #[error("checksum mismatch")]
    Checksum,
}

/// What `patch` makes of `source`, at most `longest` bytes of it.
///
/// # Errors
/// [`Flaw`]. Nothing is allocated because the patch says so: only what it really makes.
pub fn apply(source: &[u8], patch: &[u8], longest: usize) -> Result<Vec<u8>, Flaw> {
    let mut rest = patch;
    let at = |rest: &[u8]| patch.len() - rest.len();
    let size = number::read(&mut rest).ok_or(Flaw::Malformed(at(rest)))? as usize;
    if size > longest {
        return Err(Flaw::Length(at(rest)));
    }
    rest = rest.strip_prefix(b"\n").ok_or(Flaw::Malformed(at(rest)))?;
    let mut target = Vec::new();
    loop {
        let count = number::read(&mut rest).ok_or(Flaw::Malformed(at(rest)))?;
        let (sign, after) = rest.split_first().ok_or(Flaw::Malformed(at(rest)))?;
        rest = after;
        let length = count as usize;
        let room = size - target.len();
        match sign {
            b';' if !rest.is_empty() => return Err(Flaw::Malformed(at(rest))),
            b';' if room > 0 => return Err(Flaw::Length(at(rest))),
            b';' if count != checksum(&target) => return Err(Flaw::Checksum),
            b';' => return Ok(target),
            b'@' | b':' if length > room => return Err(Flaw::Length(at(rest))),
            b'@' => {
                let start = number::read(&mut rest).ok_or(Flaw::Malformed(at(rest)))? as usize;
                rest = rest.strip_prefix(b",").ok_or(Flaw::Malformed(at(rest)))?;
                let copied = source.get(start..start.saturating_add(length));
                target.extend_from_slice(copied.ok_or(Flaw::OutsideSource(at(rest)))?);
            }
            b':' => {
                let (inserted, after) = rest.split_at_checked(length).ok_or(Flaw::Malformed(at(rest)))?;
                target.extend_from_slice(inserted);
                rest = after;
            }
            _ => return Err(Flaw::Malformed(at(rest) - 1)),
        }
    }
}
