use std::num::NonZeroU8;

const NAME: &str = "permessage-deflate";

/// permessage-deflate as it was agreed with one client. One byte.
///
/// Neither side keeps a context: we promise not to, and the client is told not to, which RFC 7692 lets a server do
/// whatever was offered. Source: RFC 7692, section 7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deflate {
    /// Log2 of the window that the client can look back into, 8 to 15; `None` when it named none, which means 15.
    window_bits: Option<NonZeroU8>,
}

impl Deflate {
    /// Takes the first of the client's offers that is well formed, in the client's order. Whatever other extensions
    /// are offered is passed over.
    ///
    /// `extensions` is what [`Upgrade::extensions`](crate::Upgrade::extensions) yields. An offer with an unknown
    /// parameter, a parameter given twice or a value that is not allowed is declined, as the RFC demands.
    pub fn accept<'o>(mut extensions: impl Iterator<Item = &'o str>) -> Option<Self> {
        extensions.find_map(Self::accept_one)
    }

    fn accept_one(offer: &str) -> Option<Self> {
        let mut parts = offer.split(';').map(trim);
        if parts.next() != Some(NAME) {
            return None;
        }
        let mut seen = [false; 4];
        let mut window_bits = None;
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (trim(name), Some(unquoted(trim(value))?)),
                None => (part, None),
            };
            let parameter = match (name, value) {
                ("server_no_context_takeover", None) => 0,
                ("client_no_context_takeover", None) => 1,
                ("server_max_window_bits", Some(value)) => {
                    window_bits = Some(bits(value)?);
                    2
                }
                // We can always look back as far as the format allows, so a limit of the client's needs no answer.
                ("client_max_window_bits", None) => 3,
                ("client_max_window_bits", Some(value)) => {
                    bits(value)?;
                    3
                }
                _ => return None,
            };
            if std::mem::replace(&mut seen[parameter], true) {
                return None;
            }
        }
        Some(Self { window_bits })
    }

    /// The value of `Sec-WebSocket-Extensions` that tells the client what was agreed.
    pub const fn response(self) -> &'static str {
        const NO_LIMIT: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        macro_rules! limited {
            ($bits:literal) => {
                concat!(
                    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                     server_max_window_bits=",
                    $bits
                )
            };
        }
        let Some(bits) = self.window_bits else {
            return NO_LIMIT;
        };
        match bits.get() {
            8 => limited!(8),
            9 => limited!(9),
            10 => limited!(10),
            11 => limited!(11),
            12 => limited!(12),
            13 => limited!(13),
            14 => limited!(14),
            _ => limited!(15),
        }
    }

    /// Whether a message of `len` bytes may be sent compressed. A longer one might point further back than the client
    /// can look, and is sent as it is; so one compressed form serves all clients, whatever their windows.
    pub fn fits(self, len: usize) -> bool {
        self.window_bits.is_none_or(|bits| bits.get() >= 15 || len <= 1 << bits.get())
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A value may stand in quotes; what is between them must be what could stand without.
fn unquoted(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => Some(value),
    }
}

/// 8 to 15, in decimal without zeros in front.
fn bits(value: &str) -> Option<NonZeroU8> {
    let plain = !value.starts_with('0') && value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|bits: &NonZeroU8| plain && (8..=15).contains(&bits.get()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(offers: &str) -> Option<&'static str> {
        Deflate::accept(offers.split(',').map(trim)).map(Deflate::response)
    }

    const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    #[test]
    fn whatever_is_offered_well_neither_side_keeps_a_context() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate;client_max_window_bits",
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate; client_max_window_bits=15; server_no_context_takeover",
            "permessage-deflate ;\tclient_no_context_takeover ; client_max_window_bits = \"10\"",
            "x-webkit-deflate-frame, permessage-deflate",
        ] {
            assert_eq!(answer(offer), Some(PLAIN), "{offer}");
        }
    }

    #[test]
    fn the_clients_limit_for_our_window_is_confirmed() {
        for bits in 8..=15 {
            let expected = format!("{PLAIN}; server_max_window_bits={bits}");
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            assert_eq!(answer(&offer), Some(expected.as_str()));
            let offer =
                format!("permessage-deflate; client_max_window_bits; server_max_window_bits=\"{bits}\"");
            assert_eq!(answer(&offer), Some(expected.as_str()));
        }
    }

    #[test]
    fn a_malformed_offer_is_declined_and_the_next_one_looked_at() {
        for parameters in [
            "unknown",
            "unknown=1",
            "",
            "server_no_context_takeover=1",
            "client_no_context_takeover=\"\"",
            "server_no_context_takeover; server_no_context_takeover",
            "client_max_window_bits; client_max_window_bits=9",
            "server_max_window_bits=9; server_max_window_bits=9",
            "server_max_window_bits",
            "server_max_window_bits=",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=08",
            "server_max_window_bits=+9",
            "server_max_window_bits=9.5",
            "server_max_window_bits=\"9",
            "server_max_window_bits=9\"",
            "client_max_window_bits=",
            "client_max_window_bits=0",
            "client_max_window_bits=999999999999",
            "Server_no_context_takeover",
        ] {
            let offer = format!("permessage-deflate; {parameters}");
            assert_eq!(answer(&offer), None, "{offer}");
            let next = format!("{offer}, permessage-deflate; server_max_window_bits=11");
            assert!(answer(&next).is_some_and(|answer| answer.ends_with("=11")), "{next}");
        }
    }

    #[test]
    fn other_extensions_are_no_offer() {
        for offer in ["", "permessage-bzip2", "permessage-deflated", "deflate-frame", "permessage-deflate=1"]
        {
            assert_eq!(answer(offer), None, "{offer}");
        }
    }

    #[test]
    fn a_message_longer_than_the_clients_window_is_not_compressed() {
        let deflate = |offer| Deflate::accept([offer].into_iter()).unwrap();
        let small = deflate("permessage-deflate; server_max_window_bits=9");
        assert!(small.fits(512) && !small.fits(513));
        for offer in ["permessage-deflate", "permessage-deflate; server_max_window_bits=15"] {
            assert!(deflate(offer).fits(usize::MAX), "{offer}");
        }
        assert_eq!(size_of::<Option<Deflate>>(), 2);
    }
}
