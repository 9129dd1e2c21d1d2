use std::fmt;

use crate::{HandshakeError, Limits};

/// Headers a request may have.
pub const HEADERS_MAX: usize = 100;

/// The head of an HTTP/1 request, lent from the bytes it was parsed from.
///
/// About 3 KiB by value, without heap memory: do not keep it across an await.
pub struct Request<'b> {
    method: &'b str,
    target: &'b str,
    minor_version: u8,
    headers: [httparse::Header<'b>; HEADERS_MAX],
    header_count: usize,
    head_len: usize,
}

impl<'b> Request<'b> {
    /// Parses the request at the start of `bytes`; `None` when its head goes on behind them.
    ///
    /// For bytes that arrive piece by piece, [`Head`](crate::Head) avoids parsing them anew each time.
    ///
    /// # Errors
    /// It is not HTTP/1, or exceeds a limit.
    pub fn parse(bytes: &'b [u8], limits: Limits) -> Result<Option<Self>, HandshakeError> {
        let limit = limits.head_bytes;
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut headers);
        // Bytes beyond the limit cannot belong to an acceptable head, so they are not worth parsing.
        let status = parsed.parse(bytes.get(..limit).unwrap_or(bytes)).map_err(|error| match error {
            httparse::Error::TooManyHeaders => HandshakeError::TooManyHeaders,
            httparse::Error::HeaderName => HandshakeError::Malformed("header name"),
            httparse::Error::HeaderValue => HandshakeError::Malformed("header value"),
            httparse::Error::NewLine => HandshakeError::Malformed("line ending"),
            httparse::Error::Token => HandshakeError::Malformed("method or target"),
            httparse::Error::Version => HandshakeError::Malformed("version"),
            httparse::Error::Status => HandshakeError::Malformed("status"),
        })?;
        match (status, parsed.method, parsed.path, parsed.version) {
            (httparse::Status::Complete(head_len), Some(method), Some(target), Some(minor_version)) => {
                let header_count = parsed.headers.len();
                Ok(Some(Self { method, target, minor_version, headers, header_count, head_len }))
            }
            _ if bytes.len() >= limit => Err(HandshakeError::TooLarge { limit }),
            _ => Ok(None),
        }
    }

    /// The method, in the case it was sent.
    pub fn method(&self) -> &'b str {
        self.method
    }

    /// The request target as it was sent.
    pub fn target(&self) -> &'b str {
        self.target
    }

    /// The target's path, not decoded; without scheme and authority if they were sent.
    pub fn path(&self) -> &'b str {
        let origin_form = self.origin_form();
        origin_form.split_once('?').map_or(origin_form, |(path, _)| path)
    }

    /// What is behind the target's first question mark, not decoded; `None` without one.
    pub fn query(&self) -> Option<&'b str> {
        self.origin_form().split_once('?').map(|(_, query)| query)
    }

    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub fn minor_version(&self) -> u8 {
        self.minor_version
    }

    /// Names and values of the headers, in the order they were sent.
    pub fn headers(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> {
        self.headers.iter().take(self.header_count).map(|header| (header.name, header.value))
    }

    /// The values of all headers called `name`, in whatever case, in the order they were sent.
    pub fn values<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'b [u8]> + 'r {
        self.headers().filter(move |(sent, _)| sent.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of the first header called `name`, in whatever case.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.values(name).next()
    }

    /// The items of the comma-separated lists in all headers called `name`, in order, without empty ones.
    ///
    /// Values that are not UTF-8 are left out.
    pub fn items<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'b str> + 'r {
        self.values(name)
            .filter_map(|value| std::str::from_utf8(value).ok())
            .flat_map(|value| value.split(','))
            .map(|item| item.trim_matches([' ', '\t']))
            .filter(|item| !item.is_empty())
    }

    /// Whether the list in the headers called `name` has `token`, in whatever case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.items(name).any(|item| item.eq_ignore_ascii_case(token))
    }

    /// Whether the client means to open a WebSocket, be it well or badly: [`Upgrade::check`](crate::Upgrade::check)
    /// decides which.
    pub fn is_upgrade(&self) -> bool {
        self.has_token("upgrade", "websocket") || self.header("sec-websocket-key").is_some()
    }

    /// Bytes of the head; what follows them in the buffer was sent behind it.
    pub fn head_len(&self) -> usize {
        self.head_len
    }

    fn origin_form(&self) -> &'b str {
        let target = self.target;
        match target.split_once("://") {
            Some((scheme, rest))
                if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !scheme.is_empty() =>
            {
                rest.find(['/', '?']).and_then(|start| rest.get(start..)).unwrap_or("/")
            }
            _ => target,
        }
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path())
            .field("minor_version", &self.minor_version)
            .field("headers", &self.header_count)
            .field("head_len", &self.head_len)
            .finish()
    }
}

#[cfg(test)]
mod tests;
