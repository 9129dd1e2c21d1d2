use std::sync::Arc;

use flywheel_model::{Epoch, Publication, StreamPosition};

/// A publication that arrived while a subscription was being set up, and the epoch of its stream.
pub type Held = (Arc<Publication>, Epoch);

/// What a new subscription starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Where the subscription stands after everything in here.
    pub position: StreamPosition,
    /// Held-back publications of the stream that continue what history had, in order.
    pub continuation: Vec<Arc<Publication>>,
    /// Held-back publications outside the stream, which have no offset and are passed on as they came.
    pub unordered: Vec<Arc<Publication>>,
}

/// Proof that something was missed between history and live delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap;

/// Continues a stream read up to `top` with what was held back meanwhile: no publication twice, none left out.
///
/// What history already had is dropped; the rest must follow `top` one by one. Order and repetition of `held` do not
/// matter.
///
/// # Errors
/// [`Gap`] when an offset is missing, or when the stream began a new life after it was read.
///
/// Source: client protocol, section 5.7, with the check of both ends that it recommends.
pub fn merge(top: StreamPosition, held: impl IntoIterator<Item = Held>) -> Result<Merged, Gap> {
    let mut continuation = Vec::new();
    let mut unordered = Vec::new();
    for (publication, epoch) in held {
        if publication.offset == 0 {
            unordered.push(publication);
        } else if !top.epoch.admits(&epoch) && !epoch.is_unknown() {
            return Err(Gap);
        } else if publication.offset > top.offset {
            continuation.push(publication);
        }
    }
    continuation.sort_by_key(|publication| publication.offset);
    continuation.dedup_by_key(|publication| publication.offset);
    let mut offset = top.offset;
    for publication in &continuation {
        offset += 1;
        if publication.offset != offset {
            return Err(Gap);
        }
    }
    Ok(Merged { position: StreamPosition { offset, epoch: top.epoch }, continuation, unordered })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flywheel_model::Payload;

    fn held(offset: u64, epoch: &str) -> Held {
        (Arc::new(Publication { offset, ..Publication::of(Payload::from("1")) }), Epoch::from(epoch))
    }

    fn check(top: u64, offsets: &[u64], expected: Result<(&[u64], u64), Gap>) {
        let top = StreamPosition { offset: top, epoch: Epoch::from("e") };
        let merged = merge(top, offsets.iter().map(|offset| held(*offset, "e")));
        let seen = merged.map(|merged| {
            let offsets: Vec<_> = merged.continuation.iter().map(|publication| publication.offset).collect();
            (offsets, merged.position.offset)
        });
        let expected = expected.map(|(offsets, position)| (offsets.to_vec(), position));
        assert_eq!(seen, expected, "{offsets:?}");
    }

    #[test]
    fn what_history_had_is_dropped_and_the_rest_continues_it() {
        check(3, &[], Ok((&[], 3)));
        check(3, &[2, 3], Ok((&[], 3)));
        check(3, &[3, 4, 5], Ok((&[4, 5], 5)));
        check(0, &[1], Ok((&[1], 1)));
    }

    #[test]
    fn disorder_and_repetition_do_not_matter() {
        check(3, &[5, 4, 4, 3, 5], Ok((&[4, 5], 5)));
    }

    #[test]
    fn a_hole_anywhere_is_a_gap() {
        check(3, &[5], Err(Gap));
        check(3, &[4, 6], Err(Gap));
    }

    #[test]
    fn a_new_life_of_the_stream_is_a_gap_and_publications_outside_it_are_not() {
        let top = StreamPosition { offset: 3, epoch: Epoch::from("e") };
        assert_eq!(merge(top.clone(), [held(1, "f")]), Err(Gap));
        let merged = merge(top, [held(0, ""), held(4, "e")]).unwrap();
        assert_eq!((merged.unordered.len(), merged.continuation.len()), (1, 1));
    }
}
