use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const MARK: &str = "-----BEGIN ";

/// The PEM that a configuration value stands for: PEM itself, base64 of it, or the path of a file that holds it, tried
/// in this order. Source: configuration-v6, section 1.
///
/// # Errors
/// It is none of the three. The value is repeated only if it looks like a path: what was meant to be a key may be secret.
pub(crate) fn resolve(value: &str) -> anyhow::Result<String> {
    if value.contains(MARK) {
        return Ok(value.to_owned());
    }
    let digits: String = value.split_ascii_whitespace().collect();
    let decoded = STANDARD.decode(digits).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(text) = decoded.filter(|text| text.contains(MARK)) {
        return Ok(text);
    }
    let is_path = value.contains('.') || value.starts_with('/');
    let text = match std::fs::read_to_string(value) {
        Ok(text) => text,
        Err(error) if is_path => return Err(error).with_context(|| format!("cannot read {value}")),
        Err(_) => bail!("neither PEM, nor base64 of PEM, nor the path of a file"),
    };
    if !text.contains(MARK) {
        bail!("the file holds no PEM");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";

    fn problem(value: &str) -> String {
        format!("{:#}", resolve(value).unwrap_err())
    }

    #[test]
    fn pem_base64_of_pem_and_a_path_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        std::fs::write(&file, PEM).unwrap();
        let encoded = STANDARD.encode(PEM);
        let wrapped = format!("{}\n  {}\n", &encoded[..20], &encoded[20..]);
        for value in [PEM, &encoded, &wrapped, file.to_str().unwrap()] {
            assert_eq!(resolve(value).unwrap(), PEM, "{value}");
        }
    }

    #[test]
    fn what_is_none_of_them_is_refused_and_a_would_be_key_is_not_repeated() {
        assert!(problem("/no/such/key.pem").starts_with("cannot read /no/such/key.pem: "));
        assert_eq!(problem("c2VjcmV0"), "neither PEM, nor base64 of PEM, nor the path of a file");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "secret").unwrap();
        assert_eq!(problem(file.to_str().unwrap()), "the file holds no PEM");
        assert!(problem(folder.path().to_str().unwrap()).starts_with("cannot read "));
    }
}
