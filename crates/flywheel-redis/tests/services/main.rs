//! The engine on real servers, and what becomes of it when they fail. Needs `redis-server`.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod conformance;
mod engine;
mod fixture;
mod link;
