use http::HeaderMap;
use subtle::ConstantTimeEq;

/// Who may call the server API.
///
/// Source: server API, section 1.2.
#[derive(Clone)]
pub struct ApiKey {
    key: Option<String>,
    insecure: bool,
}

impl ApiKey {
    /// Callers need `key`; without a key nobody may call. `insecure`: everybody may.
    pub fn new(key: Option<String>, insecure: bool) -> Self {
        Self { key: key.filter(|key| !key.is_empty()), insecure }
    }

    /// Whether a request with these headers and this query may call.
    pub fn admits(&self, headers: &HeaderMap, query: Option<&str>) -> bool {
        if self.insecure {
            return true;
        }
        let Some(key) = &self.key else {
            return false;
        };
        let matches = |candidate: &[u8]| bool::from(candidate.ct_eq(key.as_bytes()));
        let by_header = match headers.get("x-api-key").map(http::HeaderValue::as_bytes) {
            Some(candidate) if !candidate.is_empty() => matches(candidate),
            _ => headers
                .get(http::header::AUTHORIZATION)
                .and_then(|value| value.to_str().ok())
                .and_then(authorization_key)
                .is_some_and(|candidate| matches(candidate.as_bytes())),
        };
        by_header || query.and_then(query_key).is_some_and(|candidate| matches(candidate.as_bytes()))
    }
}

/// `apikey <key>`: the scheme in any case, exactly two parts.
fn authorization_key(value: &str) -> Option<&str> {
    let mut parts = value.split_whitespace();
    match (parts.next(), parts.next(), parts.next()) {
        (Some(scheme), Some(key), None) if scheme.eq_ignore_ascii_case("apikey") => Some(key),
        _ => None,
    }
}

fn query_key(query: &str) -> Option<String> {
    query.split('&').find_map(|pair| pair.strip_prefix("api_key=")).map(percent_decoded)
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], escaped) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("insecure", &self.insecure).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, header: Option<(&'static str, &'static str)>, query: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, value.parse().unwrap());
        }
        ApiKey::new(Some(key.into()), false).admits(&headers, query)
    }

    #[test]
    fn the_key_may_come_in_three_places() {
        assert!(check("secret", Some(("x-api-key", "secret")), None));
        assert!(check("secret", Some(("authorization", "ApiKey  secret")), None));
        assert!(check("secret", None, Some("a=1&api_key=secret")));
        assert!(check("a b%", None, Some("api_key=a+b%25")));
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(!check("secret", None, None));
        assert!(!check("secret", Some(("x-api-key", "secret2")), None));
        assert!(!check("secret", Some(("authorization", "bearer secret")), None));
        assert!(!check("secret", Some(("authorization", "apikey secret more")), None));
        assert!(!check("", Some(("x-api-key", "")), Some("api_key=")));
        assert!(!check("é%", None, Some("api_key=%e")));
    }
}
