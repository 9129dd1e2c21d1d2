use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::error::{Part, Reason};

/// The members of a JSON object, each still as text. Of a repeated member the last one counts; `null` counts as
/// absent, except where any JSON value is allowed.
pub(crate) struct ClaimMap<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> ClaimMap<'a> {
    pub(crate) fn of_token(claims: &'a [u8]) -> Result<Self, Reason> {
        serde_json::from_slice(claims).map(Self).map_err(|_| Reason::Json(Part::Claims))
    }

    /// The members of the object `raw`, the value of claim `name`.
    pub(crate) fn of_claim(raw: &'a RawValue, name: &'static str) -> Result<Self, Reason> {
        serde_json::from_str(raw.get()).map(Self).map_err(|_| Reason::Claim(name))
    }

    /// The text of a member that may be any JSON value, `null` included.
    pub(crate) fn verbatim(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.verbatim(name).filter(|raw| !is_null(raw))
    }

    pub(crate) fn text(&self, name: &'static str) -> Result<Option<String>, Reason> {
        self.text_of(name).map_err(|()| Reason::Claim(name))
    }

    pub(crate) fn text_of(&self, name: &str) -> Result<Option<String>, ()> {
        self.get(name).map(|raw| serde_json::from_str(raw.get())).transpose().map_err(|_| ())
    }

    pub(crate) fn list(&self, name: &'static str) -> Result<Vec<String>, Reason> {
        match self.get(name) {
            Some(raw) => serde_json::from_str(raw.get()).map_err(|_| Reason::Claim(name)),
            None => Ok(Vec::new()),
        }
    }

    pub(crate) fn text_or_list(&self, name: &'static str) -> Result<Vec<String>, Reason> {
        match self.get(name) {
            Some(raw) if raw.get().starts_with('"') => self.text(name).map(|text| text.into_iter().collect()),
            _ => self.list(name),
        }
    }

    pub(crate) fn object(&self, name: &'static str) -> Result<Option<Self>, Reason> {
        self.get(name).map(|raw| Self::of_claim(raw, name)).transpose()
    }

    pub(crate) fn into_members(self) -> impl Iterator<Item = (String, &'a RawValue)> {
        self.0.into_iter()
    }
}

pub(crate) fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}
