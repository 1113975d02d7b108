use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::diag::Code;

mod plain;

fn read(value: &Value) -> Result<Request, RequestError> {
    Request::from_json(value.to_string().as_bytes(), &RequestLimits::default())
}

fn read_text(text: &str) -> Result<Request, RequestError> {
    Request::from_json(text.as_bytes(), &RequestLimits::default())
}

fn authzen() -> Value {
    json!({
        "subject": {"type": "user", "id": "alice", "properties": {"team": "payments"}},
        "action": {"name": "restore"},
        "resource": {"type": "database", "id": "ledger"},
        "context": {"environment": "production", "time": "2026-11-22T10:00:00Z"},
    })
}

fn configuration() -> Value {
    json!({
        "operation": "configure_server",
        "client": "claude-desktop",
        "scope": "project",
        "project": "https://alice:s3cret@git.example.com/acme/ledger.git",
        "server": {
            "name": "github",
            "package": "@modelcontextprotocol/server-github@2025.4.8",
            "command": "npx -y @modelcontextprotocol/server-github@2025.4.8",
        },
        "args": {"env": {"GITHUB_TOKEN": "${input:token}"}},
    })
}

fn tool_call() -> Value {
    json!({
        "tool": "ssh-exec",
        "operation": "restart-service",
        "args": {"service": "nginx"},
        "caller": {"id": "bob", "capabilities": ["ssh-linux"], "groups": ["sre"]},
        "target": "web-1.example.com",
    })
}

#[test]
fn the_canonical_form_gains_what_it_leaves_out() {
    let request = read(&authzen()).unwrap();
    assert_eq!(request.form(), Form::Authzen);
    assert_eq!(
        request.attributes(),
        &json!({
            "subject": {"type": "user", "id": "alice", "properties": {"team": "payments"}},
            "action": {"name": "restore", "properties": {}},
            "resource": {"type": "database", "id": "ledger", "properties": {}},
            "context": {"environment": "production", "time": "2026-11-22T10:00:00Z"},
        })
    );
}

#[test]
fn a_configuration_operation_becomes_canonical() {
    let request = read(&configuration()).unwrap();
    assert_eq!(request.form(), Form::Configuration);
    let project = Sha256Digest::of(b"git.example.com/acme/ledger").to_string();
    assert_eq!(
        request.attributes(),
        &json!({
            "subject": {"type": "client", "id": "claude-desktop", "properties": {}},
            "action": {
                "name": "configure_server",
                "properties": {"args": {"env": {"GITHUB_TOKEN": "${input:token}"}}},
            },
            "resource": {
                "type": "mcp_server",
                "id": "package:@modelcontextprotocol/server-github",
                "properties": {
                    "name": "github",
                    "package": "@modelcontextprotocol/server-github@2025.4.8",
                    "command": "npx -y @modelcontextprotocol/server-github@2025.4.8",
                    "version": "2025.4.8",
                },
            },
            "context": {"scope": "project", "project": project},
        })
    );
    let mapped: Vec<_> = request
        .mapping()
        .iter()
        .map(|mapped| (mapped.to, mapped.from))
        .collect();
    assert!(mapped.contains(&("resource.id", Some("server.package"))));
    assert!(mapped.contains(&("subject.type", None)));
}

