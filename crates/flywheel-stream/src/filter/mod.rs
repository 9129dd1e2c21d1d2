//! Which publications a subscriber wants, by their tags.
//!
//! Source: client protocol, section 5.12.

mod decimal;
mod validate;

use std::cmp::Ordering;

use flywheel_model::Tags;

use decimal::Decimal;
pub use validate::{InvalidFilter, NodeView};

/// A condition on the tags of a publication, known to be well-formed. Made by [`Filter::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Node);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    All(Box<[Node]>),
    Any(Box<[Node]>),
    Not(Box<Node>),
    Tag(Box<str>, Test),
}

/// What a tag must be like. Except for the negative ones, a missing tag never is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Equal(Box<str>),
    NotEqual(Box<str>),
    /// Sorted. A missing tag counts as the empty text.
    In(Box<[Box<str>]>),
    /// Likewise.
    NotIn(Box<[Box<str>]>),
    Exists,
    Missing,
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Contains(Box<str>),
    Compares(Comparison, Box<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Filter {
    /// Whether a publication with these tags is wanted.
    pub fn admits(&self, tags: &Tags) -> bool {
        self.0.admits(tags)
    }
}

impl Node {
    /// As deep as the filter is, which [`Filter::new`] bounds.
    fn admits(&self, tags: &Tags) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.admits(tags)),
            Self::Any(nodes) => nodes.iter().any(|node| node.admits(tags)),
            Self::Not(node) => !node.admits(tags),
            Self::Tag(key, test) => test.admits(tags.get(&**key).map(String::as_str)),
        }
    }
}

impl Test {
    fn admits(&self, tag: Option<&str>) -> bool {
        let has = |list: &[Box<str>]| {
            let value = tag.unwrap_or_default();
            list.binary_search_by(|listed| (**listed).cmp(value)).is_ok()
        };
        match self {
            Self::Equal(value) => tag == Some(value),
            Self::NotEqual(value) => tag != Some(value),
            Self::In(list) => has(list),
            Self::NotIn(list) => !has(list),
            Self::Exists => tag.is_some(),
            Self::Missing => tag.is_none(),
            Self::StartsWith(text) => tag.is_some_and(|tag| tag.starts_with(&**text)),
            Self::EndsWith(text) => tag.is_some_and(|tag| tag.ends_with(&**text)),
            Self::Contains(text) => tag.is_some_and(|tag| tag.contains(&**text)),
            Self::Compares(comparison, value) => {
                let tag = tag.and_then(Decimal::parse);
                tag.zip(Decimal::parse(value)).is_some_and(|(tag, value)| comparison.admits(tag.cmp(&value)))
            }
        }
    }
}

impl Comparison {
    fn admits(self, order: Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }
}

#[cfg(test)]
mod tests;
