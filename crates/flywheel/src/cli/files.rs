use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::ArgMatches;
use flywheel_config::{Format, Secrets, default_tree, generated_tree, render};
use flywheel_runtime::Random;
use flywheel_server::ConfigSource;

use super::{Failed, Outcome, arguments, print};

/// `genconfig`. Source of the secrets' lengths: configuration-v6, section 1.
pub(super) fn generate(matches: &ArgMatches) -> Outcome {
    let random = Random::system();
    let [token, admin_secret, api_key] = [(); 3].map(|()| secret(&random, 64));
    let password = secret(&random, 16);
    let tree = generated_tree(&Secrets {
        token_hmac_secret_key: &token,
        admin_password: &password,
        admin_secret: &admin_secret,
        http_api_key: &api_key,
    });
    write_new(matches, &tree)
}

/// `checkconfig`.
pub(super) fn check(matches: &ArgMatches) -> Outcome {
    let source = ConfigSource { file_required: true, ..arguments::source(matches) };
    let (loaded, _) = source.load()?;
    for warning in &loaded.warnings {
        writeln!(std::io::stderr(), "warning: {warning}")?;
    }
    Ok(())
}

/// `defaultconfig`.
pub(super) fn defaults(matches: &ArgMatches) -> Outcome {
    let tree = default_tree();
    if matches.get_flag("dry-run") {
        return print(&render(&tree, Format::Json));
    }
    write_new(matches, &tree)
}

/// Random bytes as a text.
pub(super) fn secret(random: &Random, length: usize) -> String {
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Writes a file that does not exist, readable for its owner only.
fn write_new(matches: &ArgMatches, tree: &serde_json::Value) -> Outcome {
    let file = matches.get_one::<String>("config").map_or("config.json", String::as_str);
    let format = Format::of(file).ok_or_else(|| Failed {
        message: format!("{file}: the name of a configuration file ends in .json, .yaml, .yml or .toml"),
        code: 1,
    })?;
    let failed = |error: std::io::Error| Failed { message: format!("{file}: {error}"), code: 1 };
    let mut created =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
    created.write_all(render(tree, format).as_bytes()).map_err(failed)
}
