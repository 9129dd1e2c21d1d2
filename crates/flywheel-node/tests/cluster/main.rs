//! Several nodes that hear each other, or do not.

mod operations;
mod split;
mod world;
