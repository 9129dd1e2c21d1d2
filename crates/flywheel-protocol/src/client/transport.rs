/// What carries the messages of a connection.
///
/// Source: client protocol, sections 2, 8 and 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A WebSocket, both ways.
    WebSocket,
    /// Server-sent events; commands come in requests of their own.
    Sse,
    /// The body of a response that does not end; commands come in requests of their own.
    HttpStream,
    /// A WebSocket on which only the server speaks.
    UniWebSocket,
    /// Server-sent events alone.
    UniSse,
    /// The body of a response that does not end, alone.
    UniHttpStream,
}

impl Transport {
    /// All, in the order of their index.
    pub const ALL: [Self; 6] =
        [Self::WebSocket, Self::Sse, Self::HttpStream, Self::UniWebSocket, Self::UniSse, Self::UniHttpStream];

    /// Position in [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        self as usize
    }

    /// As backends are told.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
            Self::HttpStream => "http_stream",
            Self::UniWebSocket => "uni_websocket",
            Self::UniSse => "uni_sse",
            Self::UniHttpStream => "uni_http_stream",
        }
    }

    /// Whether the client says nothing after its connect request, and is sent bare pushes.
    pub const fn is_unidirectional(self) -> bool {
        matches!(self, Self::UniWebSocket | Self::UniSse | Self::UniHttpStream)
    }

    /// Whether commands come in requests of their own.
    pub const fn is_emulated(self) -> bool {
        matches!(self, Self::Sse | Self::HttpStream)
    }

    /// Whether it is a WebSocket; otherwise the body of an HTTP response.
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::WebSocket | Self::UniWebSocket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_finds_its_transport() {
        for transport in Transport::ALL {
            assert_eq!(Transport::ALL[transport.index()], transport);
        }
    }
}
