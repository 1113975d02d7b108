use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::*;

const LIMIT: usize = 1 << 20;

fn refused(text: &str) -> Diagnostic {
    read("a.yaml", text.as_bytes(), LIMIT).unwrap_err()
}

#[track_caller]
fn assert_refused(text: &str, code: Code, line: u32, column: u32, path: Option<&str>) {
    let found = refused(text);
    let location = found.location.clone().unwrap();
    assert_eq!(
        (
            found.code,
            location.line,
            location.column,
            found.path.as_deref()
        ),
        (code, line, column, path),
        "{found}"
    );
    assert!(found.hint.is_some(), "{found}");
}

#[test]
fn one_defect_each() {
    assert_refused("a: &x 1\n", Code::YAML_ALIAS, 1, 4, Some("a"));
    assert_refused("a: 1\nb: *x\n", Code::YAML_SYNTAX, 2, 4, Some("b"));
    assert_refused("a: !!str 1\n", Code::YAML_TAG, 1, 4, Some("a"));
    assert_refused("a: !own {}\n", Code::YAML_TAG, 1, 4, Some("a"));
    assert_refused("a:\n  <<: {b: 1}\n", Code::YAML_MERGE, 2, 3, Some("a"));
    assert_refused("a: 1\n\"a\": 2\n", Code::YAML_DUPLICATE_KEY, 2, 1, None);
    assert_refused(
        "l:\n- {b: 1, b: 2}\n",
        Code::YAML_DUPLICATE_KEY,
        2,
        10,
        Some("l[0]"),
    );
    assert_refused("a: 1\n---\nb: 1\n", Code::YAML_DOCUMENTS, 2, 1, None);
    assert_refused("? [a]\n: 1\n", Code::YAML_KEY, 1, 3, None);
    assert_refused("1: a\n", Code::YAML_KEY, 1, 1, None);
    assert_refused("true: a\n", Code::YAML_KEY, 1, 1, None);
    assert_refused("a: ~\n", Code::YAML_AMBIGUOUS_SCALAR, 1, 4, Some("a"));
    assert_refused("a: 0x1f\n", Code::YAML_AMBIGUOUS_SCALAR, 1, 4, Some("a"));
    assert_refused("a: 9007199254740993\n", Code::YAML_NUMBER, 1, 4, Some("a"));
    assert_refused("", Code::YAML_SYNTAX, 1, 1, None);
    assert_refused("\u{feff}a: 1\n", Code::YAML_ENCODING, 1, 1, None);
    assert_refused(
        &"[".repeat(65),
        Code::YAML_TOO_DEEP,
        1,
        65,
        Some(&"[0]".repeat(64)),
    );
    assert_eq!(refused("a: [1\n").code, Code::YAML_SYNTAX);
    assert_eq!(refused("a:\n\t- 1\n").code, Code::YAML_SYNTAX);
    let not_utf8 = read("a.yaml", b"a: 1\nb: \xff\n", LIMIT).unwrap_err();
    assert_eq!(not_utf8.code, Code::YAML_ENCODING);
    assert_eq!(not_utf8.to_string(), "a.yaml:2:4: the file is not UTF-8");
    assert_eq!(
        read("a.yaml", b"a: 1\n", 4).unwrap_err().code,
        Code::YAML_TOO_LARGE
    );
}

#[test]
fn what_two_parsers_read_differently_is_refused() {
    // YAML 1.1 breaks lines at U+0085 and U+2028, YAML 1.2 does not.
    for text in ["a: \"x\u{85}  y\"\n", "a: x\u{2028}  y\n"] {
        let found = read("a.yaml", text.as_bytes(), LIMIT);
        assert!(found.is_err(), "{text:?} {found:?}");
    }
}

#[test]
fn no_norway_problem() {
    let text = "[no, on, y, 'true', \"1\", true, 1, 1.5, null, 12:30, 2026-01-01, |\n  a\n]";
    let text = text.replace(", |\n  a\n", "");
    let value = read("a.yaml", text.as_bytes(), LIMIT).unwrap().value;
    let want = serde_json::json!([
        "no",
        "on",
        "y",
        "true",
        "1",
        true,
        1,
        1.5,
        null,
        "12:30",
        "2026-01-01"
    ]);
    assert_eq!(value, want);
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    name: String,
    #[serde(default)]
    numbers: Vec<u8>,
    #[serde(default)]
    inner: BTreeMap<String, Inner>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    flag: bool,
}

