use super::*;

fn refusal(url: &str, issuer: Option<&str>, audience: Option<&str>) -> String {
    KeySetUrl::new(url, [issuer, audience], false).unwrap_err().to_string()
}

#[test]
fn a_group_must_be_a_list_of_values() {
    let url = "https://id.example/{{tenant}}/keys";
    let accepted = |pattern: &str| KeySetUrl::new(url, [Some(pattern), None], false).is_ok();
    for pattern in ["(?P<tenant>one)", "^x/(?<tenant>one|two-2|t_3)$", r"(?P<tenant>a\.b|c)"] {
        assert!(accepted(pattern), "{pattern}");
    }
    for pattern in
        ["(?P<tenant>.+)", "(?P<tenant>a|)", "(?P<tenant>a.b)", "(?P<tenant>[a-z]+)", "(?P<tenant>(a|b))"]
    {
        assert!(!accepted(pattern), "{pattern}");
    }
    // Both patterns may have the group, and then both must list.
    assert!(KeySetUrl::new(url, [Some("(?P<tenant>a)"), Some("(?P<tenant>a|b)")], false).is_ok());
    assert!(KeySetUrl::new(url, [Some("(?P<tenant>a)"), Some("(?P<tenant>.+)")], false).is_err());
}

#[test]
fn an_address_that_cannot_be_asked_is_refused() {
    assert!(refusal("ftp://id.example/keys", None, None).contains("neither http:// nor https://"));
    assert!(refusal("{{x}}://id.example", Some("(?P<x>a)"), None).contains("neither http:// nor https://"));
    assert!(refusal("https://id.example/{{x", None, None).contains("{{ without }}"));
    assert!(refusal("https://id.example/{{x}}", Some("(?P<y>a)"), None).contains("is no group of"));
    assert!(KeySetUrl::new("https://id.example/{{x}}", [None, None], true).is_err());
}

#[test]
fn claims_that_disagree_name_no_key_set() {
    let patterns =
        ["^(?P<tenant>a|b)$", "^(?P<tenant>a|b)$"].map(|pattern| regex::Regex::new(pattern).unwrap());
    let texts = patterns.each_ref().map(|pattern| Some(pattern.as_str()));
    let url = KeySetUrl::new("https://id.example/{{tenant}}", texts, false).unwrap();
    let fill = |issuer: &str, audience: &str| {
        url.fill([patterns[0].captures(issuer).as_ref(), patterns[1].captures(audience).as_ref()])
    };
    assert_eq!(fill("a", "a").as_deref(), Some("https://id.example/a"));
    assert_eq!(fill("a", "x").as_deref(), Some("https://id.example/a"));
    assert_eq!(fill("x", "b").as_deref(), Some("https://id.example/b"));
    assert_eq!(fill("a", "b"), None);
    assert_eq!(fill("x", "x"), None);
}
