//! A shard without sockets: sessions, their effects carried out, and what stands in their queues.

mod deliver;
mod routes;
mod shard;
