//! Names of channels with which one command could be about keys in several slots of a cluster, or about the wrong keys.

/// One that the server takes, after a namespace and without one.
pub(crate) fn served() -> Vec<String> {
    let (long, braces) = ("x".repeat(4096), "}{".repeat(2048));
    let odd = [
        "}x",
        "{}",
        "{",
        "}",
        "}{",
        "{}x",
        "x{}",
        "a{b}c",
        "{a}b",
        "a}b",
        "a{b",
        "{{}}",
        "}}",
        "{{",
        "}{}",
        "{}{a}",
        "{%}",
        "{%}.encoded",
        "%7Dx",
        "\0",
        "}\0",
        "a\0b",
        "\r\n",
        "*",
        "[a-z]?",
        "\"\\",
        "a b",
        "\u{7f}",
        &long,
        &braces,
    ];
    let bare = odd.iter().map(|name| (*name).to_owned());
    let in_namespace = odd.iter().chain(&["", ":"]).map(|name| format!("all:{name}"));
    bare.chain(in_namespace).collect()
}

/// A name as a person reads it in a failure.
pub(crate) fn shown(name: &str) -> String {
    format!("{:?}", name.chars().take(20).collect::<String>())
}
