use super::*;

#[derive(Clone, Default)]
struct Given {
    op: &'static str,
    key: &'static str,
    cmp: &'static str,
    val: String,
    vals: Vec<String>,
    nodes: Vec<Given>,
}

fn view(given: &Given) -> NodeView<'_, Given> {
    let Given { op, key, cmp, val, vals, nodes } = given;
    NodeView { op, key, cmp, val, vals, nodes }
}

fn leaf(key: &'static str, cmp: &'static str, val: &str, vals: &[&str]) -> Given {
    let vals = vals.iter().map(|&value| value.to_owned()).collect();
    Given { key, cmp, val: val.to_owned(), vals, ..Given::default() }
}

fn group(op: &'static str, nodes: &[Given]) -> Given {
    Given { op, nodes: nodes.to_vec(), ..Given::default() }
}

/// `tag` is the value of the tag `t`; there is always another tag.
fn check(given: &Given, tag: Option<&str>, expected: bool) {
    let filter = Filter::new(given, view).unwrap();
    let mut tags = Tags::from([("other".to_owned(), "x".to_owned())]);
    tags.extend(tag.map(|value| ("t".to_owned(), value.to_owned())));
    assert_eq!(filter.admits(&tags), expected, "{filter:?} of {tags:?}");
}

#[test]
fn every_comparison_admits_what_its_row_says() {
    type Case = (&'static str, &'static str, &'static [&'static str], Tagged, Tagged);
    type Tagged = &'static [Option<&'static str>];
    let cases: [Case; 13] = [
        ("eq", "a", &[], &[Some("a")], &[Some("b"), Some("aa"), Some(""), None]),
        ("neq", "a", &[], &[Some("b"), Some(""), None], &[Some("a")]),
        ("in", "", &["b", "a", "b"], &[Some("a"), Some("b")], &[Some("c"), Some(""), None]),
        ("nin", "", &["b", "a"], &[Some("c"), Some(""), None], &[Some("a"), Some("b")]),
        ("ex", "", &[], &[Some("a"), Some("")], &[None]),
        ("nex", "", &[], &[None], &[Some("a"), Some("")]),
        ("sw", "ab", &[], &[Some("ab"), Some("abc")], &[Some("cab"), Some("a"), None]),
        ("ew", "ab", &[], &[Some("ab"), Some("cab")], &[Some("abc"), Some("b"), None]),
        ("ct", "ab", &[], &[Some("ab"), Some("cabc")], &[Some("acb"), None]),
        ("gt", "9.5", &[], &[Some("10"), Some("9.51")], &[Some("9.5"), Some("9"), Some("x"), Some(""), None]),
        ("gte", "9.5", &[], &[Some("10"), Some("9.50")], &[Some("9.49"), Some("-10"), Some("1e9"), None]),
        ("lt", "-1", &[], &[Some("-2"), Some("-1.1")], &[Some("-1"), Some("0"), Some(" -2"), None]),
        ("lte", "-1", &[], &[Some("-1.0"), Some("-2")], &[Some("-0.9"), Some("1"), None]),
    ];
    for (cmp, val, vals, admitted, refused) in cases {
        for tag in admitted {
            check(&leaf("t", cmp, val, vals), *tag, true);
        }
        for tag in refused {
            check(&leaf("t", cmp, val, vals), *tag, false);
        }
    }
}

#[test]
fn a_missing_tag_counts_as_the_empty_text_in_lists() {
    check(&leaf("t", "in", "", &["", "a"]), None, true);
    check(&leaf("t", "nin", "", &["", "a"]), None, false);
}

#[test]
fn a_comparison_with_what_is_no_number_is_never_true() {
    for cmp in ["gt", "gte", "lt", "lte"] {
        check(&leaf("t", cmp, "many", &[]), Some("1"), false);
        check(&leaf("t", cmp, "many", &[]), Some("many"), false);
    }
}

#[test]
fn operations_combine_their_children() {
    let (starts, ends) = (leaf("t", "sw", "a", &[]), leaf("t", "ew", "z", &[]));
    for (tag, all, any) in [("az", true, true), ("ab", false, true), ("bz", false, true), ("b", false, false)]
    {
        let both = [starts.clone(), ends.clone()];
        check(&group("and", &both), Some(tag), all);
        check(&group("or", &both), Some(tag), any);
        check(&group("not", &[group("or", &both)]), Some(tag), !any);
    }
    check(&group("and", std::slice::from_ref(&starts)), Some("a"), true);
}

#[test]
fn members_that_a_node_has_no_use_for_are_ignored() {
    let child = leaf("t", "ex", "", &[]);
    let stray = Given { nodes: vec![group("xor", &[])], ..child.clone() };
    check(&stray, Some("a"), true);
    let stray = Given { op: "not", nodes: vec![child], ..leaf("t", "nonsense", "a", &["b"]) };
    check(&stray, Some("a"), false);
    check(&leaf("", "nex", "", &[]), Some("a"), true);
}

#[test]
fn malformed_filters_are_refused() {
    let good = leaf("t", "ex", "", &[]);
    let cases = [
        (Given::default(), InvalidFilter::Comparison),
        (leaf("t", "", "a", &[]), InvalidFilter::Comparison),
        (leaf("t", "EQ", "a", &[]), InvalidFilter::Comparison),
        (group("xor", &[]), InvalidFilter::Operation),
        (group("and", &[]), InvalidFilter::Children),
        (group("or", &[]), InvalidFilter::Children),
        (group("not", &[]), InvalidFilter::Children),
        (group("not", &[good.clone(), good.clone()]), InvalidFilter::Children),
        (leaf("", "eq", "a", &[]), InvalidFilter::Key),
        (leaf("", "in", "", &["a"]), InvalidFilter::Key),
        (leaf("t", "eq", "", &[]), InvalidFilter::Value),
        (leaf("t", "eq", "a", &["b"]), InvalidFilter::Value),
        (leaf("t", "gt", "", &["1"]), InvalidFilter::Value),
        (leaf("t", "in", "", &[]), InvalidFilter::Value),
        (leaf("t", "in", "a", &["b"]), InvalidFilter::Value),
        (leaf("t", "ex", "a", &[]), InvalidFilter::Value),
        (leaf("t", "nex", "", &["a"]), InvalidFilter::Value),
        (group("and", &[good, group("or", &[Given::default()])]), InvalidFilter::Comparison),
    ];
    for (given, expected) in cases {
        assert_eq!(Filter::new(&given, view), Err(expected));
    }
}

#[test]
fn depth_and_size_have_a_bound() {
    let good = leaf("t", "ex", "", &[]);
    let nested = |levels: usize| (1..levels).fold(good.clone(), |inner, _| group("not", &[inner]));
    assert!(Filter::new(&nested(32), view).is_ok());
    assert_eq!(Filter::new(&nested(33), view), Err(InvalidFilter::TooLarge));
    assert!(Filter::new(&group("or", &vec![good.clone(); 999]), view).is_ok());
    assert_eq!(Filter::new(&group("or", &vec![good; 1000]), view), Err(InvalidFilter::TooLarge));
}
