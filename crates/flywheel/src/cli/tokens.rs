use anyhow::Context;
use clap::ArgMatches;
use flywheel_auth::{PublicKey, TokenError, Unverified, sign};
use flywheel_config::{Config, TokenConfig};
use flywheel_model::UnixSeconds;
use flywheel_runtime::Clock;
use flywheel_server::{ConfigSource, tokens};

use super::{Failed, Outcome, arguments, print};

/// What a token is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Connection,
    Subscription,
}

fn configuration(matches: &ArgMatches) -> Result<Config, Failed> {
    let source = ConfigSource { file_required: true, ..arguments::source(matches) };
    Ok(source.load()?.0.config)
}

/// The keys that tokens of this kind are signed with.
fn keys(config: &Config, kind: Kind) -> &TokenConfig {
    match (kind, &config.client.subscription_token) {
        (Kind::Subscription, Some(own)) => own,
        _ => &config.client.token,
    }
}

/// `gentoken` and, with a channel, `gensubtoken`.
pub(super) fn generate(matches: &ArgMatches, channel: Option<&String>) -> Outcome {
    let config = configuration(matches)?;
    let kind = if channel.is_some() { Kind::Subscription } else { Kind::Connection };
    let secret =
        keys(&config, kind).hmac_secret_key.as_deref().context("client.token.hmac_secret_key is not set")?;
    let user = matches.get_one::<String>("user").map(String::as_str);
    let ttl = matches.get_one::<i64>("ttl").copied().unwrap_or_default();
    let now = Clock::system().now().unix();
    let expires_at = (ttl >= 0).then(|| UnixSeconds(now.0.saturating_add(ttl)));
    let token = match channel {
        None => sign::connection_token(secret.as_bytes(), user, expires_at, now),
        Some(channel) => sign::subscription_token(secret.as_bytes(), user, channel, expires_at, now),
    };
    if matches.get_flag("quiet") {
        return print(&token);
    }
    let whose = user.map_or("an anonymous user".to_owned(), |user| format!("user {user}"));
    let what = channel.map_or(String::new(), |channel| format!(" and channel {channel}"));
    let until = expires_at.map_or("for ever".to_owned(), |_| format!("for {ttl} seconds"));
    print(&format!("HMAC SHA-256 token for {whose}{what}, valid {until}:\n{token}\n"))
}

/// `checktoken` and `checksubtoken`.
pub(super) fn check(matches: &ArgMatches, kind: Kind) -> Outcome {
    let config = configuration(matches)?;
    let token = matches.get_one::<String>("token").map_or("", String::as_str);
    let section = match (kind, &config.client.subscription_token) {
        (Kind::Subscription, Some(_)) => "subscription_token",
        _ => "token",
    };
    let verifier = tokens::verifier(section, keys(&config, kind), false)?;
    let now = Clock::system().now().unix();
    let (user, channel) = match kind {
        Kind::Connection => {
            let claims = verified(verifier.verify_connect(token, now), |key| {
                verifier.verify_connect_with(token, now, key)
            })?;
            (claims.user, None)
        }
        Kind::Subscription => {
            let claims = verified(verifier.verify_subscription(token, now), |key| {
                verifier.verify_subscription_with(token, now, key)
            })?;
            (claims.user, Some(claims.channel))
        }
    };
    let whose = if user.is_anonymous() { "an anonymous user".to_owned() } else { format!("user {user}") };
    let what = channel.map_or(String::new(), |channel| format!(" and channel {channel}"));
    print(&format!("valid token for {whose}{what}\npayload: {}\n", claims_text(token)))
}

/// The claims, if need be with a key that is fetched.
fn verified<T>(
    first: Result<T, Unverified>,
    again: impl FnOnce(&PublicKey) -> Result<T, TokenError>,
) -> Result<T, Failed> {
    let refused = |error: TokenError| Failed::from(anyhow::Error::from(error).context("not a valid token"));
    match first {
        Ok(claims) => Ok(claims),
        Err(Unverified::Refused(error)) => Err(refused(error)),
        Err(Unverified::NeedsKey(request)) => {
            let key = tokens::fetch_key(&request).with_context(|| request.url().to_owned())?;
            again(&key).map_err(refused)
        }
    }
}

/// The claims of a token that has been verified, as they stand in it.
fn claims_text(token: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    claims.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