#[test]
fn fields_keep_serdes_path_and_place() {
    let problem = |text: &str| parse::<Typed>("a.yaml", text.as_bytes(), LIMIT).unwrap_err();
    let shown = |text: &str| problem(text).to_string();
    assert_eq!(
        shown("name: a\nother: 1\n"),
        "a.yaml:2:1: unknown field `other`, expected one of `name`, `numbers`, `inner` (`other`)"
    );
    assert_eq!(
        shown("name: a\ninner: {b: {flag: true, x: 1}}\n"),
        "a.yaml:2:25: unknown field `x`, expected `flag` (`inner.b.x`)"
    );
    assert_eq!(shown("numbers: []\n"), "a.yaml:1:1: missing field `name`");
    assert_eq!(
        shown("name: a\nnumbers: [1, x]\n"),
        "a.yaml:2:14: invalid type: string \"x\", expected an integer (`numbers[1]`)"
    );
    assert_eq!(
        shown("name: a\ninner:\n  b: [1]\n"),
        "a.yaml:3:6: invalid type: sequence, expected a mapping (`inner.b`)"
    );
    assert_eq!(
        shown("name: a\ninner: {b: {flag: 'true'}}\n"),
        "a.yaml:2:19: invalid type: string \"true\", expected a boolean (`inner.b.flag`)"
    );
    assert_eq!(
        shown("[1]\n"),
        "a.yaml:1:1: invalid type: sequence, expected a mapping"
    );
}

#[test]
fn text_fields_keep_the_spelling_of_plain_numbers() {
    let document = parse::<Typed>("a.yaml", b"name: 1.10\n", LIMIT).unwrap();
    assert_eq!(document.value.name, "1.10");
}

#[test]
fn parts_are_located() {
    let text = "rules:\n- id: a\n- id: b\n  match:\n    subject.id: x\n    \"a\\\"b\": [1,  2]\n";
    let spans = read("a.yaml", text.as_bytes(), LIMIT).unwrap().spans;
    let place = |path: &str| spans.locate(path).map(|found| (found.line, found.column));
    assert_eq!(place(""), Some((1, 1)));
    assert_eq!(place("rules"), Some((1, 1)));
    assert_eq!(place("rules[1]"), Some((3, 3)));
    assert_eq!(place("rules[1].id"), Some((3, 3)));
    let path = Path::top().key("rules").index(1).key("match");
    assert_eq!(place(&path.key("subject.id").to_string()), Some((5, 5)));
    assert_eq!(
        path.key("subject.id").to_string(),
        "rules[1].match[\"subject.id\"]"
    );
    assert_eq!(place(&path.key("a\"b").index(1).to_string()), Some((6, 18)));
    assert_eq!(place("rules[2]"), None);
    assert_eq!(place("rules[x"), None);
    let nearest = spans.nearest(&path.key("none").index(3));
    assert_eq!((nearest.line, nearest.column), (4, 3));
}

#[test]
fn hostile_documents_fail_fast() {
    let long_key = "k".repeat(400_000);
    let mut hostile = vec![
        "[".repeat(200_000),
        "{".repeat(200_000),
        "- ".repeat(200_000),
        "? ".repeat(200_000),
        "[{".repeat(100_000),
        "a: ".repeat(100_000),
        "&a ".repeat(100_000),
        "!".repeat(200_000),
        "%".repeat(200_000),
        "\"".to_owned() + &"\\".repeat(200_000),
        "{a: 1, ".repeat(100_000),
        format!(
            "a: &a [{}]\nb: [{}]",
            "x".repeat(100_000),
            "*a,".repeat(5_000)
        ),
    ];
    hostile.push("[\n".repeat(100_000));
    for text in &hostile {
        let begun = Instant::now();
        assert!(
            read("a.yaml", text.as_bytes(), LIMIT).is_err(),
            "{:.20}",
            text
        );
        let spent = begun.elapsed();
        assert!(
            spent < Duration::from_millis(500),
            "{:.20} took {spent:?}",
            text
        );
    }
    // A path table would hold this key once per item.
    let text = format!("{long_key}: [{}0]\n", "0,".repeat(200_000));
    let begun = Instant::now();
    let _ = read("a.yaml", text.as_bytes(), LIMIT);
    assert!(begun.elapsed() < Duration::from_secs(5));
}
