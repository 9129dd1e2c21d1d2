use flywheel_model::{Channel, ConnectClaims, SubscribeGrant, SubscriptionClaims, UnixSeconds, UserId};

use crate::algorithm::Algorithm;
use crate::claim_map::ClaimMap;
use crate::date::Validity;
use crate::error::{Reason, TokenError, Unverified};
use crate::grant::{ChannelGrants, UncheckedGrant, payload};
use crate::jws::Jws;
use crate::keys::Keys;
use crate::public_key::PublicKey;
use crate::request::{KeyRequest, KeySetUrl};
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
        let user_id_claim = configured(settings.user_id_claim.clone());
        if let Some(name) = &user_id_claim
            && !name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        {
            return Err(SettingsError::UserIdClaim(name.clone()));
        }
        let audience = Requirement::new(
            ("audience", settings.audience.clone()),
            ("audience_regex", settings.audience_regex.clone()),
        )?;
        let issuer = Requirement::new(
            ("issuer", settings.issuer.clone()),
            ("issuer_regex", settings.issuer_regex.clone()),
        )?;
        let keys = Keys::new(settings, [issuer.pattern(), audience.pattern()])?;
        Ok(Self { keys, audience, issuer, user_id_claim })
    }

    /// Whether a check may need a public key, and so take from fifty microseconds to a millisecond instead of
    /// two: too long for a thread that has many clients to serve.
    pub fn uses_public_keys(&self) -> bool {
        self.keys.are_public()
    }

    /// What a connection token says. Channels are as the token names them: whether their namespaces exist is not
    /// known here.
    ///
    /// # Errors
    /// The first that applies: structure and signature, then types of claims, issuer and audience, the kind of
    /// token, the time, and last the base64 texts. Where keys are published as a set, the key to come back with.
    pub fn verify_connect(&self, token: &str, now: UnixSeconds) -> Result<ConnectClaims, Unverified> {
        let jws = self.open(token, now)?;
        Ok(self.connect_claims(&jws, now)?)
    }

    /// As [`verify_connect`](Self::verify_connect), with the key that it asked for.
    ///
    /// # Errors
    /// As there. Without published keys no key is good.
    pub fn verify_connect_with(
        &self,
        token: &str,
        now: UnixSeconds,
        key: &PublicKey,
    ) -> Result<ConnectClaims, TokenError> {
        let jws = self.open_with(token, key)?;
        self.connect_claims(&jws, now)
    }

    fn connect_claims(&self, jws: &Jws, now: UnixSeconds) -> Result<ConnectClaims, TokenError> {
        let claims = ClaimMap::of_token(&jws.claims)?;
        let user = self.user(&claims)?;
        let validity = Validity::read(&claims)?;
        let b64info = claims.text("b64info")?;
        let grants = ChannelGrants::read(&claims)?;
        let (issuer, audience) = origin(&claims)?;
        self.check_origin(&issuer, &audience)?;
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
    ) -> Result<SubscriptionClaims, Unverified> {
        let jws = self.open(token, now)?;
        Ok(self.subscription_claims(&jws, now)?)
    }

    /// As [`verify_subscription`](Self::verify_subscription), with the key that it asked for.
    ///
    /// # Errors
    /// As for [`verify_connect_with`](Self::verify_connect_with).
    pub fn verify_subscription_with(
        &self,
        token: &str,
        now: UnixSeconds,
        key: &PublicKey,
    ) -> Result<SubscriptionClaims, TokenError> {
        let jws = self.open_with(token, key)?;
        self.subscription_claims(&jws, now)
    }

    fn subscription_claims(&self, jws: &Jws, now: UnixSeconds) -> Result<SubscriptionClaims, TokenError> {
        let claims = ClaimMap::of_token(&jws.claims)?;
        let user = self.user(&claims)?;
        let validity = Validity::read(&claims)?;
        let channel = claims.text("channel")?.filter(|channel| !channel.is_empty());
        let client = claims.text("client")?;
        let grant = UncheckedGrant::read(&claims)?;
        let (issuer, audience) = origin(&claims)?;
        self.check_origin(&issuer, &audience)?;
        let channel = channel.ok_or(Reason::NotForSubscription)?;
        validity.check(now)?;
        Ok(SubscriptionClaims {
            user,
            channel: Channel::from(channel),
            client,
            grant: SubscribeGrant { expire_at: validity.expiry(), ..grant.decode()? },
        })
    }

    fn open(&self, token: &str, now: UnixSeconds) -> Result<Jws, Unverified> {
        let (jws, signed) = Jws::decode(token)?;
        match &self.keys {
            Keys::Unchecked => {}
            Keys::Own(keys) => keys.check(&jws, signed, now)?,
            Keys::Published(url) => return Err(Unverified::NeedsKey(self.key_request(url, jws)?)),
        }
        Ok(jws)
    }

    fn open_with(&self, token: &str, key: &PublicKey) -> Result<Jws, Reason> {
        let (jws, signed) = Jws::decode(token)?;
        let algorithm = jws.header.algorithm.ok_or(Reason::Algorithm)?;
        if !matches!(self.keys, Keys::Published(_)) {
            return Err(Reason::Algorithm);
        }
        key.check(algorithm, signed, &jws.signature)?;
        Ok(jws)
    }

    /// Which key it takes. Nothing of the token is proven yet: its claims choose at most among addresses that the
    /// settings allow.
    fn key_request(&self, url: &KeySetUrl, jws: Jws) -> Result<KeyRequest, Reason> {
        let algorithm = jws.header.algorithm.ok_or(Reason::Algorithm)?;
        if matches!(algorithm, Algorithm::Hmac(_)) {
            return Err(Reason::Algorithm);
        }
        let kid = jws.header.kid.ok_or(Reason::NoKeyName)?;
        let address = if url.is_template() {
            let (issuer, audience) = origin(&ClaimMap::of_token(&jws.claims)?)?;
            self.check_origin(&issuer, &audience)?;
            let matched = [self.issuer.captures(&issuer), self.audience.captures(&audience)];
            url.fill([matched[0].as_ref(), matched[1].as_ref()])
        } else {
            url.fill([None, None])
        };
        Ok(KeyRequest::new(address.ok_or(Reason::KeySetUrl)?, kid, algorithm))
    }

    fn user(&self, claims: &ClaimMap<'_>) -> Result<UserId, Reason> {
        let subject = claims.text("sub")?;
        let user = match &self.user_id_claim {
            Some(name) => claims.text_of(name).map_err(|()| Reason::UserIdClaim)?,
            None => subject,
        };
        Ok(user.map_or_else(UserId::default, UserId::from))
    }

    fn check_origin(&self, issuer: &[String], audience: &[String]) -> Result<(), Reason> {
        if !self.issuer.is_met_by(issuer) {
            return Err(Reason::Issuer);
        }
        if !self.audience.is_met_by(audience) {
            return Err(Reason::Audience);
        }
        Ok(())
    }
}

/// The claims `iss`, which is one text at most, and `aud`.
fn origin(claims: &ClaimMap<'_>) -> Result<(Vec<String>, Vec<String>), Reason> {
    Ok((claims.text("iss")?.into_iter().collect(), claims.text_or_list("aud")?))
}

#[cfg(test)]
mod tests;
