//! Queues to take publications from.

use super::Check;
use crate::view::View;

/// What each type needs when it is enabled.
const REQUIRED: [(&str, &[&str]); 7] = [
    ("postgresql", &["dsn", "outbox_table_name"]),
    ("kafka", &["brokers", "topics", "consumer_group"]),
    ("nats_jetstream", &["url", "stream_name", "durable_consumer_name"]),
    ("redis_stream", &["streams", "consumer_group"]),
    ("google_pub_sub", &["project_id", "subscriptions"]),
    ("aws_sqs", &["queues"]),
    ("azure_service_bus", &["queues"]),
];

pub(super) fn check(check: &mut Check<'_>, tree: &View<'_>) {
    let consumers = tree.items("consumers");
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    check.names(&consumers, "A-Z a-z 0-9 _", is_letter, "");
    for consumer in consumers.iter().filter(|consumer| consumer.is("enabled")) {
        let kind = consumer.text("type");
        let Some((_, required)) = REQUIRED.iter().find(|(known, _)| *known == kind) else { continue };
        let section = consumer.section(kind);
        for name in *required {
            if section.text(name).is_empty() && section.texts(name).is_empty() {
                check.refuse(&section, name, format!("a consumer of type {kind} needs it"));
            }
        }
        if kind == "azure_service_bus"
            && section.text("connection_string").is_empty()
            && !section.is("use_azure_identity")
        {
            check.refuse(&section, "connection_string", "write one, or set use_azure_identity");
        }
    }
}
