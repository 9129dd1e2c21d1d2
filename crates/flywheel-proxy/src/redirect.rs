use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, LOCATION};
use http::{Method, Response, StatusCode, Uri};

/// Redirects followed for one call, as many as ordinary clients do.
pub(crate) const REDIRECTS_MAX: usize = 10;

/// Where a response sends us, and how.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) to: Uri,
    /// POST repeats the body, GET drops it.
    pub(crate) method: Method,
}

impl Redirect {
    /// What `response` to a request of `from` asks for; `None` when it is no redirect that can be followed.
    pub(crate) fn of<B>(response: &Response<B>, from: &Uri, method: &Method) -> Option<Self> {
        let method = match response.status() {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => Method::GET,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => method.clone(),
            _ => return None,
        };
        let location = response.headers().get(LOCATION)?.to_str().ok()?;
        Some(Self { to: resolve(from, location)?, method })
    }

    /// Takes out of `headers` what the new place must not see.
    pub(crate) fn prune(&self, from: &Uri, headers: &mut HeaderMap) {
        if self.method == Method::GET {
            headers.remove(CONTENT_TYPE);
        }
        if from.authority() != self.to.authority() {
            headers.remove(AUTHORIZATION);
            headers.remove(COOKIE);
        }
    }
}

/// The URL that `location` means on a page at `base`. Source: RFC 3986, section 5.2, without its dot segments.
fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().unwrap_or_default();
    let (scheme, authority) = (base.scheme_str()?, base.authority()?.as_str());
    let path = base.path();
    let text = if location.starts_with("http://") || location.starts_with("https://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{path}{location}")
    } else {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    text.parse::<Uri>().ok().filter(|uri| uri.authority().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_read_relative_to_the_page_it_stands_on() {
        let base = Uri::from_static("https://a.example:1/x/y?q=1");
        for (location, expected) in [
            ("http://b.example/z#f", "http://b.example/z"),
            ("//b.example/z", "https://b.example/z"),
            ("/z?r", "https://a.example:1/z?r"),
            ("?r", "https://a.example:1/x/y?r"),
            ("z", "https://a.example:1/x/z"),
        ] {
            assert_eq!(resolve(&base, location).unwrap().to_string(), expected, "{location}");
        }
    }

    #[test]
    fn credentials_stay_at_the_host_they_were_meant_for() {
        let from = Uri::from_static("http://a/x");
        let headers: HeaderMap = [(AUTHORIZATION, "x"), (COOKIE, "y")]
            .map(|(name, value)| (name, value.parse().unwrap()))
            .into_iter()
            .collect();
        for (to, left) in [("http://a/z", 2), ("http://b/x", 0)] {
            let mut headers = headers.clone();
            Redirect { to: to.parse().unwrap(), method: Method::POST }.prune(&from, &mut headers);
            assert_eq!(headers.len(), left, "{to}");
        }
    }
}
