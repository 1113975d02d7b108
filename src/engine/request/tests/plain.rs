//! Requests that are read without a tree, held against the same with one.

use super::*;

/// What the steps that build a tree make of the same bytes.
fn by_tree(bytes: &[u8]) -> Result<Request, RequestError> {
    let tree = json::parse(bytes, RequestLimits::default().bytes)?;
    Request::from_tree(tree, &|path| ProjectIdentity::RealPath(path.to_owned()))
}

/// Whether the bytes were read without a tree; in any case all is as with one.
fn agree(bytes: &[u8]) -> bool {
    let shown = String::from_utf8_lossy(bytes);
    let read = Request::from_json(bytes, &RequestLimits::default());
    let slow = by_tree(bytes);
    assert_eq!(read, slow, "{shown}");
    let (Ok(read), Ok(slow)) = (read, slow) else {
        return false;
    };
    assert_eq!(read.names(), slow.names(), "{shown}");
    // The order of members too, which equality does not look at, and `request normalize` prints.
    let (tree, wanted) = (read.attributes(), slow.attributes());
    assert_eq!(tree.to_string(), wanted.to_string());
    let preimage = slow.fingerprint_preimage().unwrap();
    assert_eq!(read.fingerprint_preimage().unwrap(), preimage);
    assert_eq!(read.fingerprint(), Sha256Digest::of(&preimage), "{shown}");
    // Leaves come in the order of the members, which a tree may not keep.
    let canonical = json::canonical(wanted).unwrap();
    let again = Request::from_json(&canonical, &RequestLimits::default()).unwrap();
    assert_eq!(
        again.leaves(),
        by_tree(&canonical).unwrap().leaves(),
        "{shown}"
    );
    read.names.is_some()
}

#[test]
fn requests_that_need_no_tree_are_read_without() {
    let minimal = json!({
        "subject": {"type": "user", "id": "zo\u{eb}"},
        "action": {"name": "a"},
        "resource": {"type": "t", "id": "r"},
    });
    for request in [authzen(), minimal] {
        assert!(agree(request.to_string().as_bytes()));
        let spread = serde_json::to_string_pretty(&request).unwrap();
        assert!(agree(spread.as_bytes()));
        let canonical = json::canonical(read(&request).unwrap().attributes()).unwrap();
        assert!(agree(&canonical));
        for (pointer, value) in [
            (
                "/action/properties",
                json!({"b": {"d": 1, "c": [null, {}]}, "a": "x"}),
            ),
            ("/context/request_id", json!("7")),
            ("/context/deep", json!({"time": 1, "trace_id": "t"})),
            ("/context/time", Value::Null),
        ] {
            if request.get("context").is_some() || !pointer.starts_with("/context") {
                let changed = with(request.clone(), pointer, Some(value));
                assert!(agree(changed.to_string().as_bytes()), "{pointer}");
            }
        }
    }
}

