use clap::builder::styling::{AnsiColor, Styles};
use clap::{Arg, ArgAction, ArgMatches, Command};
use flywheel_server::ConfigSource;

/// Keys that have a flag, what they hold, and in short what for.
///
/// Source: configuration-v6, section 1.
const FLAGS: [(&str, bool, &str); 33] = [
    ("http_server.address", false, "Address to listen on; all by default"),
    ("http_server.port", false, "Port to listen on [8000]"),
    ("http_server.internal_address", false, "Address for the API, health and metrics"),
    ("http_server.internal_port", false, "Port for the API, health and metrics"),
    ("pid_file", false, "Write the process id into this file"),
    ("engine.type", false, "Engine [memory]"),
    ("broker.enabled", true, "Replace the engine's broker"),
    ("broker.type", false, "Broker"),
    ("presence_manager.enabled", true, "Replace the engine's presence manager"),
    ("presence_manager.type", false, "Presence manager"),
    ("map_broker.type", false, "Map broker"),
    ("log.level", false, "none, trace, debug, info, warn or error [info]"),
    ("log.file", false, "Append the log to this file"),
    ("debug.enabled", true, "Debug endpoints"),
    ("admin.enabled", true, "Admin web interface"),
    ("admin.external", true, "Admin web interface on the external port"),
    ("admin.insecure", true, "Admin web interface without login"),
    ("client.insecure", true, "No authentication of clients"),
    ("http_api.insecure", true, "Server API without a key"),
    ("http_api.external", true, "Server API on the external port"),
    ("prometheus.enabled", true, "Metrics endpoint"),
    ("swagger.enabled", true, "Description of the server API"),
    ("health.enabled", true, "Health endpoint"),
    ("init.enabled", true, "Endpoint for load balancers"),
    ("uni_websocket.enabled", true, "Unidirectional WebSocket"),
    ("uni_sse.enabled", true, "Unidirectional SSE"),
    ("uni_http_stream.enabled", true, "Unidirectional HTTP streaming"),
    ("sse.enabled", true, "SSE"),
    ("http_stream.enabled", true, "HTTP streaming"),
    ("grpc_api.enabled", true, "gRPC server API"),
    ("grpc_api.port", false, "Port of the gRPC server API"),
    ("uni_grpc.enabled", true, "Unidirectional gRPC"),
    ("uni_grpc.port", false, "Port of unidirectional gRPC"),
];

pub(super) fn command() -> Command {
    let styles = Styles::styled()
        .header(AnsiColor::Yellow.on_default().bold())
        .usage(AnsiColor::Yellow.on_default().bold())
        .literal(AnsiColor::Cyan.on_default())
        .placeholder(AnsiColor::White.on_default());
    serving(Command::new("flywheel"))
        .version(super::VERSION)
        .about("Real-time messaging server for the Centrifuge protocol")
        .long_about(
            "Real-time messaging server for the Centrifuge protocol.\n\n\
             Applications publish into channels over an HTTP API, clients subscribe over WebSocket and receive every \
             publication in order, with the missed ones recovered. Centrifugo v6 configurations and all Centrifuge \
             SDKs work as they are.\n\n\
             Without a command the server starts.",
        )
        .after_help(
            "Examples:\n  \
             flywheel serve --dev                  try it out: memory engine, loopback only, a page at /\n  \
             flywheel genconfig -c config.json     make a configuration with fresh secrets\n  \
             flywheel checkconfig -c config.json   say what is wrong with it\n  \
             flywheel -c config.json               serve\n  \
             flywheel gentoken -u 42               a token for user 42\n\n\
             Environment: every configuration key as FLYWHEEL_<KEY>, with CENTRIFUGO_<KEY> as fallback, \
             for example FLYWHEEL_HTTP_SERVER_PORT=9000.",
        )
        .styles(styles)
        .subcommand_negates_reqs(true)
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .subcommand(serving(Command::new("serve").about("Start the server (what happens without a command)")))
        .subcommand(tool("genconfig", "Write a new configuration file with fresh secrets").arg(config("config.json")))
        .subcommand(
            tool("checkconfig", "Check a configuration file; prints nothing when it is good")
                .arg(config("config.json"))
                .arg(lenient())
                .arg(switch("strict", "Fail on unknown keys (this is the default here)")),
        )
        .subcommand(
            tool("defaultconfig", "Write every key with its default")
                .arg(config("config.json"))
                .arg(switch("dry-run", "Print it instead of writing a file").short('d')),
        )
        .subcommand(
            tool("doctor", "Examine the configuration and the services it names, and say what to change")
                .arg(config("config.json"))
                .arg(lenient())
                .arg(switch("json", "Print the findings as JSON")),
        )
        .subcommand(token_maker("gentoken", "Make a connection token", false))
        .subcommand(token_maker("gensubtoken", "Make a subscription token", true))
        .subcommand(token_checker("checktoken", "Check a connection token"))
        .subcommand(token_checker("checksubtoken", "Check a subscription token"))
        .subcommand(tool("version", "Print the version"))
}

