use proptest::prelude::*;
use proptest::sample::select;

use super::super::{Lazy, canonical, parse};
use super::*;

/// What is read plainly, and what the parser that may refuse makes of the same text.
fn both(text: &[u8]) -> (Option<Plain>, Option<Value>) {
    (Plain::read(text), parse(text, 1 << 20).ok())
}

fn agree(text: &[u8]) -> bool {
    let (plain, tree) = both(text);
    let Some(plain) = plain else {
        return false;
    };
    let shown = String::from_utf8_lossy(text);
    let tree = tree.unwrap_or_else(|| panic!("`{shown}` is plain and no JSON"));
    assert_eq!(plain.tree(plain.root()), tree, "{shown}");
    // The order of members too, which equality does not look at.
    assert_eq!(plain.tree(plain.root()).to_string(), tree.to_string());
    let wanted = canonical(&tree).unwrap();
    let mut out = b"before".to_vec();
    plain.write(&mut out, plain.root());
    assert_eq!(out.strip_prefix(b"before"), Some(&*wanted), "{shown}");
    if let Some(text) = plain
        .canonical(plain.root())
        .filter(|_| plain.text_at(plain.root()).is_none())
    {
        assert_eq!(text.as_bytes(), wanted, "{shown}");
    }
    true
}

#[test]
fn what_is_plain_is_read() {
    for text in [
        "{}",
        " [ ] ",
        "0",
        "-1",
        "999999999999999",
        "null",
        "\"\"",
        r#"{"b":[true,false,null,{"d":1,"c":{}}],"a":"x y\/z"}"#
            .replace('\\', "")
            .as_str(),
        "\t{\r\n\"a\" : [ 1 , 2 ] }\n",
        r#"{"ä":"ö","z":"\u007f"}"#.replace("\\u007f", "\u{7f}").as_str(),
        &format!("{}{}", "[".repeat(64), "]".repeat(64)),
    ] {
        assert!(agree(text.as_bytes()), "{text}");
    }
    let canonical = Plain::read(br#"{"a":{"b":[1,"x"]},"c":0}"#).unwrap();
    assert!(canonical.canonical(canonical.root()).is_some());
}

#[test]
fn what_is_not_plain_is_left_alone() {
    for text in [
        // Refused by whoever reads it whole.
        "",
        " ",
        "{",
        "[1,]",
        "[,1]",
        r#"{"a":1,}"#,
        r#"{"a" 1}"#,
        r#"{a:1}"#,
        "01",
        "+1",
        "-",
        "1 2",
        "{}x",
        "nul",
        "nulls",
        "\"a",
        "\"\u{1}\"",
        "\"\n\"",
        "\u{feff}1",
        r#"{"a":1,"a":2}"#,
        r#"{"b":1,"a":2,"b":2}"#,
        r#"{"c":{"b":1,"a":2,"b":2}}"#,
        "\u{a0}1",
        &"[".repeat(65),
        &format!("{}{}", "[".repeat(65), "]".repeat(65)),
        // Read by it, and written otherwise.
        r#""\u0061""#,
        r#""\"""#,
        r#"{"\u0061":1,"a":2}"#,
        "-0",
        "1.5",
        "1.0",
        "1e2",
        "1E2",
        "1000000000000000",
        "9007199254740993",
        "1e400",
        "\"\u{e000}\"",
        "\"\u{1f600}\"",
    ] {
        assert!(!agree(text.as_bytes()), "{text}");
    }
    assert!(!agree(b"\"\xff\""));
}

#[test]
fn a_text_ends_at_its_quote_wherever_that_is() {
    for length in 0..40 {
        for last in ["\"", "\\\"", "\u{1f}\"", "\u{20}\"", "!\"", "\u{80}\"", ""] {
            let text = format!("\"{}{last},", "#".repeat(length));
            let found = until_quote(&text.as_bytes()[1..]);
            let is_plain = !matches!(last, "\\\"" | "\u{1f}\"" | "");
            let wanted = is_plain.then_some(length + last.len().saturating_sub(1));
            assert_eq!(found, wanted, "{text:?}");
        }
    }
}

#[test]
fn a_lazy_tree_has_what_was_left_out() {
    let plain = Plain::read(br#"{"a":{"b":1}}"#).unwrap();
    let lazy = Lazy::of(plain, vec![&["a", "c"], &["d"]]);
    let wanted = serde_json::json!({"a": {"b": 1, "c": {}}, "d": {}});
    assert_eq!(lazy, Lazy::from(wanted));
}

/// Texts that are JSON or nearly so.
fn texts() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "-?[0-9]{1,17}",
        "-?[0-9]{1,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{1,3})?",
        "\"[a-c \u{e9}e\u{301}\u{7f}\u{d7ff}\u{e000}]{0,12}\"",
        "\"[a\\\\u0061d8\"]{0,8}\"",
        select(vec!["null", "true", "false", "", "nul", "\u{feff}"]).prop_map(ToOwned::to_owned),
    ];
    let key = select(vec![
        "a", "b", "c", "", "\u{e9}", "\\u0061", "e\u{301}", "\u{fb33}",
    ]);
    let space = select(vec!["", "", "", " ", "\n\t", "\u{b}"]);
    leaf.prop_recursive(5, 40, 5, move |inner| {
        let members = prop::collection::vec((key.clone(), space.clone(), inner.clone()), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            members.prop_map(|members| {
                let member = |(key, space, value): &(&str, &str, String)| {
                    format!("{space}\"{key}\":{space}{value}")
                };
                let members: Vec<String> = members.iter().map(member).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_parser_that_refuses(text in texts()) {
        agree(text.as_bytes());
    }

    #[test]
    fn agrees_on_any_bytes(
        text in texts(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = text.into_bytes();
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        agree(&bytes);
    }
}
