//! Tokens as the configuration has them, for the server and for the command line.

use std::sync::Arc;

use anyhow::Context;
use flywheel_auth::{KeyRequest, PublicKey, TokenSettings, Verifier};
use flywheel_config::TokenConfig;
use flywheel_engine::KeySets;
use flywheel_jwks::{HttpKeySets, Limits, Roots};
use flywheel_runtime::{Clock, Tasks};

use crate::pem;

/// The verifier for the section `client.<section>`. Reads the files that hold keys.
///
/// # Errors
/// Names the key that cannot be as it is.
pub fn verifier(section: &str, token: &TokenConfig, skip_signature: bool) -> anyhow::Result<Verifier> {
    let pem = |name: &str, value: &Option<String>| {
        let text = value.as_deref().map(pem::resolve).transpose();
        text.with_context(|| format!("client.{section}.{name}"))
    };
    let settings = TokenSettings {
        hmac_secret_key: token.hmac_secret_key.clone(),
        hmac_previous_secret_key: token.hmac_previous_secret_key.clone(),
        hmac_previous_secret_key_valid_until: token.hmac_previous_secret_key_valid_until,
        rsa_public_key: pem("rsa_public_key", &token.rsa_public_key)?,
        ecdsa_public_key: pem("ecdsa_public_key", &token.ecdsa_public_key)?,
        jwks_public_endpoint: token.jwks_public_endpoint.clone(),
        unlisted_jwks_values: token.insecure_skip_jwks_endpoint_safety_check,
        audience: token.audience.clone(),
        audience_regex: token.audience_regex.clone(),
        issuer: token.issuer.clone(),
        issuer_regex: token.issuer_regex.clone(),
        user_id_claim: token.user_id_claim.clone(),
        skip_signature,
    };
    Verifier::new(settings).with_context(|| format!("client.{section}"))
}

/// Fetches a key that a verifier asks for. For the command line: it starts a runtime and waits.
///
/// # Errors
/// The key set cannot be read, or has no such key.
pub fn fetch_key(request: &KeyRequest) -> anyhow::Result<Arc<PublicKey>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let tasks = Tasks::new(runtime.handle().clone());
    let sets = HttpKeySets::new(Clock::system(), tasks, Limits::default(), Roots::System);
    Ok(runtime.block_on(sets.key(request).wait())?)
}
