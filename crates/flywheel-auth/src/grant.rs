use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flywheel_model::{Channel, OptionOverrides, Payload, SubscribeGrant};
use serde_json::value::RawValue;

use crate::claim_map::{ClaimMap, is_null};
use crate::error::Reason;

/// What a token grants on a channel. Types are checked, base64 is not: that has to wait until the time was checked.
#[derive(Default)]
pub(crate) struct UncheckedGrant<'a> {
    info: Option<&'a RawValue>,
    b64info: Option<String>,
    data: Option<&'a RawValue>,
    b64data: Option<String>,
    overrides: OptionOverrides,
}

impl<'a> UncheckedGrant<'a> {
    pub(crate) fn read(claims: &ClaimMap<'a>) -> Result<Self, Reason> {
        Ok(Self {
            info: claims.verbatim("info"),
            b64info: claims.text("b64info")?,
            data: claims.verbatim("data"),
            b64data: claims.text("b64data")?,
            overrides: overrides(claims)?,
        })
    }

    /// The grant; it never expires.
    pub(crate) fn decode(self) -> Result<SubscribeGrant, Reason> {
        Ok(SubscribeGrant {
            expire_at: None,
            info: payload(self.info, self.b64info, "b64info")?,
            data: payload(self.data, self.b64data, "b64data")?,
            overrides: self.overrides,
        })
    }
}

/// The channels that a connection token subscribes to.
pub(crate) struct ChannelGrants<'a>(Vec<(String, UncheckedGrant<'a>)>);

impl<'a> ChannelGrants<'a> {
    /// Both claims have to be right, although only one counts.
    pub(crate) fn read(claims: &ClaimMap<'a>) -> Result<Self, Reason> {
        let channels = claims.list("channels")?;
        let mut grants = Vec::new();
        for (channel, raw) in claims.object("subs")?.into_iter().flat_map(ClaimMap::into_members) {
            let grant = if is_null(raw) {
                UncheckedGrant::default()
            } else {
                UncheckedGrant::read(&ClaimMap::of_claim(raw, "subs")?)?
            };
            grants.push((channel, grant));
        }
        if grants.is_empty() {
            grants.extend(channels.into_iter().map(|channel| (channel, UncheckedGrant::default())));
        }
        Ok(Self(grants))
    }

    pub(crate) fn into_subs(self) -> Result<BTreeMap<Channel, SubscribeGrant>, Reason> {
        self.0.into_iter().map(|(channel, grant)| Ok((Channel::from(channel), grant.decode()?))).collect()
    }
}

/// The base64 form wins over the other, unless it is empty.
pub(crate) fn payload(
    json: Option<&RawValue>,
    base64: Option<String>,
    base64_name: &'static str,
) -> Result<Option<Payload>, Reason> {
    match base64.filter(|text| !text.is_empty()) {
        Some(text) => match STANDARD.decode(text) {
            Ok(bytes) => Ok(Some(Payload::new(bytes.into()))),
            Err(_) => Err(Reason::Base64(base64_name)),
        },
        None => Ok(json.map(|raw| Payload::from_json(Bytes::copy_from_slice(raw.get().as_bytes())))),
    }
}

fn overrides(claims: &ClaimMap<'_>) -> Result<OptionOverrides, Reason> {
    let Some(options) = claims.object("override")? else { return Ok(OptionOverrides::default()) };
    Ok(OptionOverrides {
        presence: replaced(&options, "presence")?,
        join_leave: replaced(&options, "join_leave")?,
        force_push_join_leave: replaced(&options, "force_push_join_leave")?,
        force_recovery: replaced(&options, "force_recovery")?,
        force_positioning: replaced(&options, "force_positioning")?,
    })
}

/// A boolean in an object of its own; without a member `value` it is `false`, as for a Protobuf message.
fn replaced(options: &ClaimMap<'_>, name: &'static str) -> Result<Option<bool>, Reason> {
    let Some(object) = options.object(name)? else { return Ok(None) };
    match object.get("value").map(RawValue::get) {
        Some("true") => Ok(Some(true)),
        Some("false") | None => Ok(Some(false)),
        Some(_) => Err(Reason::Claim(name)),
    }
}