#[test]
fn requests_out_of_the_ordinary_are_read_as_ever() {
    for (pointer, value) in [
        ("/subject/id", json!(" ")),
        ("/subject/id", json!(7)),
        ("/subject/id", json!("a\u{200b}")),
        ("/subject/name", json!("a")),
        ("/subject/properties", Value::Null),
        ("/action/type", json!("a")),
        ("/action/id", json!("a")),
        ("/resource/name", json!("a")),
        ("/context", json!([])),
        ("/other", json!({})),
        ("/tool", json!("a")),
        ("/context/a", json!("e\u{301}")),
        ("/context/e\u{301}", json!(1)),
        ("/context/a", json!("\u{1f600}")),
        ("/context/a", json!("a\nb")),
        ("/context/a", json!(1.0)),
        ("/context/a", json!(0.5)),
    ] {
        let changed = with(authzen(), pointer, Some(value));
        assert!(!agree(changed.to_string().as_bytes()), "{pointer}");
    }
    for pointer in ["/subject", "/subject/id", "/action/name", "/resource/type"] {
        assert!(!agree(
            with(authzen(), pointer, None).to_string().as_bytes()
        ));
    }
    for other in [configuration(), tool_call(), json!([]), json!({})] {
        assert!(!agree(other.to_string().as_bytes()));
    }
    let text = authzen().to_string();
    for (from, to) in [
        ("\"alice\"", "\"alice\",\"id\":\"bob\""),
        ("\"alice\"", "\"alice\",\"\\u0069d\":\"bob\""),
        ("\"alice\"", "\"\\ud800\""),
        ("\"alice\"", "\"al\\u0069ce\""),
        ("\"payments\"", "1e400"),
        ("\"payments\"", "-0"),
        ("\"payments\"", "9007199254740993"),
        ("\"team\"", "\"\u{e9}\":1,\"e\u{301}\""),
    ] {
        assert!(!agree(text.replace(from, to).as_bytes()), "{from} {to}");
    }
    let deep = |depth: usize| {
        json!({"a": 0})
            .to_string()
            .replace('0', &("[".repeat(depth) + &"]".repeat(depth)))
    };
    for (depth, is_read) in [(60, true), (61, true), (62, false)] {
        let text = text.replace("\"payments\"", &deep(depth - 1));
        assert_eq!(agree(text.as_bytes()), is_read, "{depth}");
    }
}

/// A request with any value in some place, and perhaps any byte in another.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let change = prop::option::of((any::<prop::sample::Index>(), any::<u8>()));
    (values(), 0_usize..9, change).prop_map(|(value, at, change)| {
        let pointers = [
            "/subject",
            "/subject/properties",
            "/subject/properties/a",
            "/action/properties",
            "/action/properties/args",
            "/resource/id",
            "/resource/properties/z",
            "/context",
            "/context/a",
        ];
        let request = with(authzen(), "/action/properties", Some(json!({})));
        let request = with(request, "/resource/properties", Some(json!({})));
        let request = with(request, pointers[at], Some(value));
        let mut bytes = request.to_string().into_bytes();
        if let Some((at, byte)) = change {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

/// With more than is kept, in leaves and in the text, and out of order.
fn enlarged(request: &str) -> String {
    let members = (0..5_000).map(|number| format!("\"z{number}\":\"a longer text\","));
    let members: String = members.collect();
    request.replacen("\"context\":{", &format!("\"context\":{{{members}"), 1)
}

proptest! {
    #[test]
    fn a_request_is_the_same_with_and_without_a_tree(bytes in texts()) {
        agree(&bytes);
    }

    /// Nothing of one request is left in the next.
    #[test]
    fn a_request_is_the_same_in_the_memory_of_others(
        requests in prop::collection::vec((texts(), any::<bool>()), 1..12),
        large in any::<prop::sample::Index>(),
    ) {
        let large = large.index(requests.len() + 1);
        let mut memory = Memory::default();
        for (number, (bytes, is_kept)) in requests.into_iter().enumerate() {
            let bytes = match String::from_utf8(bytes) {
                Ok(text) if number == large => enlarged(&text).into_bytes(),
                Ok(text) => text.into_bytes(),
                Err(error) => error.into_bytes(),
            };
            let limits = RequestLimits::default();
            let project = |path: &str| ProjectIdentity::RealPath(path.to_owned());
            let again = Request::from_json_within(&bytes, &limits, &project, &mut memory);
            let fresh = Request::from_json(&bytes, &limits);
            let shown = |request: &Request| {
                (request.leaves().clone(), format!("{:?}", request.names()), request.attributes().to_string())
            };
            prop_assert_eq!(again.as_ref().map(shown), fresh.as_ref().map(shown));
            prop_assert_eq!(again.as_ref().map(Request::fingerprint), fresh.as_ref().map(Request::fingerprint));
            if let Ok(request) = again && is_kept {
                memory.take_back(request);
            }
        }
    }
}
