use flywheel_model::UnixSeconds;

use crate::claim_map::ClaimMap;
use crate::error::{Reason, TokenError};

/// When a token may be used, and when what it grants ends. The two are different things: a token may be short-lived
/// and its connection not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validity {
    not_before: Option<i64>,
    ends: Option<i64>,
    expire_at: Option<i64>,
}

impl Validity {
    pub(crate) fn read(claims: &ClaimMap<'_>) -> Result<Self, Reason> {
        Ok(Self {
            not_before: date(claims, "nbf")?,
            ends: date(claims, "exp")?,
            expire_at: claims
                .get("expire_at")
                .map(|raw| raw.get().parse().map_err(|_| Reason::Claim("expire_at")))
                .transpose()?,
        })
    }

    pub(crate) fn check(self, now: UnixSeconds) -> Result<(), TokenError> {
        let early = self.not_before.is_some_and(|start| now.0 < start);
        let late = self.ends.is_some_and(|end| now.0 >= end);
        if early || late { Err(TokenError::Expired) } else { Ok(()) }
    }

    /// When the connection or subscription expires; `None` never.
    pub(crate) fn expiry(self) -> Option<UnixSeconds> {
        match self.expire_at {
            Some(moment) => (moment > 0).then_some(UnixSeconds(moment)),
            None => self.ends.map(UnixSeconds),
        }
    }
}

fn date(claims: &ClaimMap<'_>, name: &'static str) -> Result<Option<i64>, Reason> {
    let Some(raw) = claims.get(name) else { return Ok(None) };
    let quoted;
    let text = if raw.get().starts_with('"') {
        quoted = claims.text(name)?.unwrap_or_default();
        &quoted
    } else {
        raw.get()
    };
    whole_seconds(text).map(Some).ok_or(Reason::Claim(name))
}

/// The number that `text` is in JSON, cut to whole seconds; far too large ones become the latest time there is.
fn whole_seconds(text: &str) -> Option<i64> {
    let number: f64 = serde_json::from_str(text).ok()?;
    if !text.ends_with(|last: char| last.is_ascii_digit()) || text.starts_with(|c: char| c.is_whitespace()) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "saturating is meant")]
    let cut = number.trunc() as i64;
    Some(text.parse().unwrap_or(cut))
}
