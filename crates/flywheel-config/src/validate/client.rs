//! Connections and tokens.

use regex::Regex;

use super::Check;
use crate::duration;
use crate::view::View;

pub(super) fn check(check: &mut Check<'_>, tree: &View<'_>) {
    let client = tree.section("client");
    let (ping, pong) = (client.nanoseconds("ping_interval"), client.nanoseconds("pong_timeout"));
    if ping <= pong {
        let (ping, pong) = (duration::format(ping), duration::format(pong));
        let reason = format!("{ping} must be longer than client.pong_timeout, which is {pong}");
        check.refuse(&client, "ping_interval", reason);
    }
    for origin in client.texts("allowed_origins") {
        if let Err(error) = globset::Glob::new(origin) {
            let reason = format!("{origin:?} is no pattern: {}", error.kind());
            check.refuse(&client, "allowed_origins", reason);
        }
    }
    if client.texts("allowed_origins").contains(&"*") {
        check.remark(&client, "allowed_origins", "\"*\" admits every web page; list the origins of your own");
    }
    token(check, &client.section("token"), true);
    let subscription = client.section("subscription_token");
    token(check, &subscription, subscription.is("enabled"));
    for transform in client.items("connect_code_to_unidirectional_disconnect.transforms") {
        if transform.int("code") == 0 {
            check.refuse(&transform, "code", "write the connect error to match");
        }
        let to = transform.section("to");
        if to.int("code") == 0 {
            check.refuse(&to, "code", "write the disconnect code to send");
        }
        if !to.text("reason").is_ascii() {
            check.refuse(&to, "reason", "only ASCII can be sent");
        }
    }
    for endpoint in ["uni_sse", "uni_http_stream"] {
        for transform in tree.items(&format!("{endpoint}.connect_code_to_http_response.transforms")) {
            if transform.int("code") == 0 {
                check.refuse(&transform, "code", "write the connect error to match");
            }
            if transform.int("to.status_code") == 0 {
                check.refuse(&transform.section("to"), "status_code", "write the HTTP status to answer with");
            }
        }
    }
}

fn token(check: &mut Check<'_>, token: &View<'_>, used: bool) {
    let claim = token.text("user_id_claim");
    if !claim.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') {
        check.refuse(token, "user_id_claim", format!("{claim:?} is no claim; write letters and _ only"));
    }
    if !used {
        return;
    }
    for (exact, pattern) in [("audience", "audience_regex"), ("issuer", "issuer_regex")] {
        check.pattern(token, pattern);
        if !token.text(exact).is_empty() && !token.text(pattern).is_empty() {
            check.refuse(token, pattern, format!("it does not go with {exact}; remove one of them"));
        }
    }
    if !token.is("insecure_skip_jwks_endpoint_safety_check") {
        key_set_url(check, token);
    }
}

/// A key-set URL with parts taken from the token must not lead wherever the token likes.
fn key_set_url(check: &mut Check<'_>, token: &View<'_>) {
    let names = template_names(token.text("jwks_public_endpoint"));
    if names.is_empty() {
        return;
    }
    let patterns = [token.text("issuer_regex"), token.text("audience_regex")];
    let loose = |pattern: &str| {
        let lower = pattern.to_ascii_lowercase();
        ["[", "\\d", "\\w", "\\s", "\\p"].iter().any(|class| lower.contains(class))
    };
    if patterns.iter().any(|pattern| loose(pattern)) {
        let reason = "a URL built from the token needs regexes without classes such as [a-z] or \\w; list the values, \
                      as in (?P<tenant>one|two)";
        check.refuse(token, "jwks_public_endpoint", reason);
        return;
    }
    for name in names {
        let mut lists = patterns.iter().filter_map(|pattern| is_list_of_values(pattern, name)).peekable();
        // Where both patterns have the group, either may be what fills the place.
        let listed = lists.peek().is_some() && lists.all(|listed| listed);
        if !listed {
            let reason = format!(
                "{{{{{name}}}}} must be a group of issuer_regex or audience_regex that lists its values, as in \
                 (?P<{name}>one|two)"
            );
            check.refuse(token, "jwks_public_endpoint", reason);
        }
    }
}

fn template_names(url: &str) -> Vec<&str> {
    let starts = url.split("{{").skip(1);
    starts.filter_map(|rest| rest.split_once("}}")).map(|(name, _)| name.trim()).collect()
}

/// Whether the group of this name is a plain list of values; `None` if the pattern has no such group.
fn is_list_of_values(pattern: &str, group: &str) -> Option<bool> {
    // Go writes groups with and without the P.
    let starts = [format!("(?P<{group}>"), format!("(?<{group}>")];
    let (_, after) = starts.iter().find_map(|start| pattern.split_once(start.as_str()))?;
    let values = Regex::new(r"^(?:[A-Za-z0-9_-]|\\\.)+(?:\|(?:[A-Za-z0-9_-]|\\\.)+)*$").ok()?;
    Some(after.split_once(')').is_some_and(|(inside, _)| values.is_match(inside)))
}
