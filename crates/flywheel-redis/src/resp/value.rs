use bytes::Bytes;

/// What a server says. Texts are slices of the buffer they were read into, which lives as long as one of them.
///
/// Attributes, which may precede any value, are dropped.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, in any of its three spellings.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating point number.
    Double(f64),
    /// An integer of any size, as decimal text.
    BigNumber(Bytes),
    /// A short text, such as `OK`.
    Text(Bytes),
    /// Any bytes.
    Bulk(Bytes),
    /// A text with a hint, which is dropped.
    Verbatim(Bytes),
    /// An error: its word, then what it is about.
    Error(Bytes),
    /// Values in order; a set is one too.
    Array(Vec<Value>),
    /// Pairs, in the order in which they came.
    Map(Vec<(Value, Value)>),
    /// Values that answer no command.
    Push(Vec<Value>),
}

impl Value {
    /// The bytes of anything textual but an error.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Text(bytes) | Self::Bulk(bytes) | Self::Verbatim(bytes) | Self::BigNumber(bytes) => {
                Some(bytes)
            }
            _ => None,
        }
    }

    /// The same if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// An integer, spelled as one or as decimal text.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            other => other.text()?.parse().ok(),
        }
    }

    /// An integer that is not negative.
    pub fn uint(&self) -> Option<u64> {
        match self {
            Self::Int(number) => u64::try_from(*number).ok(),
            other => other.text()?.parse().ok(),
        }
    }

    /// The values of an array; empty for everything else.
    pub fn items(&self) -> &[Value] {
        match self {
            Self::Array(items) | Self::Push(items) => items,
            _ => &[],
        }
    }

    /// The value under `key` in a map, or in an array of alternating keys and values, as version 2 spells a map.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let is_key = |value: &Value| value.bytes().is_some_and(|bytes| bytes == key);
        match self {
            Self::Map(pairs) => pairs.iter().find(|(found, _)| is_key(found)).map(|(_, value)| value),
            Self::Array(items) => {
                let mut pairs = items.chunks_exact(2);
                pairs.find(|pair| is_key(&pair[0])).map(|pair| &pair[1])
            }
            _ => None,
        }
    }
}
