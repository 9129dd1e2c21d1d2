use std::io::{self, BufRead};

/// A reply of Redis, RESP2 as RESP3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisReply {
    /// A short text, such as `OK`.
    Simple(String),
    /// An error's text.
    Error(String),
    /// A number or a truth value.
    Integer(i64),
    /// A string, and whatever else has a length; `None` for nothing.
    Bulk(Option<Vec<u8>>),
    /// Several; a map has keys and values in turn.
    Array(Vec<RedisReply>),
    /// Something that answers no command.
    Push(Vec<RedisReply>),
}

impl RedisReply {
    /// Reads one, and its bytes as they came.
    pub(crate) fn read(from: &mut impl BufRead, raw: &mut Vec<u8>) -> io::Result<Self> {
        let begin = raw.len();
        if from.read_until(b'\n', raw)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&raw[begin..]).trim_end().to_owned();
        let (kind, rest) = line.split_at_checked(1).ok_or(io::ErrorKind::InvalidData)?;
        let count =
            || rest.parse::<i64>().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, line.clone()));
        Ok(match kind {
            "+" | "," | "(" => Self::Simple(rest.to_owned()),
            "-" => Self::Error(rest.to_owned()),
            ":" => Self::Integer(count()?),
            "#" => Self::Integer(i64::from(rest == "t")),
            "_" => Self::Bulk(None),
            "$" | "=" | "!" => match usize::try_from(count()?) {
                Err(_) => Self::Bulk(None),
                Ok(length) => {
                    let begin = raw.len();
                    raw.resize(begin + length + 2, 0);
                    from.read_exact(&mut raw[begin..])?;
                    Self::Bulk(Some(raw[begin..begin + length].to_vec()))
                }
            },
            "*" | "~" | "%" | ">" => {
                let each = if kind == "%" { 2 } else { 1 };
                let Ok(count) = usize::try_from(count()?) else { return Ok(Self::Bulk(None)) };
                let items =
                    (0..count * each).map(|_| Self::read(from, raw)).collect::<io::Result<Vec<_>>>()?;
                if kind == ">" { Self::Push(items) } else { Self::Array(items) }
            }
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, line)),
        })
    }

    /// The text of a simple or bulk string, an error, or a number; empty for nothing and for several.
    pub fn text(&self) -> String {
        match self {
            Self::Simple(text) | Self::Error(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Bulk(bytes) => String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned(),
            Self::Array(_) | Self::Push(_) => String::new(),
        }
    }

    /// The bytes of a bulk string; none for everything else.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Bulk(Some(bytes)) => bytes,
            _ => &[],
        }
    }

    /// The number; panics when it is none.
    pub fn int(&self) -> i64 {
        self.text().parse().unwrap_or_else(|_| panic!("not a number: {self:?}"))
    }

    /// The items; none for what has none.
    pub fn items(&self) -> &[RedisReply] {
        match self {
            Self::Array(items) | Self::Push(items) => items,
            _ => &[],
        }
    }

    /// The text that follows the text `name`, in a map or a list of pairs; empty when there is none.
    pub fn field(&self, name: &str) -> String {
        let pair = self.items().chunks_exact(2).find(|pair| pair[0].text() == name);
        pair.map(|pair| pair[1].text()).unwrap_or_default()
    }

    /// The error's text, if it is an error.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Error(text) => Some(text),
            _ => None,
        }
    }
}
