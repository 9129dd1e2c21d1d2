//! The client protocol, rule by rule, against a scripted engine and with literal timestamps.

mod audit;
mod backend;
mod closing;
mod connect;
mod delivery;
mod delta;
mod engine;
mod expiry;
mod filter;
mod in_flight;
mod observer;
mod position;
mod presence;
mod publish;
mod query;
mod random;
mod recovery;
mod refresh;
mod refusal;
mod server;
mod subscribe;
mod time;
mod transports;
mod world;
