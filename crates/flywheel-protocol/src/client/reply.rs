use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use super::Encoding;
use super::message::{
    ConnectResult, DisconnectPush, Empty, ErrorReply, HistoryResult, Presence, PresenceResult,
    PresenceStatsResult, Publication, RefreshPush, RefreshResult, RpcResult, SubRefreshResult, SubscribePush,
    SubscribeResult, UnsubscribePush,
};
use crate::ErrorCode;
use crate::json::{Members, WriteField, write_member, write_string};

/// Whatever a server sends to a client: answers, pushes and pings.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerMessage {
    /// Answer to a command.
    Reply(Reply),
    /// Sent unasked.
    Push(Push),
    /// A reply with no member at all.
    Ping,
}

/// Answer to a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The command's id.
    pub id: u32,
    /// Result or error.
    pub body: ReplyBody,
}

macro_rules! bodies {
    ($(#[$doc:meta])* $body:ident { $($variant:ident($message:ty) $name:literal $tag:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "a variant is named like its member on the wire")]
        pub enum $body { $($variant($message),)* }

        impl $body {
            fn name_and_tag(&self) -> (&'static str, u32) {
                match self { $(Self::$variant(_) => ($name, $tag),)* }
            }

            fn write_member(&self, first: &mut bool, out: &mut Vec<u8>) {
                write_member(out, first, self.name_and_tag().0);
                match self { $(Self::$variant(message) => Members::write(message, out),)* }
            }

            fn protobuf_len(&self) -> usize {
                match self { $(Self::$variant(message) => message.encoded_len(),)* }
            }

            fn write_protobuf(&self, out: &mut Vec<u8>) {
                match self { $(Self::$variant(message) => message.encode_raw(out),)* }
            }
        }
    };
}

bodies! {
    /// What a command came to.
    ReplyBody {
        Error(ErrorReply) "error" 2,
        Connect(Box<ConnectResult>) "connect" 5,
        Subscribe(Box<SubscribeResult>) "subscribe" 6,
        Unsubscribe(Empty) "unsubscribe" 7,
        Publish(Empty) "publish" 8,
        Presence(PresenceResult) "presence" 9,
        PresenceStats(PresenceStatsResult) "presence_stats" 10,
        History(HistoryResult) "history" 11,
        Rpc(RpcResult) "rpc" 13,
        Refresh(RefreshResult) "refresh" 14,
        SubRefresh(SubRefreshResult) "sub_refresh" 15,
    }
}

bodies! {
    /// What a push is about.
    PushBody {
        Publication(Box<Publication>) "pub" 4,
        Join(Presence) "join" 5,
        Leave(Presence) "leave" 6,
        Unsubscribe(UnsubscribePush) "unsubscribe" 7,
        Subscribe(SubscribePush) "subscribe" 9,
        Disconnect(DisconnectPush) "disconnect" 11,
        Refresh(RefreshPush) "refresh" 12,
    }
}

/// Sent unasked.
#[derive(Debug, Clone, PartialEq)]
pub struct Push {
    /// Which channel it concerns; empty for `disconnect` and `refresh`.
    pub channel: String,
    /// What happened.
    pub body: PushBody,
}

const REPLY_ID: u32 = 1;
const REPLY_PUSH: u32 = 4;
const PUSH_CHANNEL: u32 = 2;

impl From<ErrorCode> for ReplyBody {
    fn from(error: ErrorCode) -> Self {
        let ErrorCode { code, message, temporary } = error;
        Self::Error(ErrorReply { code, message: message.into_owned(), temporary })
    }
}

impl Push {
    fn write_members(&self, out: &mut Vec<u8>) {
        let mut first = true;
        if !self.channel.is_empty() {
            write_member(out, &mut first, "channel");
            write_string(&self.channel, out);
        }
        self.body.write_member(&mut first, out);
    }
}

impl ServerMessage {
    /// The push `body` about `channel`.
    pub fn push(channel: &str, body: PushBody) -> Self {
        Self::Push(Push { channel: channel.to_owned(), body })
    }

    /// Appends the message as one transport message: a JSON object, or a Protobuf message after its length.
    pub fn write(&self, encoding: Encoding, out: &mut Vec<u8>) {
        match encoding {
            Encoding::Json => self.write_json(out),
            Encoding::Protobuf => self.write_delimited(out),
        }
    }

    /// Appends the message in JSON as clients get it that say nothing: a bare push.
    ///
    /// Source: client protocol, section 9.
    pub fn write_bare(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        match self {
            Self::Ping => {}
            Self::Reply(reply) => reply.body.write_member(&mut true, out),
            Self::Push(push) => push.write_members(out),
        }
        out.push(b'}');
    }

    /// Name of the message as metrics label it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Reply(reply) => reply.body.name_and_tag().0,
            Self::Ping => "server_ping",
            Self::Push(push) => match push.body {
                PushBody::Publication(_) => "push_publication",
                PushBody::Join(_) => "push_join",
                PushBody::Leave(_) => "push_leave",
                PushBody::Unsubscribe(_) => "push_unsubscribe",
                PushBody::Subscribe(_) => "push_subscribe",
                PushBody::Disconnect(_) => "push_disconnect",
                PushBody::Refresh(_) => "push_refresh",
            },
        }
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut first = true;
        match self {
            Self::Ping => {}
            Self::Reply(reply) => {
                if reply.id != 0 {
                    write_member(out, &mut first, "id");
                    WriteField::write(&reply.id, out);
                }
                reply.body.write_member(&mut first, out);
            }
            Self::Push(push) => {
                out.extend_from_slice(b"\"push\":{");
                push.write_members(out);
                out.push(b'}');
            }
        }
        out.push(b'}');
    }

    fn write_delimited(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ping => out.push(0),
            Self::Reply(reply) => {
                let (_, tag) = reply.body.name_and_tag();
                let body = reply.body.protobuf_len();
                encode_varint((uint_len(REPLY_ID, reply.id) + nested_len(tag, body)) as u64, out);
                if reply.id != 0 {
                    prost::encoding::uint32::encode(REPLY_ID, &reply.id, out);
                }
                begin_nested(tag, body, out);
                reply.body.write_protobuf(out);
            }
            Self::Push(push) => {
                let (_, tag) = push.body.name_and_tag();
                let body = push.body.protobuf_len();
                let channel =
                    if push.channel.is_empty() { 0 } else { nested_len(PUSH_CHANNEL, push.channel.len()) };
                let inner = channel + nested_len(tag, body);
                encode_varint(nested_len(REPLY_PUSH, inner) as u64, out);
                begin_nested(REPLY_PUSH, inner, out);
                if !push.channel.is_empty() {
                    begin_nested(PUSH_CHANNEL, push.channel.len(), out);
                    out.extend_from_slice(push.channel.as_bytes());
                }
                begin_nested(tag, body, out);
                push.body.write_protobuf(out);
            }
        }
    }
}

