use std::collections::BTreeMap;
use std::time::Duration;

use super::endpoints::code;
use crate::view::View;

/// Rules for connections. Config section `client`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one field per configuration key, named as there")]
pub struct Client {
    /// Patterns of the Origin that browsers may come from. Empty refuses every request that has an Origin.
    pub allowed_origins: Vec<String>,
    /// How connection tokens are checked; subscription tokens too, unless they have their own section.
    pub token: TokenConfig,
    /// How subscription tokens are checked; `None` unless `subscription_token.enabled`.
    pub subscription_token: Option<TokenConfig>,
    /// Admit clients without a token, as nobody.
    pub allow_anonymous_connect_without_token: bool,
    /// Refuse tokens that name no user.
    pub disallow_anonymous_connection_tokens: bool,
    /// Pause between pings; `None` sends none. Longer than `pong_timeout`.
    pub ping_interval: Option<Duration>,
    /// How long a client may take to answer; `None` waits for ever.
    pub pong_timeout: Option<Duration>,
    /// Grace for renewing an expired connection; may be zero.
    pub expired_close_delay: Duration,
    /// Grace for renewing an expired subscription; may be zero.
    pub expired_sub_close_delay: Duration,
    /// Time in which a client must send connect; `None` gives it for ever.
    pub stale_close_delay: Option<Duration>,
    /// Most subscriptions of one connection; `None` sets no limit.
    pub channel_limit: Option<usize>,
    /// Bytes that may wait for one connection; `None` sets no limit.
    pub queue_max_size: Option<usize>,
    /// Pause between renewals of presence; `None` never renews.
    pub presence_update_interval: Option<Duration>,
    /// Commands of one connection handled at a time; 0 means one by one.
    pub concurrency: usize,
    /// Pause between checks of a subscriber's position; `None` never checks.
    pub channel_position_check_delay: Option<Duration>,
    /// Most connections of this node; `None` sets no limit.
    pub connection_limit: Option<usize>,
    /// Most connections of one user on this node; `None` sets no limit.
    pub user_connection_limit: Option<usize>,
    /// Size of the bucket that new connections are taken from, refilled by one a second; `None` sets no limit.
    pub connection_rate_limit: Option<usize>,
    /// Tell clients our time.
    pub connect_include_server_time: bool,
    /// Most publications in one history reply; `None` sets no limit.
    pub history_max_publication_limit: Option<usize>,
    /// Most publications a client may catch up on; `None` sets no limit.
    pub recovery_max_publication_limit: Option<usize>,
    /// Believe tokens without checking their signature.
    pub insecure_skip_token_signature_verify: bool,
    /// Header whose value is believed to be the user.
    pub user_id_http_header: Option<String>,
    /// Admit everybody to everything.
    pub insecure: bool,
    /// Code and reason of the disconnect that clients which only listen are told, by the code of the connect error it
    /// stands for; empty unless enabled.
    pub connect_code_to_unidirectional_disconnect: BTreeMap<u32, (u32, String)>,
    /// Server-side subscription of each user to a channel of its own.
    pub subscribe_to_user_personal_channel: PersonalChannel,
}

/// A channel for each user. Config section `client.subscribe_to_user_personal_channel`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalChannel {
    /// Subscribe users to it.
    pub enabled: bool,
    /// Its namespace, which is there when `enabled`; empty for none.
    pub personal_channel_namespace: String,
    /// Let a user's newest connection end the older ones; there is presence in the namespace then.
    pub single_connection: bool,
}

/// How tokens are checked. Config sections `client.token` and `client.subscription_token`. What is `None` is not
/// asked for. Patterns compile and never stand beside the exact value.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TokenConfig {
    /// Secret for HS256, HS384 and HS512.
    pub hmac_secret_key: Option<String>,
    /// Secret that is still honoured while keys are being changed.
    pub hmac_previous_secret_key: Option<String>,
    /// Unix seconds at which the previous secret dies; 0 never.
    pub hmac_previous_secret_key_valid_until: i64,
    /// PEM key for RS256, RS384 and RS512; not looked into here.
    pub rsa_public_key: Option<String>,
    /// PEM key for ES256, ES384 and ES512; not looked into here.
    pub ecdsa_public_key: Option<String>,
    /// URL of a key set, used in place of the keys above.
    pub jwks_public_endpoint: Option<String>,
    /// Fill that URL with values that the patterns do not list.
    pub insecure_skip_jwks_endpoint_safety_check: bool,
    /// The `aud` a token must have.
    pub audience: Option<String>,
    /// Pattern of `aud`.
    pub audience_regex: Option<String>,
    /// The `iss` a token must have.
    pub issuer: Option<String>,
    /// Pattern of `iss`.
    pub issuer_regex: Option<String>,
    /// Claim that names the user; `None` means `sub`.
    pub user_id_claim: Option<String>,
}

