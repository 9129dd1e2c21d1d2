//! Which publications a subscriber gets, and in which form.
//!
//! Source: client protocol, sections 5.12 and 7.

use std::sync::Arc;

use bytes::Bytes;
use flywheel_model::{ChannelOptions, Epoch, Publication, StreamPosition};
use flywheel_protocol::client::{self as wire, DataForm, Encoding, FilterNode, NotJson};
use flywheel_stream::{Filter, NodeView, delta};

use crate::subscription::Wishes;
use crate::{Deliver, Fault};

/// What a subscription lets through. Filter and delta exclude each other: a patch needs the publication before it.
#[derive(Debug)]
pub(crate) enum Intake {
    /// Everything.
    Plain,
    /// What the filter admits.
    Filtered(Box<Filter>),
    /// Everything, as patches where possible. Inside is the position of the publication that the client certainly holds,
    /// so that a patch against it can be applied; `None` when there is no such publication.
    Delta(Option<Box<StreamPosition>>),
}

impl Intake {
    /// What the channel grants of the wishes.
    ///
    /// # Errors
    /// The filter is malformed, or the channel allows none.
    pub(crate) fn new(options: &ChannelOptions, wishes: &Wishes) -> Result<Self, Fault> {
        match &wishes.filter {
            Some(_) if !options.allow_tags_filter => Err(Fault::FilterNotAllowed),
            Some(node) => Filter::new(&**node, view)
                .map(|filter| Self::Filtered(Box::new(filter)))
                .map_err(Fault::Filter),
            None if wishes.delta && options.allow_delta => Ok(Self::Delta(None)),
            None => Ok(Self::Plain),
        }
    }

    pub(crate) fn is_delta(&self) -> bool {
        matches!(self, Self::Delta(_))
    }

    pub(crate) fn filter(&self) -> Option<&Filter> {
        match self {
            Self::Filtered(filter) => Some(filter),
            Self::Plain | Self::Delta(_) => None,
        }
    }

    /// What becomes of the next live publication. `patchable`: whether a patch of it can be made.
    pub(crate) fn deliver(&mut self, publication: &Publication, epoch: &Epoch, patchable: bool) -> Deliver {
        match self {
            Self::Plain => Deliver::Yes,
            Self::Filtered(filter) if filter.admits(&publication.tags) => Deliver::Yes,
            Self::Filtered(_) => Deliver::Filtered,
            // The client will hold it, but patches are made against the stream, which does not have it.
            Self::Delta(held) if publication.offset == 0 => {
                *held = None;
                Deliver::Whole
            }
            Self::Delta(Some(held)) => {
                let follows = held.offset + 1 == publication.offset && held.epoch == *epoch;
                held.offset = publication.offset;
                if held.epoch != *epoch {
                    held.epoch = epoch.clone();
                }
                if patchable && follows { Deliver::Patch } else { Deliver::Whole }
            }
            Self::Delta(held) => {
                let (offset, epoch) = (publication.offset, epoch.clone());
                *held = Some(Box::new(StreamPosition { offset, epoch }));
                Deliver::Whole
            }
        }
    }

    /// What was recovered, as it is sent: with delta the first one whole, each other one as a patch against the one
    /// before, or whole when that is not shorter.
    ///
    /// # Errors
    /// A payload that cannot be sent to this client.
    pub(crate) fn recovered(
        &mut self,
        encoding: Encoding,
        publications: &[Arc<Publication>],
        epoch: &Epoch,
    ) -> Result<Vec<wire::Publication>, NotJson> {
        let Self::Delta(held) = self else {
            let plain = publications.iter().map(|publication| encoding.publication(publication, Some(epoch)));
            return plain.collect();
        };
        let mut sent = Vec::with_capacity(publications.len());
        let mut before: Option<&Publication> = None;
        for publication in publications {
            let patch =
                before.and_then(|before| delta::shorter(before.data.bytes(), publication.data.bytes()));
            let patch = patch.map(Bytes::from);
            let form = patch.as_ref().map_or(DataForm::Whole, DataForm::Patch);
            sent.push(encoding.publication_in(form, publication, Some(epoch))?);
            before = Some(publication);
        }
        // A client that recovered nothing may hold nothing, if it is a new process.
        *held = before.map(|last| Box::new(StreamPosition { offset: last.offset, epoch: epoch.clone() }));
        Ok(sent)
    }
}

fn view(node: &FilterNode) -> NodeView<'_, FilterNode> {
    let FilterNode { op, key, cmp, val, vals, nodes } = node;
    NodeView { op, key, cmp, val, vals, nodes }
}
