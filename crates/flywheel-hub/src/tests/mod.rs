//! A shard without sockets: sessions, their effects carried out, and what stands in their queues.

mod deliver;
mod forms;
mod heal;
mod packed;
mod routes;
mod shard;
