//! Messages between the server and the application's backend in JSON.
//!
//! Source: server API, sections 6 and 7: members as in its tables, in their order.
#![expect(missing_docs, reason = "a member means what its table in the proxy protocol says")]

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::api::SubscribeOptionOverride;
use crate::json::{members, messages};

/// The answer to each call: one of three members.
macro_rules! responses {
    ($($name:ident($result:ty);)*) => {$(
        #[doc = concat!("What a backend answers to [`", stringify!($result), "`]'s request.")]
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name {
            pub result: Option<$result>,
            pub error: Option<Error>,
            pub disconnect: Option<Disconnect>,
        }

        members!($name { result, error, disconnect });

        impl Response for $name {
            type Result = $result;

            fn into_parts(self) -> (Option<Disconnect>, Option<Error>, Option<$result>) {
                (self.disconnect, self.error, self.result)
            }
        }
    )*};
}

/// What every answer has in common.
pub trait Response: crate::json::Members {
    /// What it carries when the backend agrees.
    type Result: 'static;

    /// In the order in which they count.
    fn into_parts(self) -> (Option<Disconnect>, Option<Error>, Option<Self::Result>);
}

messages! {
    Error {
        code: u32,
        message: String,
        temporary: bool,
    }
    Disconnect {
        code: u32,
        reason: String,
    }
    ConnectRequest {
        client: String,
        transport: String,
        protocol: String,
        encoding: String,
        data: Bytes,
        b64data: String,
        name: String,
        version: String,
        channels: Vec<String>,
    }
    ConnectResult {
        user: String,
        expire_at: i64,
        info: Bytes,
        b64info: String,
        data: Bytes,
        b64data: String,
        channels: Vec<String>,
        subs: BTreeMap<String, SubscribeOptions>,
        meta: Bytes,
    }
    SubscribeOptions {
        expire_at: i64,
        info: Bytes,
        b64info: String,
        data: Bytes,
        b64data: String,
        override_: Option<SubscribeOptionOverride>,
    }
    RefreshRequest {
        client: String,
        transport: String,
        protocol: String,
        encoding: String,
        user "always": String,
        meta: Bytes,
    }
    RefreshResult {
        expired: bool,
        expire_at: i64,
        info: Bytes,
        b64info: String,
        meta: Bytes,
    }
    SubscribeRequest {
        client: String,
        transport: String,
        protocol: String,
        encoding: String,
        user "always": String,
        channel: String,
        token: String,
        meta: Bytes,
        data: Bytes,
        b64data: String,
    }
    SubscribeResult {
        expire_at: i64,
        info: Bytes,
        b64info: String,
        data: Bytes,
        b64data: String,
        override_: Option<SubscribeOptionOverride>,
    }
    PublishRequest {
        client: String,
        transport: String,
        protocol: String,
        encoding: String,
        user "always": String,
        channel: String,
        data: Bytes,
        b64data: String,
        meta: Bytes,
    }
    PublishResult {
        data: Bytes,
        b64data: String,
        skip_history: bool,
        tags: BTreeMap<String, String>,
        idempotency_key: String,
        delta: bool,
        version: u64,
        version_epoch: String,
    }
    RpcRequest {
        client: String,
        transport: String,
        protocol: String,
        encoding: String,
        user "always": String,
        method: String,
        data: Bytes,
        b64data: String,
        meta: Bytes,
    }
    RpcResult {
        data: Bytes,
        b64data: String,
    }
    SubRefreshRequest {
        client: String,
        transport: String,
        protocol: String,
        encoding: String,
        user "always": String,
        channel: String,
        meta: Bytes,
    }
    SubRefreshResult {
        expired: bool,
        expire_at: i64,
        info: Bytes,
        b64info: String,
    }
}

responses! {
    ConnectResponse(ConnectResult);
    RefreshResponse(RefreshResult);
    SubscribeResponse(SubscribeResult);
    PublishResponse(PublishResult);
    RpcResponse(RpcResult);
    SubRefreshResponse(SubRefreshResult);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn a_request_has_the_members_of_the_worked_examples_and_always_a_user() {
        let request = RpcRequest {
            client: "c1".into(),
            transport: "sse".into(),
            protocol: "json".into(),
            encoding: "json".into(),
            method: "profile:get".into(),
            data: Bytes::from_static(b"{}"),
            ..RpcRequest::default()
        };
        let mut text = Vec::new();
        json::write(&request, &mut text);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            r#"{"client":"c1","transport":"sse","protocol":"json","encoding":"json","user":"","method":"profile:get","data":{}}"#
        );
    }

    #[test]
    fn an_answer_is_read_whatever_else_is_in_it() {
        let text = br#"{"result":{"user":"42","subs":{"a":{"override":{"presence":{"value":true}}}},"new":1},"x":[]}"#;
        let response: ConnectResponse = json::from_slice(text).unwrap();
        let result = response.result.unwrap();
        assert_eq!(result.user, "42");
        assert!(result.subs["a"].override_.as_ref().unwrap().presence.as_ref().unwrap().value);
        assert_eq!(json::from_slice::<ConnectResponse>(b"null").unwrap(), ConnectResponse::default());
        for garbage in ["", "{} {}", "[]", r#"{"result":{"user":5}}"#, r#"{"error":{"code":-1}}"#, "<html>"] {
            assert!(json::from_slice::<ConnectResponse>(garbage.as_bytes()).is_err(), "{garbage}");
        }
    }
}
