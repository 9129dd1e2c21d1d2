//! The words that a choice may take. An empty word means the default named in the key's meaning.

type Words = &'static [&'static str];

pub(super) const LOG_LEVELS: Words = &["none", "trace", "debug", "info", "warn", "error", "fatal"];
pub(super) const ENGINES: Words = &["memory", "redis"];
pub(super) const REDIS_TOPOLOGIES: Words = &["auto", "strict"];
pub(super) const BROKERS: Words = &["memory", "redis", "nats", "postgres", "redisnats"];
pub(super) const MAP_BROKERS: Words = &["memory", "redis", "postgres"];
pub(super) const CONTROLLERS: Words = &["postgres"];
pub(super) const DATA_FORMATS: Words = &["", "json", "json_object", "binary"];
pub(super) const RECOVERY_MODES: Words = &["", "stream", "cache"];
pub(super) const SUBSCRIPTION_TYPES: Words =
    &["", "stream", "map", "map_clients", "map_users", "shared_poll"];
pub(super) const MAP_MODES: Words = &["", "ephemeral", "recoverable", "persistent"];
pub(super) const CLIENT_KEYS: Words = &["", "client_id", "user_id"];
pub(super) const POLL_MODES: Words = &["", "versionless", "versioned"];
pub(super) const HEALTH_SCOPES: Words = &["any", "own"];
pub(super) const ERROR_MODES: Words = &["", "transport"];
pub(super) const CONSUMERS: Words = &[
    "postgresql",
    "kafka",
    "nats_jetstream",
    "redis_stream",
    "google_pub_sub",
    "aws_sqs",
    "azure_service_bus",
];
pub(super) const SASL_MECHANISMS: Words = &["", "plain", "scram-sha-256", "scram-sha-512", "aws-msk-iam"];
pub(super) const DELIVER_POLICIES: Words = &["new", "all"];
pub(super) const GOOGLE_AUTH: Words = &["", "default", "service_account"];
