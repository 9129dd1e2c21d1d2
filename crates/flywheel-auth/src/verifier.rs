use flywheel_model::{Channel, ConnectClaims, SubscribeGrant, SubscriptionClaims, UnixSeconds, UserId};

use crate::claim_map::ClaimMap;
use crate::date::Validity;
use crate::error::{Reason, TokenError};
use crate::grant::{ChannelGrants, UncheckedGrant, payload};
use crate::jws::Jws;
use crate::keys::Keys;
use crate::settings::{Requirement, SettingsError, TokenSettings, configured};

/// Checks tokens. Make one per block of settings and share it; a reload makes a new one.
#[derive(Debug)]
pub struct Verifier {
    keys: Keys,
    audience: Requirement,
    issuer: Requirement,
    user_id_claim: Option<String>,
}

impl Verifier {
    /// A verifier for tokens that satisfy `settings`.
    ///
    /// # Errors
    /// [`SettingsError`] names the key that cannot be as it is.
    pub fn new(settings: TokenSettings) -> Result<Self, SettingsError> {
        let user_id_claim = configured(settings.user_id_claim);
        if let Some(name) = &user_id_claim
            && !name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        {
            return Err(SettingsError::UserIdClaim(name.clone()));
        }
        Ok(Self {
            audience: Requirement::new(
                ("audience", settings.audience),
                ("audience_regex", settings.audience_regex),
            )?,
            issuer: Requirement::new(("issuer", settings.issuer), ("issuer_regex", settings.issuer_regex))?,
            user_id_claim,
            keys: Keys::new(
                configured(settings.hmac_secret_key),
                configured(settings.hmac_previous_secret_key),
                settings.hmac_previous_secret_key_valid_until,
                settings.skip_signature,
            ),
        })
    }

    /// What a connection token says. Channels are as the token names them: whether their namespaces exist is not
    /// known here.
    ///
    /// # Errors
    /// The first that applies: structure and signature, then types of claims, issuer and audience, the kind of
    /// token, the time, and last the base64 texts.
    pub fn verify_connect(&self, token: &str, now: UnixSeconds) -> Result<ConnectClaims, TokenError> {
        let jws = self.open(token, now)?;
        let claims = ClaimMap::of_token(&jws.claims)?;
        let user = self.user(&claims)?;
        let validity = Validity::read(&claims)?;
        let b64info = claims.text("b64info")?;
        let grants = ChannelGrants::read(&claims)?;
        self.check_origin(&claims)?;
        if claims.get("channel").is_some() {
            return Err(Reason::NotForConnection.into());
        }
        validity.check(now)?;
        Ok(ConnectClaims {
            user,
            expire_at: validity.expiry(),
            info: payload(claims.verbatim("info"), b64info, "b64info")?,
            meta: claims.verbatim("meta").map(|raw| raw.get().to_owned().into()),
            subs: grants.into_subs()?,
            data: None,
        })
    }

    /// What a subscription token says. The caller compares channel, user and client with the connection's.
    ///
    /// # Errors
    /// As for [`verify_connect`](Self::verify_connect).
    pub fn verify_subscription(
        &self,
        token: &str,
        now: UnixSeconds,
    ) -> Result<SubscriptionClaims, TokenError> {
        let jws = self.open(token, now)?;
        let claims = ClaimMap::of_token(&jws.claims)?;
        let user = self.user(&claims)?;
        let validity = Validity::read(&claims)?;
        let channel = claims.text("channel")?.filter(|channel| !channel.is_empty());
        let client = claims.text("client")?;
        let grant = UncheckedGrant::read(&claims)?;
        self.check_origin(&claims)?;
        let channel = channel.ok_or(Reason::NotForSubscription)?;
        validity.check(now)?;
        Ok(SubscriptionClaims {
            user,
            channel: Channel::from(channel),
            client,
            grant: SubscribeGrant { expire_at: validity.expiry(), ..grant.decode()? },
        })
    }

    fn open(&self, token: &str, now: UnixSeconds) -> Result<Jws, Reason> {
        let (jws, signed) = Jws::decode(token)?;
        self.keys.check(&jws, signed, now)?;
        Ok(jws)
    }

    fn user(&self, claims: &ClaimMap<'_>) -> Result<UserId, Reason> {
        let subject = claims.text("sub")?;
        let user = match &self.user_id_claim {
            Some(name) => claims.text_of(name).map_err(|()| Reason::UserIdClaim)?,
            None => subject,
        };
        Ok(user.map_or_else(UserId::default, UserId::from))
    }

    fn check_origin(&self, claims: &ClaimMap<'_>) -> Result<(), Reason> {
        let issuer: Vec<String> = claims.text("iss")?.into_iter().collect();
        let audience = claims.text_or_list("aud")?;
        if !self.issuer.is_met_by(&issuer) {
            return Err(Reason::Issuer);
        }
        if !self.audience.is_met_by(&audience) {
            return Err(Reason::Audience);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
