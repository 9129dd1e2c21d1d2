use anyhow::Context;
use clap::ArgMatches;
use flywheel_auth::{TokenError, TokenSettings, Verifier, sign};
use flywheel_config::{Config, TokenConfig};
use flywheel_model::UnixSeconds;
use flywheel_runtime::Clock;
use flywheel_server::ConfigSource;

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
    let keys = keys(&config, kind);
    let verifier = Verifier::new(TokenSettings {
        hmac_secret_key: keys.hmac_secret_key.clone(),
        hmac_previous_secret_key: keys.hmac_previous_secret_key.clone(),
        hmac_previous_secret_key_valid_until: keys.hmac_previous_secret_key_valid_until,
        audience: keys.audience.clone(),
        audience_regex: keys.audience_regex.clone(),
        issuer: keys.issuer.clone(),
        issuer_regex: keys.issuer_regex.clone(),
        user_id_claim: keys.user_id_claim.clone(),
        skip_signature: false,
    })
    .context("client.token")?;
    let now = Clock::system().now().unix();
    let refused = |error: TokenError| Failed { message: format!("not a valid token: {error}"), code: 1 };
    let (user, channel) = match kind {
        Kind::Connection => (verifier.verify_connect(token, now).map_err(refused)?.user, None),
        Kind::Subscription => {
            let claims = verifier.verify_subscription(token, now).map_err(refused)?;
            (claims.user, Some(claims.channel))
        }
    };
    let whose = if user.is_anonymous() { "an anonymous user".to_owned() } else { format!("user {user}") };
    let what = channel.map_or(String::new(), |channel| format!(" and channel {channel}"));
    print(&format!("valid token for {whose}{what}\npayload: {}\n", claims_text(token)))
}

/// The claims of a token that has been verified, as they stand in it.
fn claims_text(token: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    claims.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
