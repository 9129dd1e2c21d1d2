//! From the model to the wire: how a payload appears depends on the connection's encoding.

use bytes::Bytes;
use flywheel_model as model;

use super::{ClientInfo, Encoding, Publication, StreamPosition};
use crate::json::write_string;

/// A payload that is not JSON was to go to a JSON connection: disconnect 3506.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("payload is not JSON")]
pub struct NotJson;

/// How the data of a publication travel.
///
/// Source: client protocol, sections 7.2 and 7.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataForm<'p> {
    /// As they are: for subscriptions without delta.
    Plain,
    /// As they are, for subscriptions with delta, in JSON as a string: what the next patch is applied to.
    Whole,
    /// The same, but this patch against the publication before. In JSON it must be UTF-8; otherwise the data are whole.
    Patch(&'p Bytes),
}

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
        self.publication_in(DataForm::Plain, publication, epoch)
    }

    /// The same with its data in one of several forms.
    ///
    /// # Errors
    /// [`NotJson`] when the encoding is JSON and the payload is not, or not even UTF-8 where that would do.
    pub fn publication_in(
        self,
        form: DataForm<'_>,
        publication: &model::Publication,
        epoch: Option<&model::Epoch>,
    ) -> Result<Publication, NotJson> {
        let (data, delta) = self.data_in(form, &publication.data)?;
        let info = publication.info.as_deref().map(|info| self.client_info(info)).transpose()?;
        // With delta, JSON clients are not told the epoch here: the worked example A.18 has it so, and they know it.
        let tells_epoch = self == Self::Protobuf || matches!(form, DataForm::Plain);
        let epoch = epoch.filter(|_| publication.offset == 1 && tells_epoch);
        Ok(Publication {
            data,
            info: info.map(Box::new),
            offset: publication.offset,
            tags: publication.tags.clone(),
            delta,
            epoch: epoch.map(|epoch| epoch.as_str().to_owned()).unwrap_or_default(),
        })
    }

    /// The data and whether they are a patch.
    fn data_in(self, form: DataForm<'_>, payload: &model::Payload) -> Result<(Bytes, bool), NotJson> {
        match (self, form) {
            (_, DataForm::Plain) | (Self::Protobuf, DataForm::Whole) => Ok((self.payload(payload)?, false)),
            (Self::Protobuf, DataForm::Patch(patch)) => Ok((patch.clone(), true)),
            (Self::Json, DataForm::Whole) => Ok((json_string(payload.bytes()).ok_or(NotJson)?, false)),
            (Self::Json, DataForm::Patch(patch)) => match json_string(patch) {
                Some(string) => Ok((string, true)),
                None => self.data_in(DataForm::Whole, payload),
            },
        }
    }
}

/// `None` when `bytes` are no text.
fn json_string(bytes: &[u8]) -> Option<Bytes> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut string = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 2);
    write_string(text, &mut string);
    Some(string.into())
}

impl From<StreamPosition> for model::StreamPosition {
    fn from(position: StreamPosition) -> Self {
        Self { offset: position.offset, epoch: position.epoch.as_str().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `None` for a payload that cannot travel so.
    fn check(encoding: Encoding, form: DataForm<'_>, data: &'static [u8], expected: Option<(&[u8], bool)>) {
        let publication = model::Publication::of(model::Payload::new(Bytes::from_static(data)));
        let got = encoding.publication_in(form, &publication, None).ok();
        let got = got.as_ref().map(|publication| (&publication.data[..], publication.delta));
        assert_eq!(got, expected, "{encoding:?} {form:?} {data:?}");
    }

    #[test]
    fn with_delta_the_data_of_json_connections_are_strings() {
        let patch = Bytes::from_static(b"1\n1:a0;");
        let data = "{\n\"a\": \"<ü>\"}".as_bytes();
        check(Encoding::Json, DataForm::Plain, data, Some(("{\"a\": \"<ü>\"}".as_bytes(), false)));
        let string = r#""{\n\"a\": \"\u003cü\u003e\"}""#;
        check(Encoding::Json, DataForm::Whole, data, Some((string.as_bytes(), false)));
        check(Encoding::Json, DataForm::Patch(&patch), data, Some((br#""1\n1:a0;""#, true)));
    }

    #[test]
    fn on_protobuf_connections_the_data_are_bytes() {
        let patch = Bytes::from_static(b"1\n1:\xff0;");
        for (form, expected) in [
            (DataForm::Plain, (&b"\xff"[..], false)),
            (DataForm::Whole, (b"\xff", false)),
            (DataForm::Patch(&patch), (&patch, true)),
        ] {
            check(Encoding::Protobuf, form, b"\xff", Some(expected));
        }
    }

    #[test]
    fn in_json_a_patch_that_is_no_text_gives_way_to_the_whole_and_that_must_be_text() {
        let patch = Bytes::from_static(b"1\n1:\xc30;");
        check(Encoding::Json, DataForm::Patch(&patch), b"no JSON", Some((br#""no JSON""#, false)));
        check(Encoding::Json, DataForm::Whole, b"\xff", None);
        check(Encoding::Json, DataForm::Patch(&patch), b"\xff", None);
        check(Encoding::Json, DataForm::Plain, b"no JSON", None);
    }
}
