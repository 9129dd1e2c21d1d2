//! `consumers`: queues from which publications and commands are taken.

use super::blocks::{IO_TIMEOUT, REDIS, TLS};
use super::entry::{Fragment, block, choice, flag, int, int32, text, texts, time};
use super::words;

/// The publication data mode; its keys end in what the queue calls a header.
macro_rules! publication_data_mode {
    ($suffix:literal) => {
        block(
            "publication_data_mode",
            &[&[
                flag("enabled", "Take messages as payloads to publish, not as commands."),
                text(
                    concat!("channels_", $suffix),
                    "centrifugo-channels",
                    "What names the channels, separated by commas.",
                ),
                text(
                    concat!("idempotency_key_", $suffix),
                    "centrifugo-idempotency-key",
                    "What holds the idempotency key.",
                ),
                text(concat!("delta_", $suffix), "centrifugo-delta", "What asks for a delta."),
                text(concat!("version_", $suffix), "centrifugo-version", "What holds the version."),
                text(
                    concat!("version_epoch_", $suffix),
                    "centrifugo-version-epoch",
                    "What holds the version's epoch.",
                ),
                text(
                    concat!("tags_", $suffix, "_prefix"),
                    "centrifugo-tag-",
                    "First part of the names that become tags.",
                ),
            ]],
        )
    };
}

pub(super) const CONSUMER: Fragment = &[
    text("name", "", "Name of the consumer: at least two letters, digits or `_`."),
    flag("enabled", "Run it."),
    choice("type", words::CONSUMERS, "", "What it takes from."),
    block("postgresql", &[POSTGRESQL]),
    block("kafka", &[KAFKA]),
    block("nats_jetstream", &[NATS_JETSTREAM]),
    block("redis_stream", &[REDIS, IO_TIMEOUT, REDIS_STREAM]),
    block("google_pub_sub", &[GOOGLE_PUB_SUB]),
    block("aws_sqs", &[AWS_SQS]),
    block("azure_service_bus", &[AZURE_SERVICE_BUS]),
];

const POSTGRESQL: Fragment = &[
    text("dsn", "", "Connection string; required."),
    text("outbox_table_name", "", "Table to read; required."),
    int("num_partitions", 1, "Partitions read side by side."),
    int("partition_select_limit", 100, "Rows per select."),
    time("partition_poll_interval", "300ms", "Pause between looks."),
    text("partition_notification_channel", "", "Channel to listen on."),
    text("partition_notification_dsn", "", "Connection string for listening."),
    block("tls", &[TLS]),
    flag("use_try_lock", "Try for the lock instead of waiting for it."),
];

const KAFKA: Fragment = &[
    texts("brokers", "Addresses to start from; required."),
    texts("topics", "Topics to read; required."),
    text("consumer_group", "", "Consumer group; required."),
    int("max_poll_records", 100, "Records per poll."),
    int32("fetch_max_bytes", 0, "Bytes per fetch; 0 means 50 MB."),
    time("fetch_max_wait", "500ms", "How long the broker may gather records."),
    flag("fetch_read_uncommitted", "Read records of open transactions."),
    int(
        "partition_queue_max_size",
        1000,
        "Records of one partition that may wait; -1 pauses after every poll.",
    ),
    time("dial_timeout", "3s", "Longest time to connect."),
    block("tls", &[TLS]),
    choice("sasl_mechanism", words::SASL_MECHANISMS, "", "How to log in."),
    text("sasl_user", "", "User to log in as."),
    text("sasl_password", "", "Its password."),
    text("assume_role_arn", "", "Role to take on for MSK."),
    text("instance_id", "", "Fixed name of this group member."),
    text("method_header", "centrifugo-method", "Header that names the command."),
    publication_data_mode!("header"),
];

const NATS_JETSTREAM: Fragment = &[
    text("url", "nats://127.0.0.1:4222", "Server."),
    text("credentials_file", "", "Credentials file; tried first."),
    text("username", "", "User."),
    text("password", "", "Password."),
    text("token", "", "Token."),
    text("stream_name", "", "Stream to read; required."),
    flag("use_existing_consumer", "Expect the durable consumer to be there."),
    texts("subjects", "Subjects to keep to."),
    text("durable_consumer_name", "", "Durable consumer; required."),
    choice("deliver_policy", words::DELIVER_POLICIES, "new", "Where a new consumer starts."),
    int("max_ack_pending", 100, "Messages that may be under way."),
    text("method_header", "centrifugo-method", "Header that names the command."),
    publication_data_mode!("header"),
    block("tls", &[TLS]),
];

const REDIS_STREAM: Fragment = &[
    texts("streams", "Streams to read; required."),
    text("consumer_group", "", "Consumer group; required."),
    time("visibility_timeout", "30s", "After this, another consumer takes a message over."),
    int("num_workers", 1, "Workers per stream."),
    text("payload_value", "payload", "Field that holds the payload."),
    text("method_value", "method", "Field that names the command."),
    publication_data_mode!("value"),
];

const GOOGLE_PUB_SUB: Fragment = &[
    text("project_id", "", "Project; required."),
    texts("subscriptions", "Subscriptions to read; required."),
    int("max_outstanding_messages", 100, "Messages that may be under way."),
    int("max_outstanding_bytes", 1_000_000, "Bytes that may be under way."),
    choice("auth_mechanism", words::GOOGLE_AUTH, "", "How to log in."),
    text("credentials_file", "", "File with the service account's key."),
    text("method_attribute", "centrifugo-method", "Attribute that names the command."),
    publication_data_mode!("attribute"),
];

const AWS_SQS: Fragment = &[
    texts("queues", "URLs of the queues; required."),
    flag("sns_envelope", "Unwrap what SNS wrapped."),
    text("region", "", "Region."),
    int32("max_number_of_messages", 10, "Messages per receive."),
    time(
        "wait_time_time",
        "20s",
        "How long a receive waits. The name has the word twice in the reference too.",
    ),
    time("visibility_timeout", "30s", "How long others do not see a received message."),
    int("max_concurrency", 1, "Messages of a batch handled side by side."),
    text("credentials_profile", "", "Profile of the shared credentials."),
    text("assume_role_arn", "", "Role to take on."),
    text("method_attribute", "centrifugo-method", "Attribute that names the command."),
    text("localstack_endpoint", "", "Endpoint of a stand-in, for tests."),
    publication_data_mode!("attribute"),
];

const AZURE_SERVICE_BUS: Fragment = &[
    text("connection_string", "", "Connection string; required without identity."),
    flag("use_azure_identity", "Log in with an identity."),
    text("fully_qualified_namespace", "", "Namespace, with identity."),
    text("tenant_id", "", "Tenant, with identity."),
    text("client_id", "", "Client, with identity."),
    text("client_secret", "", "Its secret."),
    texts("queues", "Queues to read; required."),
    flag("use_sessions", "Keep the order within sessions."),
    int("max_concurrent_calls", 1, "Messages handled side by side."),
    int("max_receive_messages", 1, "Messages per receive."),
    text("method_property", "centrifugo-method", "Property that names the command."),
    publication_data_mode!("property"),
];