#[test]
fn a_server_is_what_runs_before_what_it_is_called() {
    let id = |server: Value| {
        let request = json!({"operation": "remove_server", "client": "c", "server": server});
        let request = read(&request).unwrap();
        request.attributes()["resource"]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (name, command) = ("github", "docker  run\t-i ghcr.io/x");
    let url = "https://u:p@MCP.example.com/sse?key=s3cret";
    assert_eq!(
        id(json!({"name": name, "command": command, "url": url, "package": "x==1"})),
        "package:x"
    );
    assert_eq!(
        id(json!({"name": name, "command": command, "url": url})),
        "url:https://mcp.example.com/sse"
    );
    assert_eq!(
        id(json!({"name": name, "command": command})),
        "command:docker run -i ghcr.io/x"
    );
    assert_eq!(id(json!({"name": name})), "name:github");
}

#[test]
fn a_configuration_without_a_server_is_its_own_resource() {
    let request = read(&json!({"operation": "apply_stack", "client": "c", "args": ["web"]}));
    assert_eq!(
        request.unwrap().attributes()["resource"],
        json!({"type": "mcp_configuration", "id": "c", "properties": {}})
    );
}

#[test]
fn the_caller_says_what_a_project_is() {
    let with = |project: &str, identity: fn(&str) -> ProjectIdentity| {
        let request = json!({"operation": "restore", "client": "c", "project": project});
        let bytes = request.to_string();
        let limits = RequestLimits::default();
        let request = Request::from_json_in(bytes.as_bytes(), &limits, &identity).unwrap();
        request.attributes()["context"]["project"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let found = |_: &str| ProjectIdentity::Remote("git@git.example.com:acme/ledger".to_owned());
    let digest = Sha256Digest::of(b"git.example.com/acme/ledger").to_string();
    assert_eq!(with("/home/alice/ledger", found), digest);
    let never = |_: &str| ProjectIdentity::RealPath("never asked".to_owned());
    assert_eq!(with("ssh://git.example.com/acme/ledger", never), digest);
    assert_eq!(with(&digest, never), digest);
}

#[test]
fn a_tool_call_becomes_canonical() {
    let request = read(&tool_call()).unwrap();
    assert_eq!(request.form(), Form::ToolCall);
    assert_eq!(
        request.attributes(),
        &json!({
            "subject": {
                "type": "user",
                "id": "bob",
                "properties": {"capabilities": ["ssh-linux"], "groups": ["sre"]},
            },
            "action": {
                "name": "ssh-exec",
                "properties": {"operation": "restart-service", "args": {"service": "nginx"}},
            },
            "resource": {"type": "target", "id": "web-1.example.com", "properties": {}},
            "context": {},
        })
    );
    let request = read(&json!({"tool": "t", "caller": {"id": "b"}})).unwrap();
    assert_eq!(
        request.attributes()["resource"],
        json!({"type": "tool", "id": "t", "properties": {}})
    );
    let target = json!({"type": "host", "id": "h", "properties": {"os": "linux"}});
    let request = read(&json!({"tool": "t", "caller": {"id": "b"}, "target": target})).unwrap();
    assert_eq!(request.attributes()["resource"], target);
}

/// The request with one member replaced; an absent value removes it.
fn with(mut request: Value, pointer: &str, value: Option<Value>) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = request
        .pointer_mut(parent)
        .unwrap()
        .as_object_mut()
        .unwrap();
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => parent.remove(name),
    };
    request
}

#[test]
fn one_defect_one_refusal() {
    let put = |request: Value, pointer: &str, value: Value| with(request, pointer, Some(value));
    let cut = |request: Value, pointer: &str| with(request, pointer, None);
    let cases: Vec<(Value, Code, &str)> = vec![
        (json!([1]), Code::REQUEST_NOT_AN_OBJECT, "a list"),
        (json!(null), Code::REQUEST_NOT_AN_OBJECT, "null"),
        (json!({}), Code::REQUEST_UNRECOGNISED, "none"),
        (
            json!({"operation": "restore", "args": {}}),
            Code::REQUEST_UNRECOGNISED,
            "`args`, `operation`",
        ),
        (
            put(authzen(), "/tool", json!("t")),
            Code::REQUEST_MIXED,
            "`tool`",
        ),
        (
            put(configuration(), "/caller", json!({"id": "x"})),
            Code::REQUEST_MIXED,
            "`caller`",
        ),
        (
            put(authzen(), "/evaluations", json!([])),
            Code::REQUEST_UNKNOWN_MEMBER,
            "`evaluations`",
        ),
        (
            put(authzen(), "/subject/team", json!("x")),
            Code::REQUEST_UNKNOWN_MEMBER,
            "`subject.team`",
        ),
        (
            put(authzen(), "/action/type", json!("x")),
            Code::REQUEST_UNKNOWN_MEMBER,
            "`action.type`",
        ),
        (
            put(configuration(), "/server/pakage", json!("x")),
            Code::REQUEST_UNKNOWN_MEMBER,
            "`server.pakage`",
        ),
        (
            put(tool_call(), "/caller/role\u{1b}", json!("x")),
            Code::REQUEST_UNKNOWN_MEMBER,
            r"`caller.role\u{1b}`",
        ),
        (
            put(tool_call(), "/context", json!({})),
            Code::REQUEST_MIXED,
            "`context`",
        ),
        (
            cut(authzen(), "/action"),
            Code::REQUEST_MISSING_MEMBER,
            "`action`",
        ),
        (
            cut(authzen(), "/resource/type"),
            Code::REQUEST_MISSING_MEMBER,
            "`resource.type`",
        ),
        (
            cut(configuration(), "/client"),
            Code::REQUEST_MISSING_MEMBER,
            "`client`",
        ),
        (
            cut(configuration(), "/server"),
            Code::REQUEST_MISSING_MEMBER,
            "`server`",
        ),
        (
            put(configuration(), "/server", json!({})),
            Code::REQUEST_MISSING_MEMBER,
            "`server.package`",
        ),
        (
            cut(tool_call(), "/caller/id"),
            Code::REQUEST_MISSING_MEMBER,
            "`caller.id`",
        ),
        (
            put(authzen(), "/context", json!(null)),
            Code::REQUEST_WRONG_TYPE,
            "`context` is null",
        ),
        (
            put(authzen(), "/subject/id", json!(7)),
            Code::REQUEST_WRONG_TYPE,
            "`subject.id` is a number",
        ),
        (
            put(tool_call(), "/caller/groups", json!("sre")),
            Code::REQUEST_WRONG_TYPE,
            "`caller.groups` is a text",
        ),
        (
            put(tool_call(), "/caller/groups", json!(["sre", 1])),
            Code::REQUEST_WRONG_TYPE,
            "`caller.groups[1]` is a number",
        ),
        (
            put(tool_call(), "/target", json!(["a", "b"])),
            Code::REQUEST_WRONG_TYPE,
            "`target` is a list",
        ),
        (
            put(
                configuration(),
                "/server",
                json!({"url": "mcp.example.com"}),
            ),
            Code::REQUEST_WRONG_TYPE,
            "`server.url`",
        ),
        (
            put(authzen(), "/subject/id", json!(" \u{a0}")),
            Code::REQUEST_EMPTY,
            "`subject.id`",
        ),
        (
            put(tool_call(), "/target", json!("")),
            Code::REQUEST_EMPTY,
            "`target`",
        ),
        (
            put(
                authzen(),
                "/context/a",
                json!([{"\u{e9}": 1, "e\u{301}": 2}]),
            ),
            Code::REQUEST_KEY_COLLISION,
            "`context.a[0]`",
        ),
        (
            put(configuration(), "/operation", json!("configure_servr")),
            Code::REQUEST_UNKNOWN_OPERATION,
            "`configure_servr`",
        ),
    ];
    for (request, code, part) in cases {
        let error = read(&request).expect_err(&request.to_string());
        assert_eq!(error.code(), code, "{request}: {error}");
        assert!(error.to_string().contains(part), "{error} lacks {part}");
        assert!(!error.to_string().contains('\u{1b}'), "{error:?}");
    }
}

#[test]
fn json_that_readers_disagree_on_is_refused() {
    let request = |n: &str| {
        format!(
            r#"{{"subject":{{"type":"u","id":"a"}},"action":{{"name":"x"}},"resource":{{"type":"r","id":"b"}},"context":{{"n":{n}}}}}"#
        )
    };
    assert!(read_text(&request("9007199254740991")).is_ok());
    assert!(read_text(&request("-9007199254740991")).is_ok());
    for n in [
        "9007199254740992",
        "-9007199254740992",
        "9007199254740992.0",
        "1e400",
    ] {
        let error = read_text(&request(n)).unwrap_err();
        assert_eq!(error.code(), Code::REQUEST_JSON, "{n}");
        assert!(error.position().is_some());
    }
    assert_eq!(
        read_text(&request(r#"1,"n":2"#)).unwrap_err().code(),
        Code::REQUEST_JSON
    );
    let limits = RequestLimits { bytes: 8 };
    let error = Request::from_json(request("1").as_bytes(), &limits).unwrap_err();
    assert_eq!(error.code(), Code::REQUEST_TOO_LARGE);
}

#[test]
fn the_fingerprint_is_sha256_of_the_documented_bytes() {
    let request = read(&authzen()).unwrap();
    let preimage = request.fingerprint_preimage().unwrap();
    assert_eq!(
        String::from_utf8(preimage.clone()).unwrap(),
        r#"{"action":{"name":"restore","properties":{}},"context":{"environment":"production"},"resource":{"id":"ledger","properties":{},"type":"database"},"subject":{"id":"alice","properties":{"team":"payments"},"type":"user"}}"#
    );
    assert_eq!(request.fingerprint(), Sha256Digest::of(&preimage));
    // Computed by `printf … | sha256sum`; a change breaks every fingerprint on record.
    assert_eq!(request.fingerprint().to_string(), PINNED);
}

const PINNED: &str = "sha256:80ffcf7c4be064f5936bf8d80c0a12ae3165a7c47aad41c8600340856ea14ba2";

#[test]
fn volatile_members_leave_the_fingerprint_alone_and_rules_see_them() {
    let plain = read(&authzen()).unwrap();
    let mut request = authzen();
    for name in VOLATILE {
        request = with(request, &format!("/context/{name}"), Some(json!("other")));
    }
    let other = read(&request).unwrap();
    assert_eq!(plain.fingerprint(), other.fingerprint());
    assert_eq!(other.attributes()["context"]["trace_id"], "other");
    assert_eq!(
        read(&with(
            authzen(),
            "/context",
            Some(json!({"environment": "production"}))
        ))
        .unwrap()
        .fingerprint(),
        plain.fingerprint()
    );
    // Only there: the same names elsewhere count.
    let deeper = with(authzen(), "/context/a", Some(json!({"time": 1})));
    let deepest = with(authzen(), "/context/a", Some(json!({"time": 2})));
    assert_ne!(
        read(&deeper).unwrap().fingerprint(),
        read(&deepest).unwrap().fingerprint()
    );
}

#[test]
fn spelling_leaves_the_fingerprint_alone() {
    let one = r#"{"subject":{"type":"user","id":"Ren\u00e9"},"action":{"name":"x"},"resource":{"type":"r","id":"b"},"context":{"n":1,"é":-0.0}}"#;
    let two = "{ \"context\": {\"e\u{301}\": 0, \"n\": 1.0},\r\n \"resource\":{\"id\":\"b\",\"properties\":{},\"type\":\"r\"},\"action\":{\"name\":\"x\"},\"subject\":{\"id\":\"Rene\u{301}\",\"type\":\"user\"}}";
    let (one, two) = (read_text(one).unwrap(), read_text(two).unwrap());
    assert_eq!(one.fingerprint(), two.fingerprint());
    assert_eq!(one.attributes(), two.attributes());
}

#[test]
fn meaning_changes_the_fingerprint() {
    let plain = read(&authzen()).unwrap().fingerprint();
    for (pointer, value) in [
        ("/subject/id", json!("Alice")),
        ("/action/properties", json!({"args": {}})),
        ("/context/environment", json!("staging")),
        ("/context/replicas", json!("3")),
    ] {
        let changed = read(&with(authzen(), pointer, Some(value))).unwrap();
        assert_ne!(changed.fingerprint(), plain, "{pointer}");
    }
}

#[test]
fn names_are_what_they_look_like() {
    let places = [
        (authzen(), "/subject/type", "subject.type"),
        (authzen(), "/subject/id", "subject.id"),
        (authzen(), "/action/name", "action.name"),
        (authzen(), "/resource/type", "resource.type"),
        (authzen(), "/resource/id", "resource.id"),
        (configuration(), "/client", "client"),
        (configuration(), "/server/package", "server.package"),
        (tool_call(), "/tool", "tool"),
        (tool_call(), "/caller/id", "caller.id"),
        (tool_call(), "/target", "target"),
    ];
    for (request, pointer, path) in places {
        for hidden in [
            '\u{200b}',
            '\u{202e}',
            '\u{7}',
            '\u{9b}',
            '\u{ad}',
            '\u{fe0f}',
            '\u{e0041}',
        ] {
            let found = read(&with(
                request.clone(),
                pointer,
                Some(json!(format!("a{hidden}b"))),
            ));
            let path = path.to_owned();
            let character = hidden;
            assert_eq!(
                found,
                Err(RequestError::Hidden { path, character }),
                "{pointer}"
            );
        }
        for seen in ["zoë", "名前", "a b", "Ω~"] {
            assert!(
                read(&with(request.clone(), pointer, Some(json!(seen)))).is_ok(),
                "{pointer} {seen}"
            );
        }
    }
    let data = with(authzen(), "/context/command", Some(json!("echo\n\u{202e}")));
    assert!(read(&data).is_ok(), "data may hold anything");
    assert_eq!(
        read(&with(authzen(), "/subject/id", Some(json!("a\u{200d}"))))
            .unwrap_err()
            .code(),
        Code::REQUEST_HIDDEN
    );
}

/// Any JSON value that a request may hold, with texts that normalisation changes.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        "[ae\u{301}\u{e9}\u{212b}.]{0,4}".prop_map(Value::from),
        ".{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ae\u{301}\u{e9}]{0,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Request::from_json(&bytes, &RequestLimits::default());
    }

    #[test]
    fn any_value_anywhere_never_panics(value in values(), at in 0_usize..12) {
        let pointers = [
            "/subject", "/subject/id", "/context", "/server", "/server/url", "/server/package", "/project",
            "/caller", "/caller/groups", "/target", "/args", "/operation",
        ];
        for request in [authzen(), configuration(), tool_call()] {
            let parent = pointers[at].rsplit_once('/').unwrap().0;
            if request.pointer(parent).is_some_and(Value::is_object) {
                let _ = read(&with(request, pointers[at], Some(value.clone())));
            }
        }
    }

    #[test]
    fn the_canonical_form_is_a_fixed_point(value in values()) {
        let request = with(authzen(), "/context/value", Some(value));
        if let Ok(first) = read(&request) {
            let canonical = json::canonical(first.attributes()).unwrap();
            let second = Request::from_json(&canonical, &RequestLimits::default()).unwrap();
            prop_assert_eq!(first.attributes(), second.attributes());
            prop_assert_eq!(first.fingerprint(), second.fingerprint());
        }
    }
}
