use std::cell::OnceCell;

use bytes::Bytes;
use flywheel_model::{ChannelEvent, ChannelEventKind};
use flywheel_protocol::Disconnect;
use flywheel_protocol::client::{DataForm, Encoding, NotJson, Presence, PushBody, ServerMessage};
use flywheel_stream::delta;
use flywheel_websocket::Deflate;

use smallvec::SmallVec;

use crate::framing::WireForm;
use crate::hub::Delivered;
use crate::outbox::{Outbox, Span};
use crate::packer::Packer;

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

/// How a client wants its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) wire: WireForm,
    /// Set when it takes compressed ones.
    pub(crate) deflate: Option<Deflate>,
}

/// The frames of one event, each made when the first client needs it.
pub(crate) struct Frames<'e> {
    event: &'e ChannelEvent,
    patch: OnceCell<Option<Bytes>>,
    /// Nearly always there are few, and the first is the one that is wanted.
    made: SmallVec<[Shared; 4]>,
    /// What the last client got: the next one nearly always wants the same.
    last: Option<Last>,
}

/// What a client wanted, and what it got.
struct Last {
    look: Look,
    form: Form,
    span: Span,
    /// Clients that got it without a search, which are not counted elsewhere yet.
    repeated: u64,
    index: usize,
}

/// What the clients of one form get, and how many of them have.
struct Shared {
    wire: WireForm,
    form: Form,
    made: Option<Result<Made, NotJson>>,
    used: u64,
}

/// The frames of one form.
#[derive(Debug, Clone, Copy)]
struct Made {
    /// Bytes of the message.
    length: usize,
    plain: Option<Span>,
    /// The compressed one, or the plain one again if that is no longer.
    packed: Option<Span>,
}

impl Made {
    /// The frame for a client, if it is there.
    fn span(&self, deflate: Option<Deflate>) -> Option<Span> {
        match deflate {
            Some(deflate) if deflate.fits(self.length) => self.packed,
            _ => self.plain,
        }
    }
}

impl<'e> Frames<'e> {
    pub(crate) fn new(event: &'e ChannelEvent) -> Self {
        Self { event, patch: OnceCell::new(), made: SmallVec::new(), last: None }
    }

    /// Queues the frame that a client needs.
    ///
    /// # Errors
    /// Why the connection must end instead.
    pub(crate) fn queue(
        &mut self,
        slot: u32,
        look: Look,
        form: Form,
        outbox: &mut Outbox,
        packer: &mut Packer,
    ) -> Result<(), Disconnect> {
        if let Some(last) = &mut self.last
            && last.form == form
            && last.look == look
        {
            outbox.push(slot, last.span).map_err(|_| Disconnect::SLOW)?;
            last.repeated += 1;
            return Ok(());
        }
        let wanted = form;
        let form = self.available(look.wire.encoding, form);
        let found = self.made.iter().position(|shared| shared.wire == look.wire && shared.form == form);
        let index = found.unwrap_or_else(|| {
            self.made.push(Shared { wire: look.wire, form, made: None, used: 0 });
            self.made.len() - 1
        });
        let made = match self.made[index].made {
            Some(Ok(made)) => made.span(look.deflate),
            Some(Err(NotJson)) => return Err(Disconnect::INAPPROPRIATE_PROTOCOL),
            None => None,
        };
        let span = match made {
            Some(span) => span,
            None => self.make(index, look, form, outbox, packer)?,
        };
        outbox.push(slot, span).map_err(|_| Disconnect::SLOW)?;
        self.made[index].used += 1;
        self.count_repeated();
        self.last = Some(Last { look, form: wanted, span, repeated: 0, index });
        Ok(())
    }

    fn count_repeated(&mut self) {
        if let Some(last) = &mut self.last {
            self.made[last.index].used += std::mem::take(&mut last.repeated);
        }
    }

    /// Makes the frame that a client needs and that is not there yet.
    fn make(
        &mut self,
        index: usize,
        look: Look,
        form: Form,
        outbox: &mut Outbox,
        packer: &mut Packer,
    ) -> Result<Span, Disconnect> {
        let Look { wire, deflate } = look;
        let event = self.event;
        let data = match (form, self.patch.get()) {
            (Form::Plain, _) => DataForm::Plain,
            (Form::Patch, Some(Some(patch))) => DataForm::Patch(patch),
            (Form::Whole | Form::Patch, _) => DataForm::Whole,
        };
        let body = body(wire.encoding, &event.kind, data).map_err(|error| {
            self.made[index].made = Some(Err(error));
            Disconnect::INAPPROPRIATE_PROTOCOL
        })?;
        let message = ServerMessage::push(event.channel.as_str(), body);
        let (mut length, mut packed) = (0, false);
        let span = outbox.append(|arena| match deflate {
            Some(deflate) => (length, packed) = packer.write(deflate, wire, &message, arena),
            None => length = wire.write(&message, arena),
        });
        let made = self.made[index].made.take().and_then(Result::ok);
        let mut made = made.unwrap_or(Made { length, plain: None, packed: None });
        if packed {
            made.packed = Some(span);
        } else {
            let plain = *made.plain.get_or_insert(span);
            if deflate.is_some_and(|deflate| deflate.fits(length)) {
                made.packed = Some(plain);
            }
        }
        self.made[index].made = Some(Ok(made));
        Ok(span)
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

    pub(crate) fn delivered(mut self) -> Delivered {
        self.count_repeated();
        let mut delivered = Delivered::default();
        for Shared { wire, made, used, .. } in &self.made {
            if let Some(Ok(made)) = made {
                let bytes = used * made.length as u64;
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