impl std::fmt::Debug for TokenConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Secrets must not reach a log by way of `{:?}`.
        let secret = |secret: &Option<String>| secret.as_ref().map(|_| "..");
        f.debug_struct("TokenConfig")
            .field("hmac_secret_key", &secret(&self.hmac_secret_key))
            .field("hmac_previous_secret_key", &secret(&self.hmac_previous_secret_key))
            .field("hmac_previous_secret_key_valid_until", &self.hmac_previous_secret_key_valid_until)
            .field("jwks_public_endpoint", &self.jwks_public_endpoint)
            .field("insecure_skip_jwks_endpoint_safety_check", &self.insecure_skip_jwks_endpoint_safety_check)
            .field("audience", &self.audience)
            .field("audience_regex", &self.audience_regex)
            .field("issuer", &self.issuer)
            .field("issuer_regex", &self.issuer_regex)
            .field("user_id_claim", &self.user_id_claim)
            .finish_non_exhaustive()
    }
}

/// The first rule for a code counts.
fn disconnects(view: &View<'_>) -> BTreeMap<u32, (u32, String)> {
    let mut by_code = BTreeMap::new();
    for rule in view.items("transforms").into_iter().filter(|_| view.is("enabled")) {
        let to = (code(&rule, "to.code"), rule.text("to.reason").to_owned());
        by_code.entry(code(&rule, "code")).or_insert(to);
    }
    by_code
}

impl Client {
    pub(super) fn read(view: &View<'_>) -> Self {
        let separate = view.section("subscription_token");
        let personal = view.section("subscribe_to_user_personal_channel");
        Self {
            allowed_origins: view.texts("allowed_origins").into_iter().map(ToOwned::to_owned).collect(),
            token: TokenConfig::read(&view.section("token")),
            subscription_token: separate.is("enabled").then(|| TokenConfig::read(&separate)),
            allow_anonymous_connect_without_token: view.is("allow_anonymous_connect_without_token"),
            disallow_anonymous_connection_tokens: view.is("disallow_anonymous_connection_tokens"),
            ping_interval: view.some_time("ping_interval"),
            pong_timeout: view.some_time("pong_timeout"),
            expired_close_delay: view.time("expired_close_delay"),
            expired_sub_close_delay: view.time("expired_sub_close_delay"),
            stale_close_delay: view.some_time("stale_close_delay"),
            channel_limit: view.limit("channel_limit"),
            queue_max_size: view.limit("queue_max_size"),
            presence_update_interval: view.some_time("presence_update_interval"),
            concurrency: view.size("concurrency"),
            channel_position_check_delay: view.some_time("channel_position_check_delay"),
            connection_limit: view.limit("connection_limit"),
            user_connection_limit: view.limit("user_connection_limit"),
            connection_rate_limit: view.limit("connection_rate_limit"),
            connect_include_server_time: view.is("connect_include_server_time"),
            history_max_publication_limit: view.limit("history_max_publication_limit"),
            recovery_max_publication_limit: view.limit("recovery_max_publication_limit"),
            insecure_skip_token_signature_verify: view.is("insecure_skip_token_signature_verify"),
            user_id_http_header: view.some_text("user_id_http_header"),
            insecure: view.is("insecure"),
            connect_code_to_unidirectional_disconnect: disconnects(
                &view.section("connect_code_to_unidirectional_disconnect"),
            ),
            subscribe_to_user_personal_channel: PersonalChannel {
                enabled: personal.is("enabled"),
                personal_channel_namespace: personal.text("personal_channel_namespace").to_owned(),
                single_connection: personal.is("single_connection"),
            },
        }
    }
}

impl TokenConfig {
    fn read(view: &View<'_>) -> Self {
        Self {
            hmac_secret_key: view.some_text("hmac_secret_key"),
            hmac_previous_secret_key: view.some_text("hmac_previous_secret_key"),
            hmac_previous_secret_key_valid_until: view.int("hmac_previous_secret_key_valid_until"),
            rsa_public_key: view.some_text("rsa_public_key"),
            ecdsa_public_key: view.some_text("ecdsa_public_key"),
            jwks_public_endpoint: view.some_text("jwks_public_endpoint"),
            insecure_skip_jwks_endpoint_safety_check: view.is("insecure_skip_jwks_endpoint_safety_check"),
            audience: view.some_text("audience"),
            audience_regex: view.some_text("audience_regex"),
            issuer: view.some_text("issuer"),
            issuer_regex: view.some_text("issuer_regex"),
            user_id_claim: view.some_text("user_id_claim"),
        }
    }
}