fn uint_len(tag: u32, value: u32) -> usize {
    if value == 0 { 0 } else { key_len(tag) + encoded_len_varint(u64::from(value)) }
}

fn nested_len(tag: u32, length: usize) -> usize {
    key_len(tag) + encoded_len_varint(length as u64) + length
}

fn begin_nested(tag: u32, length: usize, out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
}

#[cfg(test)]
mod tests {
    use super::super::ClientInfo;
    use super::*;

    fn hex(message: &ServerMessage) -> String {
        let mut out = Vec::new();
        message.write(Encoding::Protobuf, &mut out);
        out.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
    }

    fn json(message: &ServerMessage) -> String {
        let mut out = Vec::new();
        message.write(Encoding::Json, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_bare_push_has_neither_id_nor_wrapper() {
        let bare = |message: ServerMessage| {
            let mut out = Vec::new();
            message.write_bare(&mut out);
            String::from_utf8(out).unwrap()
        };
        let connect = ConnectResult { client: "c1".into(), ..Default::default() };
        assert_eq!(bare(reply(1, ReplyBody::Connect(Box::new(connect)))), r#"{"connect":{"client":"c1"}}"#);
        let publication = Publication { data: "1".into(), ..Default::default() };
        let push = ServerMessage::push("news", PushBody::Publication(Box::new(publication)));
        assert_eq!(bare(push), r#"{"channel":"news","pub":{"data":1}}"#);
        let disconnect = DisconnectPush { code: 3503, reason: "force disconnect".into() };
        let push = ServerMessage::push("", PushBody::Disconnect(disconnect));
        assert_eq!(bare(push), r#"{"disconnect":{"code":3503,"reason":"force disconnect"}}"#);
        assert_eq!(bare(ServerMessage::Ping), "{}");
    }

    fn reply(id: u32, body: ReplyBody) -> ServerMessage {
        ServerMessage::Reply(Reply { id, body })
    }

    /// The examples of client protocol, appendix B.
    #[test]
    fn replies_have_the_bytes_of_the_protocols_examples() {
        let connect = ConnectResult {
            client: "c1".into(),
            version: "0.1.0".into(),
            ping: 25,
            pong: true,
            ..Default::default()
        };
        assert_eq!(
            hex(&reply(1, ReplyBody::Connect(Box::new(connect)))),
            "13 08 01 2a 0f 0a 02 63 31 12 05 30 2e 31 2e 30 38 19 40 01"
        );
        assert_eq!(hex(&reply(2, ReplyBody::Subscribe(Box::default()))), "04 08 02 32 00");
        assert_eq!(
            hex(&reply(4, ErrorCode::PERMISSION_DENIED.into())),
            "19 08 04 12 15 08 67 12 11 70 65 72 6d 69 73 73 69 6f 6e 20 64 65 6e 69 65 64"
        );
        assert_eq!(hex(&ServerMessage::Ping), "00");
        let recovered = SubscribeResult {
            recoverable: true,
            epoch: "AbCdEfGh".into(),
            publications: vec![Publication { data: "x".into(), offset: 301, ..Default::default() }],
            recovered: true,
            offset: 300,
            positioned: true,
            was_recovering: true,
            ..Default::default()
        };
        assert_eq!(
            hex(&reply(5, ReplyBody::Subscribe(Box::new(recovered)))),
            "21 08 05 32 1d 18 01 32 08 41 62 43 64 45 66 47 68 3a 06 22 01 78 30 ad 02 40 01 48 ac 02 50 01 60 01"
        );
    }

    #[test]
    fn pushes_have_the_bytes_of_the_protocols_examples() {
        let info = ClientInfo { user: "7".into(), client: "c1".into(), ..Default::default() };
        let publication =
            Publication { data: "{\"k\":1}".into(), info: Some(Box::new(info)), ..Default::default() };
        let push = ServerMessage::push("chat", PushBody::Publication(Box::new(publication)));
        assert_eq!(
            hex(&push),
            "1c 22 1a 12 04 63 68 61 74 22 12 22 07 7b 22 6b 22 3a 31 7d 2a 07 0a 01 37 12 02 63 31"
        );
        assert_eq!(
            json(&push),
            r#"{"push":{"channel":"chat","pub":{"data":{"k":1},"info":{"user":"7","client":"c1"}}}}"#
        );
        let lost = UnsubscribePush { code: 2500, reason: "insufficient state".into() };
        assert_eq!(
            hex(&ServerMessage::push("chat", PushBody::Unsubscribe(lost))),
            "21 22 1f 12 04 63 68 61 74 3a 17 10 c4 13 1a 12 69 6e 73 75 66 66 69 63 69 65 6e 74 20 73 74 61 74 65"
        );
    }

    #[test]
    fn zero_members_are_left_out_except_those_that_sdks_miss() {
        assert_eq!(json(&ServerMessage::Ping), "{}");
        assert_eq!(json(&reply(2, ReplyBody::Subscribe(Box::default()))), r#"{"id":2,"subscribe":{}}"#);
        assert_eq!(
            json(&reply(2, ReplyBody::Presence(PresenceResult::default()))),
            r#"{"id":2,"presence":{"presence":{}}}"#
        );
        assert_eq!(
            json(&reply(2, ReplyBody::PresenceStats(PresenceStatsResult::default()))),
            r#"{"id":2,"presence_stats":{"num_clients":0,"num_users":0}}"#
        );
        assert_eq!(
            json(&reply(2, ReplyBody::History(HistoryResult::default()))),
            r#"{"id":2,"history":{"publications":[],"epoch":"","offset":0}}"#
        );
        let join = Presence { info: Some(ClientInfo::default()) };
        assert_eq!(
            json(&ServerMessage::push("a", PushBody::Join(join))),
            r#"{"push":{"channel":"a","join":{"info":{"user":"","client":""}}}}"#
        );
    }

    #[test]
    fn errors_carry_code_and_message() {
        assert_eq!(
            json(&reply(3, ErrorCode::INTERNAL.into())),
            r#"{"id":3,"error":{"code":100,"message":"internal server error","temporary":true}}"#
        );
    }
}
