use bytes::Bytes;
use flywheel_model::CallerHeaders;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::{BadProxy, ProxySettings};

/// Which headers a backend gets: the static ones, and those of the client that the configuration names.
///
/// Source: server API, section 6.2. A later group replaces the headers of the same name of an earlier one.
#[derive(Debug)]
pub(crate) struct Headers {
    fixed: HeaderMap,
    emulated: Vec<String>,
    transport: Vec<String>,
}

/// Headers that describe one hop or the message itself: passed on, they would lie about our request.
const OURS: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Headers {
    pub(crate) fn new(settings: &ProxySettings) -> Result<Self, BadProxy> {
        let mut fixed = HeaderMap::new();
        for (name, value) in &settings.static_headers {
            let bad = || BadProxy::Header(name.clone());
            let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let value = HeaderValue::from_str(value).map_err(|_| bad())?;
            if !is_ours(parsed.as_str()) {
                fixed.insert(parsed, value);
            }
        }
        let allowed = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Ok(Self {
            fixed,
            emulated: allowed(&settings.emulated_headers),
            transport: allowed(&settings.http_headers),
        })
    }

    /// The headers of a request made for a connection that brought `given`.
    pub(crate) fn of(&self, given: Option<&CallerHeaders>) -> HeaderMap {
        let mut headers = self.fixed.clone();
        if let Some(given) = given {
            pass_on(&mut headers, &given.emulated, &self.emulated);
            pass_on(&mut headers, &given.transport, &self.transport);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers
    }
}

fn is_ours(name: &str) -> bool {
    OURS.contains(&name)
}

/// Puts those of `given` that are `allowed` in the place of what is there. What no header can carry is left out.
fn pass_on(headers: &mut HeaderMap, given: &[(String, Bytes)], allowed: &[String]) {
    let may = |name: &str| allowed.iter().any(|known| known == name) && !is_ours(name);
    let given = given.iter().filter(|(name, _)| may(name)).filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_maybe_shared(value.clone()).ok()?))
    });
    let given: Vec<_> = given.collect();
    for (name, _) in &given {
        headers.remove(name);
    }
    for (name, value) in given {
        headers.append(name, value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entry(name: &str, value: &'static str) -> (String, Bytes) {
        (name.to_owned(), Bytes::from_static(value.as_bytes()))
    }

    fn settings() -> ProxySettings {
        ProxySettings {
            static_headers: vec![("X-Key".into(), "static".into()), ("X-Other".into(), "static".into())],
            http_headers: vec!["Cookie".into(), "x-key".into(), "content-type".into(), "host".into()],
            emulated_headers: vec!["authorization".into(), "x-other".into(), "x-key".into()],
            ..ProxySettings::new("default", "http://a", Duration::from_secs(1))
        }
    }

    #[test]
    fn later_groups_win_and_nothing_that_is_not_named_is_passed_on() {
        let given = CallerHeaders {
            transport: vec![
                entry("cookie", "a=1"),
                entry("cookie", "b=2"),
                entry("x-key", "transport"),
                entry("authorization", "not emulated"),
                entry("content-type", "text/html"),
                entry("host", "evil"),
            ],
            emulated: vec![
                entry("authorization", "Bearer x"),
                entry("x-other", "emulated"),
                entry("x-key", "emulated"),
                entry("cookie", "c=3"),
            ],
        };
        let headers = Headers::new(&settings()).unwrap().of(Some(&given));
        let mut shown: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        shown.sort();
        assert_eq!(
            shown,
            [
                "authorization: Bearer x",
                "content-type: application/json",
                "cookie: a=1",
                "cookie: b=2",
                "x-key: transport",
                "x-other: emulated",
            ]
        );
    }

    #[test]
    fn a_client_cannot_break_out_of_a_header() {
        let given =
            CallerHeaders { emulated: vec![entry("authorization", "a\r\nX-Evil: 1")], ..Default::default() };
        let headers = Headers::new(&settings()).unwrap().of(Some(&given));
        assert!(!headers.contains_key("authorization") && !headers.contains_key("x-evil"));
    }

    #[test]
    fn a_static_header_that_cannot_be_sent_is_refused_at_the_start() {
        let settings = ProxySettings { static_headers: vec![("X Key".into(), "v".into())], ..settings() };
        assert!(matches!(Headers::new(&settings), Err(BadProxy::Header(name)) if name == "X Key"));
    }
}
