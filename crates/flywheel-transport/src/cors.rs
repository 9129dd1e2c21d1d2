use flywheel_websocket::Request;
use globset::GlobSet;

/// A header of a response.
pub type Header = (&'static str, String);

/// Whether a request without an Origin, or from an allowed one, is made.
pub(crate) fn origin_allowed(origins: &GlobSet, request: &Request<'_>) -> bool {
    origin(request).is_none_or(|origin| origins.is_match(origin.to_lowercase()))
}

/// The Origin of a request from a browser.
pub(crate) fn origin(request: &Request<'_>) -> Option<String> {
    let origin = request.header("origin").filter(|origin| !origin.is_empty())?;
    Some(String::from_utf8_lossy(origin).into_owned())
}

/// The headers that let a browser see the response. Without them, which is what other origins get, it hides it.
///
/// Source: client protocol, section 8.4.
pub(crate) fn cors_headers(origins: &GlobSet, request: &Request<'_>) -> Vec<Header> {
    let Some(origin) = origin(request).filter(|_| origin_allowed(origins, request)) else {
        return Vec::new();
    };
    let mut headers = vec![
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true".to_owned()),
        // Who caches the response must not show it to another origin.
        ("Vary", "Origin".to_owned()),
    ];
    if let Some(asked) = request.header("access-control-request-headers") {
        headers.push(("Access-Control-Allow-Headers", String::from_utf8_lossy(asked).into_owned()));
    }
    headers
}

/// What a preflight is told besides.
pub(crate) fn preflight_headers(origins: &GlobSet, request: &Request<'_>) -> Vec<Header> {
    let mut headers = cors_headers(origins, request);
    headers.push(("Access-Control-Allow-Methods", "POST, OPTIONS".to_owned()));
    headers.push(("Access-Control-Max-Age", "300".to_owned()));
    headers
}
