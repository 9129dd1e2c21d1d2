mod bindings;
mod example;
mod fossil;
mod parse;
mod payloads;
mod replay;

pub use bindings::Bindings;
pub use example::hex_example;
pub use fossil::apply_delta;
pub use parse::{Line, Step, Transcript};
pub use replay::{Mismatch, Replay};
