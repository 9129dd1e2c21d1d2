use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

/// A message with named members. Implemented by [`members!`](crate::json::members).
pub trait Members: Default {
    /// The members' names in the order in which they are written.
    const NAMES: &'static [&'static str];

    /// Reads the value of the member at `index` of [`NAMES`](Self::NAMES).
    ///
    /// # Errors
    /// The value has the wrong type.
    fn read<'de, R: MemberReader<'de>>(&mut self, index: usize, reader: R) -> Result<(), R::Error>;

    /// Writes the message as an object, zero members left out.
    fn write(&self, out: &mut Vec<u8>);
}

/// Reads one member's value into whatever type the field has.
pub trait MemberReader<'de> {
    /// What can go wrong.
    type Error;

    /// Reads the value.
    ///
    /// # Errors
    /// The value has the wrong type.
    fn read<T: ReadField>(self) -> Result<T, Self::Error>;
}

/// A type that a member can have.
pub trait ReadField: Sized {
    /// Reads a value; `null` is the zero value, except for raw JSON.
    ///
    /// # Errors
    /// The value has the wrong type.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Reads a message from exactly one JSON value: only white space may follow.
///
/// Names match whatever their case, unknown ones are skipped, of a repeated one the last counts.
///
/// # Errors
/// The text is not JSON, not an object or `null`, or a member has the wrong type; the error names line and column.
pub fn from_slice<M: Members>(text: &[u8]) -> serde_json::Result<M> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let message = Option::<M>::read(&mut deserializer)?;
    deserializer.end()?;
    Ok(message.unwrap_or_default())
}

/// Reads a message from the first JSON value of `text`, an object, and ignores what follows it.
///
/// # Errors
/// As [`from_slice`], and for `null`.
pub fn first_value<M: Members>(text: &[u8]) -> serde_json::Result<M> {
    read_object(&mut serde_json::Deserializer::from_slice(text))
}

fn read_object<'de, D: Deserializer<'de>, M: Members>(deserializer: D) -> Result<M, D::Error> {
    deserializer.deserialize_map(ObjectVisitor(PhantomData))
}

struct ObjectVisitor<M>(PhantomData<M>);

impl<'de, M: Members> Visitor<'de> for ObjectVisitor<M> {
    type Value = M;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<M, A::Error> {
        let mut message = M::default();
        while let Some(known) = map.next_key_seed(NameSeed(M::NAMES))? {
            match known {
                Some(index) => message.read(index, MapValue(&mut map))?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(message)
    }
}

/// Reads an object's next value as a field.
struct MapValue<'a, A>(&'a mut A);

impl<'de, A: MapAccess<'de>> MemberReader<'de> for MapValue<'_, A> {
    type Error = A::Error;

    fn read<T: ReadField>(self) -> Result<T, A::Error> {
        self.0.next_value_seed(FieldSeed(PhantomData))
    }
}

struct FieldSeed<T>(PhantomData<T>);

impl<'de, T: ReadField> DeserializeSeed<'de> for FieldSeed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::read(deserializer)
    }
}

/// Finds a member's name among the known ones.
#[derive(Clone, Copy)]
struct NameSeed(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| known.eq_ignore_ascii_case(name)))
    }
}

macro_rules! scalars {
    ($($scalar:ty),*) => {$(
        impl ReadField for $scalar {
            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Option::<Self>::deserialize(deserializer).map(Option::unwrap_or_default)
            }
        }
    )*};
}

scalars!(bool, u32, u64, i32, i64, f64, String);

/// Raw JSON, taken verbatim; a literal `null` is the four bytes.
impl ReadField for Bytes {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        Ok(Self::copy_from_slice(raw.get().as_bytes()))
    }
}

struct OptionVisitor<M>(PhantomData<M>);

impl<'de, M: Members> Visitor<'de> for OptionVisitor<M> {
    type Value = Option<M>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or null")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        read_object(deserializer).map(Some)
    }
}

impl<M: Members> ReadField for Option<M> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(OptionVisitor(PhantomData))
    }
}

/// A boxed message reads and writes as the message.
impl<M: Members> Members for Box<M> {
    const NAMES: &'static [&'static str] = M::NAMES;

    fn read<'de, R: MemberReader<'de>>(&mut self, index: usize, reader: R) -> Result<(), R::Error> {
        M::read(self, index, reader)
    }

    fn write(&self, out: &mut Vec<u8>) {
        M::write(self, out);
    }
}

/// A list element that tells `null` from the empty message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nullable<M>(pub Option<M>);

impl<M: Members> ReadElement for Nullable<M> {
    fn read_element<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<M>::read(deserializer).map(Self)
    }
}

/// An element of a list or a value of a map: a message (where `null` is the empty one) or a string.
pub(crate) trait ReadElement: Sized {
    fn read_element<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

impl<M: Members> ReadElement for M {
    fn read_element<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<M>::read(deserializer)?.unwrap_or_default())
    }
}

impl ReadElement for f64 {
    fn read_element<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ReadField::read(deserializer)
    }
}

impl ReadElement for String {
    fn read_element<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(deserializer)
    }
}

struct ElementSeed<T>(PhantomData<T>);

impl<'de, T: ReadElement> DeserializeSeed<'de> for ElementSeed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::read_element(deserializer)
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: ReadElement> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or null")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element_seed(ElementSeed(PhantomData))? {
            elements.push(element);
        }
        Ok(elements)
    }
}

impl<T: ReadElement> ReadField for Vec<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(ListVisitor(PhantomData))
    }
}

struct MapVisitor<T>(PhantomData<T>);

impl<'de, T: ReadElement> Visitor<'de> for MapVisitor<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or null")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            entries.insert(key, map.next_value_seed(ElementSeed(PhantomData))?);
        }
        Ok(entries)
    }
}

impl<T: ReadElement> ReadField for BTreeMap<String, T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(MapVisitor(PhantomData))
    }
}
