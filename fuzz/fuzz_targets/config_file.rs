//! No configuration file makes the reader panic. A first byte of 0 to 2 chooses the format; any
//! other one belongs to the text already, which is then read in all formats.
#![no_main]

use flywheel_config::{File, Format, LoadOptions, Sources, load};
use libfuzzer_sys::fuzz_target;

const FORMATS: [(&str, Format); 3] =
    [("config.json", Format::Json), ("config.yaml", Format::Yaml), ("config.toml", Format::Toml)];

fuzz_target!(|data: &[u8]| {
    let (formats, text) = match data.split_first() {
        Some((choice @ 0..3, text)) => (&FORMATS[usize::from(*choice)..][..1], text),
        _ => (&FORMATS[..], data),
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    for &(name, format) in formats {
        let sources = Sources { file: Some(File { name, text, format }), ..Sources::default() };
        for lenient in [false, true] {
            if let Err(errors) = load(&sources, LoadOptions { lenient }) {
                assert!(!errors.is_empty(), "refused without a reason");
            }
        }
    }
});
