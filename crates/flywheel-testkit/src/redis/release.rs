use crate::workspace_folder;

/// Which server a test runs against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RedisRelease {
    /// The `redis-server` of the system.
    #[default]
    Installed,
    /// Redis 8.0, as Debian 13 has it: the first release after 7.4, from where fields of a hash expire by themselves.
    Redis8,
    /// Valkey 8.1, as Debian 13 has it.
    Valkey8,
}

impl RedisRelease {
    /// What is started. `cargo xtask setup` puts those of Debian 13 below `target`.
    pub(super) fn program(self) -> String {
        let name = match self {
            Self::Installed => return "redis-server".to_owned(),
            Self::Redis8 => "redis-server",
            Self::Valkey8 => "valkey-server",
        };
        workspace_folder().join("target/debian-13/bin").join(name).to_string_lossy().into_owned()
    }
}
