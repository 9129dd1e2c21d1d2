//! What the backend is asked, as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flywheel_engine::{BackendError, ConnectCall, PublishCall, RpcCall, SubRefreshCall, SubscribeCall};
use flywheel_model::{Caller, Payload};
use flywheel_protocol::json::{self, Members};
use flywheel_protocol::proxy as wire;

/// How requests of one proxy are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub(crate) binary: bool,
    pub(crate) include_meta: bool,
}

/// Fills a request with what all requests have.
macro_rules! request {
    ($message:ident, $form:expr, $caller:expr, { $($rest:tt)* }) => {{
        let caller: &Caller = $caller;
        wire::$message {
            client: caller.client.to_string(),
            transport: caller.transport.to_owned(),
            protocol: caller.protocol.to_owned(),
            encoding: if $form.binary { "binary" } else { "json" }.to_owned(),
            $($rest)*
        }
    }};
}

impl Form {
    pub(crate) fn connect(self, call: ConnectCall) -> Result<Bytes, BackendError> {
        let (data, b64data) = self.payload(&call.data)?;
        Ok(text(&request!(ConnectRequest, self, &call.caller, {
            data,
            b64data,
            name: call.name,
            version: call.version,
            channels: call.channels,
        })))
    }

    pub(crate) fn refresh(self, caller: &Caller) -> Bytes {
        let user = caller.user.as_str().to_owned();
        text(&request!(RefreshRequest, self, caller, { user, meta: self.meta(caller), }))
    }

    pub(crate) fn subscribe(self, call: &SubscribeCall) -> Result<Bytes, BackendError> {
        let (data, b64data) = self.payload(&call.data)?;
        Ok(text(&request!(SubscribeRequest, self, &call.caller, {
            user: call.caller.user.as_str().to_owned(),
            channel: call.channel.as_str().to_owned(),
            // A subscribe with a token is not the backend's to decide.
            token: String::new(),
            meta: self.meta(&call.caller),
            data,
            b64data,
        })))
    }

    pub(crate) fn publish(self, call: &PublishCall) -> Result<Bytes, BackendError> {
        let (data, b64data) = self.payload(&call.data)?;
        Ok(text(&request!(PublishRequest, self, &call.caller, {
            user: call.caller.user.as_str().to_owned(),
            channel: call.channel.as_str().to_owned(),
            data,
            b64data,
            meta: self.meta(&call.caller),
        })))
    }

    pub(crate) fn rpc(self, call: RpcCall) -> Result<Bytes, BackendError> {
        let (data, b64data) = self.payload(&call.data)?;
        Ok(text(&request!(RpcRequest, self, &call.caller, {
            user: call.caller.user.as_str().to_owned(),
            method: call.method,
            data,
            b64data,
            meta: self.meta(&call.caller),
        })))
    }

    pub(crate) fn sub_refresh(self, call: &SubRefreshCall) -> Bytes {
        text(&request!(SubRefreshRequest, self, &call.caller, {
            user: call.caller.user.as_str().to_owned(),
            channel: call.channel.as_str().to_owned(),
            meta: self.meta(&call.caller),
        }))
    }

    fn meta(self, caller: &Caller) -> Bytes {
        caller.meta.clone().filter(|_| self.include_meta).unwrap_or_default()
    }

    /// The members `data` and `b64data`.
    fn payload(self, payload: &Payload) -> Result<(Bytes, String), BackendError> {
        if self.binary {
            return Ok((Bytes::new(), STANDARD.encode(payload.bytes())));
        }
        match payload.json() {
            Some(json) => Ok((json.clone(), String::new())),
            None => Err(BackendError::Failed(
                "the client's payload is not JSON, and binary_encoding is off".into(),
            )),
        }
    }
}

fn text(message: &impl Members) -> Bytes {
    let mut out = Vec::with_capacity(256);
    json::write(message, &mut out);
    out.into()
}
