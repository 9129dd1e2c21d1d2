use clap::ArgMatches;
use flywheel_runtime::Random;
use flywheel_server::{ConfigSource, DevMode, Exit, Logging, Server, dev_file, log_warnings};

use super::{Failed, Outcome, VERSION, arguments, files, print};

const DEV_PORT: u16 = 8000;

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let mut source = ConfigSource { dotenv: true, ..arguments::source(matches) };
    let dev = matches.get_flag("dev").then(|| DevMode { api_key: files::secret(&Random::system(), 24) });
    if let Some(mode) = &dev {
        let port = source.flags.iter().find(|(key, _)| key == "http_server.port");
        let port = port.and_then(|(_, port)| port.parse().ok()).unwrap_or(DEV_PORT);
        source.built_in = Some(("--dev".to_owned(), dev_file(mode, port)));
    }
    let (loaded, missing) = source.load()?;
    let logging = Logging::start(&loaded.config.log)?;
    let _last_lines = logging.last_lines();
    if missing {
        let file = source.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
        tracing::warn!(file, "there is no configuration file: defaults are in force, and they let nobody in");
    }
    log_warnings(&loaded.warnings);
    let server = Server::start(loaded.config, source, logging, VERSION)?;
    if let Some(mode) = dev {
        let address = server.address();
        let greeting = format!(
            "Flywheel {VERSION} for trying it out: nothing is kept, and only this machine can connect.\n\n  \
             Open  http://{address}/\n  \
             FLYWHEEL_API_KEY={key}\n\n\
             Publish from another terminal:\n\n  \
             curl -H \"X-API-Key: $FLYWHEEL_API_KEY\" http://{address}/api/publish \\\n    \
             -d '{{\"channel\":\"demo:lobby\",\"data\":{{\"text\":\"hello\"}}}}'\n\n\
             Stop with Ctrl-C.\n",
            key = mode.api_key,
        );
        print(&greeting)?;
    }
    match server.run()? {
        Exit::Clean => Ok(()),
        // The log says why; standard error may be what nobody reads.
        Exit::Forced => Err(Failed { message: String::new(), code: 1 }),
    }
}
