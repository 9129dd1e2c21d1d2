/// A reusable list of entries; shared blocks are one fragment each.
pub(crate) type Fragment = &'static [Entry];

/// One key as it stands in a table: its name inside the block, what it holds, what it is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) meaning: &'static str,
}

/// What stands under a key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A value with a default.
    Value(Kind, Literal),
    /// A section; its entries are those of the fragments together.
    Block(&'static [Fragment]),
    /// A list of sections.
    List(&'static [Fragment]),
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number that fits the width.
    Int(Width),
    /// A Go duration such as `1m30s`; nanoseconds inside.
    Duration,
    /// Any text.
    Text,
    /// One of the listed words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    TextList,
    /// Text that is PEM, base64 of PEM, or the path of a file with PEM. Kept as written: this crate opens no file.
    Pem,
    /// Texts by name.
    TextMap,
    /// A list of sections.
    ObjectList,
}

/// How many bits an integer key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Signed, 32 bits.
    I32,
    /// Unsigned, 32 bits.
    U32,
    /// Signed, 64 bits; what the reference calls `int` and `int64`.
    I64,
}

/// A default as it can be written in a constant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Literal {
    /// The zero value of the kind: `false`, 0, no time, no text, an empty list.
    Zero,
    Int(i64),
    /// Text, or a duration in Go's syntax.
    Text(&'static str),
    Texts(&'static [&'static str]),
}

const fn value(name: &'static str, kind: Kind, default: Literal, meaning: &'static str) -> Entry {
    Entry { name, shape: Shape::Value(kind, default), meaning }
}

pub(super) const fn flag(name: &'static str, meaning: &'static str) -> Entry {
    value(name, Kind::Bool, Literal::Zero, meaning)
}

pub(super) const fn int(name: &'static str, default: i64, meaning: &'static str) -> Entry {
    value(name, Kind::Int(Width::I64), Literal::Int(default), meaning)
}

pub(super) const fn int32(name: &'static str, default: i64, meaning: &'static str) -> Entry {
    value(name, Kind::Int(Width::I32), Literal::Int(default), meaning)
}

pub(super) const fn uint32(name: &'static str, meaning: &'static str) -> Entry {
    value(name, Kind::Int(Width::U32), Literal::Zero, meaning)
}

pub(super) const fn time(name: &'static str, default: &'static str, meaning: &'static str) -> Entry {
    value(name, Kind::Duration, Literal::Text(default), meaning)
}

pub(super) const fn text(name: &'static str, default: &'static str, meaning: &'static str) -> Entry {
    value(name, Kind::Text, Literal::Text(default), meaning)
}

pub(super) const fn choice(
    name: &'static str,
    words: &'static [&'static str],
    default: &'static str,
    meaning: &'static str,
) -> Entry {
    value(name, Kind::Choice(words), Literal::Text(default), meaning)
}

pub(super) const fn texts(name: &'static str, meaning: &'static str) -> Entry {
    value(name, Kind::TextList, Literal::Zero, meaning)
}

pub(super) const fn texts_or(
    name: &'static str,
    default: &'static [&'static str],
    meaning: &'static str,
) -> Entry {
    value(name, Kind::TextList, Literal::Texts(default), meaning)
}

pub(super) const fn pem(name: &'static str, meaning: &'static str) -> Entry {
    value(name, Kind::Pem, Literal::Zero, meaning)
}

pub(super) const fn map(name: &'static str, meaning: &'static str) -> Entry {
    value(name, Kind::TextMap, Literal::Zero, meaning)
}

pub(super) const fn block(name: &'static str, fragments: &'static [Fragment]) -> Entry {
    Entry { name, shape: Shape::Block(fragments), meaning: "" }
}

pub(super) const fn list(name: &'static str, fragments: &'static [Fragment], meaning: &'static str) -> Entry {
    Entry { name, shape: Shape::List(fragments), meaning }
}
