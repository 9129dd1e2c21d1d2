use std::cell::OnceCell;

use bytes::Bytes;
use flywheel_model::{ChannelEvent, ChannelEventKind};
use flywheel_protocol::Disconnect;
use flywheel_protocol::client::{DataForm, Encoding, NotJson, Presence, PushBody, ServerMessage};
use flywheel_stream::delta;

use smallvec::SmallVec;

use crate::framing::WireForm;
use crate::hub::Delivered;
use crate::outbox::{Outbox, Span};

/// How the payload of a publication looks in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For subscriptions without delta.
    Plain,
    /// Whole, for subscriptions with delta.
    Whole,
    /// What changed since the publication before, for subscriptions with delta.
    Patch,
}

/// The frames of one event, each made when the first client needs it.
pub(crate) struct Frames<'e> {
    event: &'e ChannelEvent,
    patch: OnceCell<Option<Bytes>>,
    /// Nearly always there are few, and the first is the one that is wanted.
    made: SmallVec<[Made; 4]>,
}

/// A frame, and how many clients got it.
struct Made {
    wire: WireForm,
    form: Form,
    frame: Result<(Span, usize), NotJson>,
    used: u64,
}

impl<'e> Frames<'e> {
    pub(crate) fn new(event: &'e ChannelEvent) -> Self {
        Self { event, patch: OnceCell::new(), made: SmallVec::new() }
    }

    /// Queues the frame that a client needs.
    ///
    /// # Errors
    /// Why the connection must end instead.
    pub(crate) fn queue(
        &mut self,
        slot: u32,
        wire: WireForm,
        form: Form,
        outbox: &mut Outbox,
    ) -> Result<(), Disconnect> {
        let form = self.available(wire.encoding, form);
        let found = self.made.iter().position(|made| made.wire == wire && made.form == form);
        let index = found.unwrap_or_else(|| {
            let frame = self.make(wire, form, outbox);
            self.made.push(Made { wire, form, frame, used: 0 });
            self.made.len() - 1
        });
        let made = &mut self.made[index];
        match made.frame {
            Ok((span, _)) => outbox.push(slot, span).map_err(|_| Disconnect::SLOW)?,
            Err(NotJson) => return Err(Disconnect::INAPPROPRIATE_PROTOCOL),
        }
        made.used += 1;
        Ok(())
    }

    fn make(&self, wire: WireForm, form: Form, outbox: &mut Outbox) -> Result<(Span, usize), NotJson> {
        let data = match (form, self.patch.get()) {
            (Form::Plain, _) => DataForm::Plain,
            (Form::Patch, Some(Some(patch))) => DataForm::Patch(patch),
            (Form::Whole | Form::Patch, _) => DataForm::Whole,
        };
        let event = self.event;
        let message = ServerMessage::push(event.channel.as_str(), body(wire.encoding, &event.kind, data)?);
        let mut length = 0;
        let span = outbox.append(|arena| length = wire.write(&message, arena));
        Ok((span, length))
    }

    /// The form that stands in for the one that is wanted: a patch that is not shorter than the whole is not sent, and
    /// in Protobuf a payload looks the same with and without delta.
    fn available(&self, encoding: Encoding, form: Form) -> Form {
        let patched = form == Form::Patch && self.patch.get_or_init(|| patch(&self.event.kind)).is_some();
        match (form, encoding) {
            (Form::Patch, _) if patched => Form::Patch,
            (Form::Plain, _) | (_, Encoding::Protobuf) => Form::Plain,
            _ => Form::Whole,
        }
    }

    pub(crate) fn delivered(&self) -> Delivered {
        let mut delivered = Delivered::default();
        for Made { wire, frame, used, .. } in &self.made {
            if let Ok((_, length)) = frame {
                let bytes = used * *length as u64;
                delivered.messages += used;
                delivered.bytes += bytes;
                let (messages_so_far, bytes_so_far) = &mut delivered.by_transport[wire.transport.index()];
                *messages_so_far += used;
                *bytes_so_far += bytes;
            }
        }
        delivered
    }
}

/// What turns the publication before into this one; `None` when there is none or it is not shorter.
fn patch(event: &ChannelEventKind) -> Option<Bytes> {
    match event {
        ChannelEventKind::Publication(publication, _, Some(base)) => {
            delta::shorter(base.data.bytes(), publication.data.bytes()).map(Bytes::from)
        }
        _ => None,
    }
}

fn body(encoding: Encoding, event: &ChannelEventKind, form: DataForm<'_>) -> Result<PushBody, NotJson> {
    Ok(match event {
        ChannelEventKind::Publication(publication, epoch, _) => {
            PushBody::Publication(Box::new(encoding.publication_in(form, publication, Some(epoch))?))
        }
        ChannelEventKind::Join(info) => PushBody::Join(Presence { info: Some(encoding.client_info(info)?) }),
        ChannelEventKind::Leave(info) => {
            PushBody::Leave(Presence { info: Some(encoding.client_info(info)?) })
        }
    })
}
