use std::io::{self, BufReader, Read};

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Hands out a few bytes at a time, so that every chunk boundary is met.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(buffer.len()).min(self.0.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

/// What was read: `line:bytes` of requests, `line!CODE` of errors.
fn read_with(bytes: &[u8], limit: usize, step: usize) -> Vec<String> {
    let source = BufReader::with_capacity(step, Drip(bytes, step));
    let items: Vec<_> = RequestReader::new(source, &RequestLimits { bytes: limit }).collect();
    let mut indices = Vec::new();
    let items = items
        .into_iter()
        .map(|item| match item {
            Ok(raw) => {
                indices.push(raw.index);
                format!("{}:{}", raw.line, String::from_utf8_lossy(&raw.bytes))
            }
            Err(error) => {
                indices.extend(error.index());
                format!("{}!{}", error.line().unwrap_or_default(), error.code())
            }
        })
        .collect();
    assert!(indices.iter().copied().eq(0..indices.len()), "{indices:?}");
    items
}

fn read(text: &str) -> Vec<String> {
    let items = read_with(text.as_bytes(), 1 << 20, 4096);
    for step in [1, 2, 7] {
        assert_eq!(
            read_with(text.as_bytes(), 1 << 20, step),
            items,
            "step {step}"
        );
    }
    items
}

#[test]
fn one_request() {
    assert_eq!(read(r#"{"a":1}"#), [r#"1:{"a":1}"#]);
    assert_eq!(read("\r\n \t{\"a\":1}  \r\n\n"), ["2:{\"a\":1}"]);
    assert_eq!(read("{\n  \"a\": 1\n}\n"), ["1:{\n  \"a\": 1\n}"]);
}

#[test]
fn json_lines() {
    assert_eq!(
        read("{\"a\":1}\n\n \t\r\n{\"b\":2}\r\n{\"c\":3}"),
        ["1:{\"a\":1}", "4:{\"b\":2}", "5:{\"c\":3}"]
    );
}

#[test]
fn a_bad_line_takes_no_other_with_it() {
    assert_eq!(
        read("{\"a\":1}\nnot json\n{\"b\":}\n{\"c\":3}\n"),
        ["1:{\"a\":1}", "2:not json", "3:{\"b\":}", "4:{\"c\":3}"]
    );
    // Truncated within a text: the line cannot go on, so it is an item of its own.
    assert_eq!(
        read("{\"a\":\"x\n{\"b\":2}\n"),
        ["1:{\"a\":\"x", "2:{\"b\":2}"]
    );
    for cut in [
        "{\"a\":1",
        "{\"a\":",
        "{\"a\"",
        "{",
        "{\"a\":[",
        "{\"a\":[1,",
        "{\"a\":1,",
    ] {
        assert_eq!(
            read(&format!("{cut}\n{{\"b\":2}}\n{{\"c\":3}}\n")),
            ["1!E-REQUEST-014", "2:{\"b\":2}", "3:{\"c\":3}"],
            "{cut}"
        );
        assert_eq!(
            read(&format!("{{\"b\":2}}\n{cut}")),
            ["1:{\"b\":2}", "2!E-REQUEST-014"],
            "{cut}"
        );
    }
    assert_eq!(read("{]\n{\"b\":2}"), ["1:{]", "2:{\"b\":2}"]);
    assert_eq!(read("{} {\n{\"b\":2}"), ["1:{} {", "2:{\"b\":2}"]);
}

#[test]
fn requests_over_several_lines_may_follow_each_other() {
    let one = "{\n  \"a\": [\n{\"x\": \"}\\\"{\"},\n{}\n]\n}";
    assert_eq!(
        read(&format!("{one}\n{one}\n\n{{}}\n")),
        [format!("1:{one}"), format!("7:{one}"), "14:{}".to_owned()]
    );
    assert_eq!(
        read("{\n  \"a\": 1,\n{\n  \"b\": 2\n}\n"),
        ["1!E-REQUEST-014", "3:{\n  \"b\": 2\n}"]
    );
    assert_eq!(
        read("{\n  \"a\": ]\n  \"x\": 1\n}\n{\"b\":2}\n"),
        ["1!E-REQUEST-014", "5:{\"b\":2}"]
    );
}

#[test]
fn arrays() {
    assert_eq!(read("[]"), Vec::<String>::new());
    assert_eq!(read(" [ ] \r\n"), Vec::<String>::new());
    assert_eq!(
        read("[{\"a\":\"],\\\"\"},\n {\"b\":[1,{}]} , 3\n,\"x\" ]\n"),
        ["1:{\"a\":\"],\\\"\"}", "2:{\"b\":[1,{}]}", "2:3", "3:\"x\""]
    );
}

#[test]
fn broken_arrays_stop() {
    for (text, items) in [
        ("[", vec!["1!E-REQUEST-015"]),
        ("[{},\n", vec!["1:{}", "2!E-REQUEST-015"]),
        ("[{}", vec!["1!E-REQUEST-015"]),
        ("[1,]", vec!["1:1", "1!E-REQUEST-015"]),
        ("[,1]", vec!["1!E-REQUEST-015"]),
        ("[1,,2]", vec!["1:1", "1!E-REQUEST-015"]),
        ("[{]},1]", vec!["1!E-REQUEST-015"]),
        ("[1}", vec!["1!E-REQUEST-015"]),
        ("[\"x]", vec!["1!E-REQUEST-015"]),
        ("[1]\nx", vec!["1:1", "2!E-REQUEST-016"]),
        ("[1]\n[2]", vec!["1:1", "2!E-REQUEST-016"]),
        // What stands between two commas is one item, and no request.
        ("[{} {}]", vec!["1:{} {}"]),
    ] {
        assert_eq!(read(text), items, "{text}");
    }
    let deep = format!("[{},1]", "[".repeat(65));
    assert_eq!(read(&deep), ["1!E-REQUEST-015"]);
    let edge = format!("{}{}", "[".repeat(64), "]".repeat(64));
    assert_eq!(read(&format!("[{edge}]")), [format!("1:{edge}")]);
}

#[test]
fn what_is_no_input() {
    for text in ["", " \r\n\t\n"] {
        assert_eq!(read(text), ["0!E-REQUEST-017"]);
    }
    for bytes in [&b"\xef\xbb\xbf{}\n{}"[..], b"\xff\xfe{\0", b"\xfe\xff\0{"] {
        assert_eq!(read_with(bytes, 99, 1), ["1!E-REQUEST-013"]);
    }
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    let limits = RequestLimits::default();
    let mut reader = RequestReader::new(BufReader::new(Broken), &limits);
    assert!(matches!(
        reader.next(),
        Some(Err(InputError::Unreadable { line: 1, .. }))
    ));
    assert!(reader.next().is_none());
}

#[test]
fn a_request_over_the_limit_takes_no_other_with_it() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(40));
    let over_lines = format!("{{\n\"a\":\n\"{}\"\n}}", "x".repeat(40));
    for step in [1, 3, 4096] {
        let read = |text: String| read_with(text.as_bytes(), 16, step);
        assert_eq!(
            read(format!("{{}}\n{long}\n{{}}")),
            ["1:{}", "2!E-REQUEST-002", "3:{}"]
        );
        assert_eq!(
            read(format!("[{{}},{long}\n,{{}}]")),
            ["1:{}", "1!E-REQUEST-002", "2:{}"]
        );
        assert_eq!(
            read(format!("{over_lines}\n{{}}")),
            ["1!E-REQUEST-002", "5:{}"]
        );
        // Exactly at the limit, whatever ends the line.
        assert_eq!(read("{\"a\":\"1234567\"}  \r\n{}".to_owned()).len(), 2);
        assert_eq!(
            read("{\"a\":\"12345678\"}\r\n{}".to_owned())[0],
            "1:{\"a\":\"12345678\"}"
        );
        assert_eq!(
            read("{\"a\":\"123456789\"}\r\n{}".to_owned())[0],
            "1!E-REQUEST-002"
        );
    }
}

#[test]
fn a_request_can_be_read_without_a_copy_of_its_own() {
    let text = "{\"a\":1}\n{\n}\n[]x\n{";
    let limits = RequestLimits::default();
    let mut reader = RequestReader::new(text.as_bytes(), &limits);
    for item in RequestReader::new(text.as_bytes(), &limits) {
        let found = reader.read_next().unwrap();
        match (item, found) {
            (Ok(raw), Ok(found)) => {
                assert_eq!(raw.bytes, found.bytes);
                assert_eq!((raw.line, raw.index), (found.line, found.index));
            }
            (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
            (one, other) => panic!("{one:?}, {other:?}"),
        }
    }
    assert!(reader.read_next().is_none());
}

#[test]
fn hostile_streams_take_linear_time() {
    // Every line leaves something open: each is tried, and given up, in bounded time.
    let text = format!("{{\"a\":[\n{}", "{\"b\":[\n".repeat(20_000));
    let items = read_with(text.as_bytes(), 1 << 20, 4096);
    assert_eq!(items.len(), 20_001);
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i32>().prop_map(Value::from),
        "[\\[\\]{},:\"\\\\\n a]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[\\[{\",a]{0,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn objects() -> impl Strategy<Value = Vec<Value>> {
    let object = prop::collection::btree_map("[a-c\"]{0,2}", values(), 0..3)
        .prop_map(|map| Value::Object(map.into_iter().collect()));
    prop::collection::vec(object, 1..6)
}

fn parsed(bytes: &[u8], step: usize) -> Vec<Value> {
    let source = BufReader::with_capacity(step, Drip(bytes, step));
    RequestReader::new(source, &RequestLimits::default())
        .map(|raw| serde_json::from_slice(&raw.unwrap().bytes).unwrap())
        .collect()
}

proptest! {
    #[test]
    fn arrays_agree_with_serde_json(items in prop::collection::vec(values(), 0..6), step in 1_usize..9) {
        let compact = serde_json::to_vec(&items).unwrap();
        prop_assert_eq!(&parsed(&compact, step), &items);
        let pretty = serde_json::to_vec_pretty(&items).unwrap();
        prop_assert_eq!(&parsed(&pretty, step), &items);
    }

    #[test]
    fn lines_agree_with_serde_json(items in objects(), step in 1_usize..9, crlf: bool) {
        let end = if crlf { "\r\n" } else { "\n" };
        let lines: String = items.iter().map(|item| format!("{item}{end}")).collect();
        prop_assert_eq!(&parsed(lines.as_bytes(), step), &items);
        let pretty: String = items.iter().map(|item| format!("{item:#}{end}")).collect();
        prop_assert_eq!(&parsed(pretty.as_bytes(), step), &items);
    }

    #[test]
    fn what_is_no_array_never_passes_for_one(text in "\\[[\\[\\]{},:\"\\\\ 1a]{0,12}") {
        let items: Vec<_> = RequestReader::new(text.as_bytes(), &RequestLimits::default()).collect();
        let good = items.iter().all(|item| item.as_ref().is_ok_and(|raw| {
            serde_json::from_slice::<Value>(&raw.bytes).is_ok()
        }));
        prop_assert_eq!(good, serde_json::from_str::<Vec<Value>>(&text).is_ok());
    }

    #[test]
    fn a_line_is_scanned_in_one_pass_as_bit_by_bit(
        text in prop_oneof![
            "[\\[\\]{},:\"\\\\ 1a]{0,16}",
            Just(format!("{}{}", "[".repeat(64), "]".repeat(64))),
            Just("[".repeat(64)),
            Just("{".repeat(65)),
        ],
        rest in "[\n\"{]{0,3}",
    ) {
        let line = format!("{text}\n");
        let is_open = Open::default().feed_line(line.as_bytes()) == Scan::Open;
        let bytes = format!("{line}{rest}");
        prop_assert_eq!(scan_line(bytes.as_bytes()), Some((text.len(), is_open)));
        prop_assert_eq!(scan_line(text.as_bytes()), None);
    }

    #[test]
    fn cutting_a_line_leaves_the_others(items in objects(), at in any::<prop::sample::Index>()) {
        let line = items[0].to_string();
        let cut = &line.as_bytes()[..1 + at.index(line.len() - 1)];
        let mut stream = cut.to_vec();
        for item in &items {
            stream.extend_from_slice(format!("\n{item}").as_bytes());
        }
        let read: Vec<_> = RequestReader::new(&stream[..], &RequestLimits::default()).collect();
        prop_assert_eq!(read.len(), items.len() + 1);
        for (read, item) in read.iter().skip(1).zip(&items) {
            let raw = read.as_ref().unwrap();
            prop_assert_eq!(&serde_json::from_slice::<Value>(&raw.bytes).unwrap(), item);
        }
    }

    #[test]
    fn any_bytes_never_panic_and_always_end(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"{}[],\":\n\\ 1"[..])], 0..120),
        limit in 1_usize..40,
    ) {
        let count = RequestReader::new(&bytes[..], &RequestLimits { bytes: limit }).count();
        prop_assert!(count <= bytes.len() + 1);
    }
}
