use super::{Comparison, Filter, Node, Test};

/// Deeper filters are refused.
const DEPTH_MAX: usize = 32;

/// Larger filters are refused: each node costs time for each publication and subscriber.
const NODES_MAX: usize = 1000;

/// A node of a filter as a client sent it, wherever its parts are kept.
#[derive(Debug)]
pub struct NodeView<'n, N> {
    /// Empty for a comparison, else `and`, `or` or `not`.
    pub op: &'n str,
    /// Which tag a comparison looks at.
    pub key: &'n str,
    /// How it compares.
    pub cmp: &'n str,
    /// With what.
    pub val: &'n str,
    /// With what, where it can be one of many.
    pub vals: &'n [String],
    /// What an operation combines.
    pub nodes: &'n [N],
}

/// Why a filter is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFilter {
    /// Neither `and`, `or` nor `not`.
    #[error("unknown operation")]
    Operation,
    /// `not` has not exactly one child, or another operation none.
    #[error("wrong number of children")]
    Children,
    /// A comparison says not how, or what is unknown.
    #[error("unknown comparison")]
    Comparison,
    /// A comparison with a value names no tag.
    #[error("missing key")]
    Key,
    /// `val` or `vals` is missing, or there although the comparison has no use for it.
    #[error("missing or superfluous value")]
    Value,
    /// More than 32 levels or 1000 nodes.
    #[error("too large")]
    TooLarge,
}

impl Filter {
    /// Checks a filter that `view` makes readable.
    ///
    /// # Errors
    /// [`InvalidFilter`]
    pub fn new<N>(root: &N, view: fn(&N) -> NodeView<'_, N>) -> Result<Self, InvalidFilter> {
        Validation { view, nodes_left: NODES_MAX }.node(root, DEPTH_MAX).map(Self)
    }
}

struct Validation<N> {
    view: fn(&N) -> NodeView<'_, N>,
    nodes_left: usize,
}

impl<N> Validation<N> {
    fn node(&mut self, node: &N, levels_left: usize) -> Result<Node, InvalidFilter> {
        let levels_left = levels_left.checked_sub(1).ok_or(InvalidFilter::TooLarge)?;
        self.nodes_left = self.nodes_left.checked_sub(1).ok_or(InvalidFilter::TooLarge)?;
        let view = (self.view)(node);
        let mut children =
            || view.nodes.iter().map(|child| self.node(child, levels_left)).collect::<Result<_, _>>();
        match view.op {
            "" => comparison(&view),
            "and" | "or" if view.nodes.is_empty() => Err(InvalidFilter::Children),
            "and" => Ok(Node::All(children()?)),
            "or" => Ok(Node::Any(children()?)),
            "not" => match view.nodes {
                [child] => Ok(Node::Not(Box::new(self.node(child, levels_left)?))),
                _ => Err(InvalidFilter::Children),
            },
            _ => Err(InvalidFilter::Operation),
        }
    }
}

fn comparison<N>(view: &NodeView<'_, N>) -> Result<Node, InvalidFilter> {
    let test = match view.cmp {
        "eq" => Test::Equal(value(view)?),
        "neq" => Test::NotEqual(value(view)?),
        "in" => Test::In(list(view)?),
        "nin" => Test::NotIn(list(view)?),
        "ex" => without_value(view, Test::Exists)?,
        "nex" => without_value(view, Test::Missing)?,
        "sw" => Test::StartsWith(value(view)?),
        "ew" => Test::EndsWith(value(view)?),
        "ct" => Test::Contains(value(view)?),
        "gt" => Test::Compares(Comparison::Greater, value(view)?),
        "gte" => Test::Compares(Comparison::GreaterOrEqual, value(view)?),
        "lt" => Test::Compares(Comparison::Less, value(view)?),
        "lte" => Test::Compares(Comparison::LessOrEqual, value(view)?),
        _ => return Err(InvalidFilter::Comparison),
    };
    if view.key.is_empty() && !matches!(test, Test::Exists | Test::Missing) {
        return Err(InvalidFilter::Key);
    }
    Ok(Node::Tag(view.key.into(), test))
}

fn value<N>(view: &NodeView<'_, N>) -> Result<Box<str>, InvalidFilter> {
    if view.val.is_empty() || !view.vals.is_empty() { Err(InvalidFilter::Value) } else { Ok(view.val.into()) }
}

fn list<N>(view: &NodeView<'_, N>) -> Result<Box<[Box<str>]>, InvalidFilter> {
    if view.vals.is_empty() || !view.val.is_empty() {
        return Err(InvalidFilter::Value);
    }
    let mut list: Vec<Box<str>> = view.vals.iter().map(|value| value.as_str().into()).collect();
    list.sort_unstable();
    list.dedup();
    Ok(list.into())
}

fn without_value<N>(view: &NodeView<'_, N>, test: Test) -> Result<Test, InvalidFilter> {
    if view.val.is_empty() && view.vals.is_empty() { Ok(test) } else { Err(InvalidFilter::Value) }
}
