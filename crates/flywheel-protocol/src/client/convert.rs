//! From the model to the wire: how a payload appears depends on the connection's encoding.

use bytes::Bytes;
use flywheel_model as model;

use super::{ClientInfo, Encoding, Publication, StreamPosition};

/// A payload that is not JSON was to go to a JSON connection: disconnect 3506.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("payload is not JSON")]
pub struct NotJson;

impl Encoding {
    /// The bytes of `payload` as they stand in a message.
    ///
    /// # Errors
    /// [`NotJson`] when the encoding is JSON and the payload is not.
    pub fn payload(self, payload: &model::Payload) -> Result<Bytes, NotJson> {
        match self {
            Self::Json => payload.json().cloned().ok_or(NotJson),
            Self::Protobuf => Ok(payload.bytes().clone()),
        }
    }

    /// The same for a payload that may be absent, which is the empty one.
    ///
    /// # Errors
    /// As [`payload`](Self::payload).
    pub fn optional_payload(self, payload: Option<&model::Payload>) -> Result<Bytes, NotJson> {
        payload.map_or_else(|| Ok(Bytes::new()), |payload| self.payload(payload))
    }

    /// What a client sent in a member that holds application data.
    pub fn received(self, bytes: Bytes) -> model::Payload {
        match self {
            Self::Json => model::Payload::from_json(bytes),
            Self::Protobuf => model::Payload::new(bytes),
        }
    }

    /// `info` as a message.
    ///
    /// # Errors
    /// As [`payload`](Self::payload).
    pub fn client_info(self, info: &model::ClientInfo) -> Result<ClientInfo, NotJson> {
        Ok(ClientInfo {
            user: info.user.as_str().to_owned(),
            client: info.client.clone(),
            conn_info: self.optional_payload(info.conn_info.as_ref())?,
            chan_info: self.optional_payload(info.chan_info.as_ref())?,
        })
    }

    /// `publication` as a message. The one that starts a stream carries its `epoch`, no other one does.
    ///
    /// # Errors
    /// As [`payload`](Self::payload).
    pub fn publication(
        self,
        publication: &model::Publication,
        epoch: Option<&model::Epoch>,
    ) -> Result<Publication, NotJson> {
        let info = publication.info.as_deref().map(|info| self.client_info(info)).transpose()?;
        let epoch = epoch.filter(|_| publication.offset == 1);
        Ok(Publication {
            data: self.payload(&publication.data)?,
            info: info.map(Box::new),
            offset: publication.offset,
            tags: publication.tags.clone(),
            delta: false,
            epoch: epoch.map(|epoch| epoch.as_str().to_owned()).unwrap_or_default(),
        })
    }
}

impl From<StreamPosition> for model::StreamPosition {
    fn from(position: StreamPosition) -> Self {
        Self { offset: position.offset, epoch: position.epoch.as_str().into() }
    }
}