fn tool(name: &'static str, about: &'static str) -> Command {
    Command::new(name).about(about)
}

fn serving(command: Command) -> Command {
    let flags = FLAGS.into_iter().map(|(key, is_switch, help)| {
        let arg = Arg::new(key)
            .long(key)
            .help(help)
            .help_heading("Configuration keys")
            .hide_short_help(!is_basic(key));
        let arg = match key {
            "http_server.address" => arg.short('a'),
            "http_server.port" => arg.short('p'),
            _ => arg,
        };
        if is_switch {
            arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL")
        } else {
            arg.value_name("VALUE")
        }
    });
    command
        .arg(config("config.json").long_help("Configuration file: .json, .yaml, .yml or .toml"))
        .arg(lenient())
        .arg(
            switch("dev", "Try it out: memory engine, loopback only, a demo page at /, a fresh API key")
                .conflicts_with("config"),
        )
        .args(flags)
}

/// Flags that the short help shows.
fn is_basic(key: &str) -> bool {
    matches!(
        key,
        "http_server.address" | "http_server.port" | "log.level" | "health.enabled" | "prometheus.enabled"
    )
}

fn config(default: &'static str) -> Arg {
    Arg::new("config")
        .long("config")
        .short('c')
        .value_name("FILE")
        .help(format!("Configuration file [{default}]"))
}

fn lenient() -> Arg {
    switch("lenient", "Only warn about unknown configuration keys")
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

fn token_maker(name: &'static str, about: &'static str, with_channel: bool) -> Command {
    let command = tool(name, about)
        .arg(config("config.json"))
        .arg(
            Arg::new("user")
                .long("user")
                .short('u')
                .value_name("ID")
                .help("User id; without it the token has none"),
        )
        .arg(
            Arg::new("ttl")
                .long("ttl")
                .short('t')
                .value_name("SECONDS")
                .default_value("604800")
                .allow_negative_numbers(true)
                .value_parser(clap::value_parser!(i64))
                .help("How long it is valid; -1 for ever"),
        )
        .arg(switch("quiet", "Print the token and nothing else").short('q'));
    if with_channel {
        let channel = Arg::new("channel").long("channel").short('s').value_name("CHANNEL").required(true);
        return command.arg(channel.help("The channel that it is for"));
    }
    command
}

fn token_checker(name: &'static str, about: &'static str) -> Command {
    tool(name, about)
        .arg(config("config.json"))
        .arg(Arg::new("token").value_name("TOKEN").required(true).help("The token"))
}

/// What the command line says about where the configuration comes from.
pub(super) fn source(matches: &ArgMatches) -> ConfigSource {
    let given = matches.get_one::<String>("config");
    let flag = |key: &str| matches.try_get_one::<String>(key).ok().flatten().cloned();
    ConfigSource {
        file: Some(given.map_or("config.json", String::as_str).into()),
        file_required: given.is_some(),
        built_in: None,
        flags: FLAGS.iter().filter_map(|(key, ..)| Some(((*key).to_owned(), flag(key)?))).collect(),
        lenient: matches.try_get_one::<bool>("lenient").ok().flatten().copied().unwrap_or_default(),
        dotenv: false,
    }
}
