//! Bad input for every kind of file, through the built program: the exit code and the diagnostic first, then the whole
//! answer as a snapshot. No answer holds a control character that a terminal would obey, or a name of a Rust type.

use super::support::Output;
use super::vectors::machine::{Site, at_revision, code_of};

const GOOD: &str = r#"{"subject":{"type":"user","id":"sam"},"action":{"name":"read"},"resource":{"type":"t","id":"r"}}"#;

/// A case: what it is, the file's bytes, the exit code, the diagnostic.
type Case = (&'static str, &'static [u8], i32, &'static str);

/// A case of the log: what it is, the change, which file, the exit code, what is said.
type LogCase = (
    &'static str,
    fn(&mut Vec<u8>),
    &'static str,
    i32,
    &'static str,
);

/// Holds an answer to what every answer must be.
#[track_caller]
fn hold(name: &str, output: &Output, exit: i32, code: &str) {
    assert_eq!(output.status, Some(exit), "{name}\n{output}");
    let found = code_of(output).map_or("none", |code| code.id);
    assert_eq!(found, code, "{name}\n{output}");
    is_fit_for_a_terminal(name, output);
}

#[track_caller]
fn is_fit_for_a_terminal(name: &str, output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        let bad = text.chars().find(|c| {
            (c.is_control() && *c != '\n')
                || matches!(*c, '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        });
        assert_eq!(bad, None, "{name}\n{output}");
        for rust in [
            "Some(", "None,", "Err(", "struct ", "panicked", "variant", "core::", "serde", "RUST_",
        ] {
            assert!(!text.contains(rust), "{name} says {rust}\n{output}");
        }
    }
}

/// Writes each case to `path`, runs the command, and shows all answers.
#[track_caller]
fn answers(site: &Site, path: &str, arguments: &[&str], cases: &[Case]) -> String {
    let mut all = String::new();
    for (name, bytes, exit, code) in cases {
        site.env.write(path, bytes);
        let output = site.ordain(arguments);
        hold(name, &output, *exit, code);
        all.push_str(&format!("## {name}\n{output}\n"));
    }
    all
}

fn site() -> Site {
    Site::new(&at_revision(6))
}

#[test]
fn ordain_yaml() {
    let site = site();
    let cases: &[Case] = &[
        ("empty", b"", 2, "E-YAML-003"),
        ("not text", b"\xff\xfe\x00", 2, "E-YAML-002"),
        ("another kind", b"apiVersion: ordain/v1\nkind: Bundle\nscope: acme\ntrust: {dir: k, fingerprint: \"sha256:037b6c0ea2325761f9cc701f8662ec814d5046cd41e23a1742e63f3d72e1277e\"}\nbundles: []\n", 2, "E-CONFIG-004"),
        ("a missing member", b"apiVersion: ordain/v1\nkind: Config\nscope: acme\nbundles: []\n", 2, "E-YAML-014"),
        ("an unknown member", b"apiVersion: ordain/v1\nkind: Config\nscope: acme\nunsigned: true\n", 2, "E-YAML-014"),
        ("a short fingerprint", b"apiVersion: ordain/v1\nkind: Config\nscope: acme\ntrust: {dir: k, fingerprint: \"sha256:03\"}\nbundles: []\n", 2, "E-YAML-014"),
        ("a key twice", b"kind: Config\nkind: Config\n", 2, "E-YAML-008"),
        ("a scope with an escape", b"apiVersion: ordain/v1\nkind: Config\nscope: \"a\\e[31m\"\n", 2, "E-YAML-014"),
        ("an unknown mode", b"apiVersion: ordain/v1\nkind: Config\nscope: acme\nmode: off\n", 2, "E-YAML-014"),
        ("a merge conflict", b"<<<<<<< ours\nkind: Config\n=======\n", 2, "E-YAML-003"),
    ];
    insta::assert_snapshot!(answers(
        &site,
        "consumer/ordain.yaml",
        &["bundle", "pull"],
        cases
    ));
}

#[test]
fn ordain_lock() {
    let site = site();
    let cases: &[Case] = &[
        ("empty", b"", 2, "E-CONFIG-006"),
        ("a merge conflict", b"<<<<<<< ours\n{}\n", 2, "E-CONFIG-006"),
        ("another version", b"{\"version\": 9, \"bundles\": {}}", 2, "E-CONFIG-006"),
        ("an unknown member", b"{\"version\": 1, \"bundles\": {}, \"x\": 1}", 2, "E-CONFIG-006"),
        ("a key twice", b"{\"version\": 1, \"version\": 1, \"bundles\": {}}", 2, "E-CONFIG-006"),
        ("a bundle with an escape", b"{\"version\": 1, \"bundles\": {\"a\\u001b[2J\": {}}}", 2, "E-CONFIG-006"),
        ("a short digest", b"{\"version\": 1, \"bundles\": {\"acme\": {\"git\": \"x\", \"ref\": \"x\", \"path\": \"\", \"commit\": null, \"payload\": \"sha256:00\"}}}", 2, "E-CONFIG-006"),
    ];
    insta::assert_snapshot!(answers(
        &site,
        "consumer/ordain.lock",
        &["bundle", "pull"],
        cases
    ));
}

#[test]
fn bundle_yaml() {
    let site = site();
    let cases: &[Case] = &[
        ("empty", b"", 2, "E-YAML-003"),
        ("another kind", b"apiVersion: ordain/v1\nkind: Policy\nname: acme\nversion: 1.0.0\nnamespace: acme\n", 2, "E-TRUST-029"),
        ("another version of the format", b"apiVersion: ordain/v2\nkind: Bundle\nname: acme\nversion: 1.0.0\nnamespace: acme\n", 2, "E-TRUST-029"),
        ("no name", b"apiVersion: ordain/v1\nkind: Bundle\nversion: 1.0.0\nnamespace: acme\n", 2, "E-YAML-014"),
        ("a name with an escape", b"apiVersion: ordain/v1\nkind: Bundle\nname: \"a\\e]0;x\\a\"\nversion: 1.0.0\nnamespace: acme\n", 2, "E-YAML-014"),
        ("half a version", b"apiVersion: ordain/v1\nkind: Bundle\nname: acme\nversion: \"1.0\"\nnamespace: acme\n", 2, "E-YAML-014"),
        ("an unknown member", b"apiVersion: ordain/v1\nkind: Bundle\nname: acme\nversion: 1.0.0\nnamespace: acme\nrole: root\n", 2, "E-YAML-014"),
    ];
    insta::assert_snapshot!(answers(
        &site,
        "policy/acme/bundle.yaml",
        &["policy", "check", "../policy/acme"],
        cases
    ));
}

#[test]
fn policies() {
    let site = site();
    let cases: &[Case] = &[
        ("empty", b"", 2, "E-YAML-003"),
        ("a tab", b"apiVersion: ordain/v1\nkind: Policy\nscope: acme\nrules:\n\t- id: r\n", 2, "E-YAML-003"),
        ("another kind", b"apiVersion: ordain/v1\nkind: Bundle\nscope: acme\n", 2, "E-POLICY-002"),
        ("an unknown field", b"apiVersion: ordain/v1\nkind: Policy\nscope: acme\ndefualt: deny\n", 2, "E-POLICY-004"),
        ("an unknown effect", b"apiVersion: ordain/v1\nkind: Policy\nscope: acme\nrules: [{id: r, effect: permit, reason: x, match: {action: a}}]\n", 2, "E-POLICY-006"),
        ("an unknown operator", b"apiVersion: ordain/v1\nkind: Policy\nscope: acme\nrules: [{id: r, effect: deny, reason: x, match: {action: {like: a}}}]\n", 2, "E-POLICY-017"),
        ("no reason", b"apiVersion: ordain/v1\nkind: Policy\nscope: acme\nrules: [{id: r, effect: deny, match: {action: a}}]\n", 2, "E-POLICY-005"),
        ("a reason with an escape", b"apiVersion: ordain/v1\nkind: Policy\nscope: acme\nrules: [{id: r, effect: deny, reason: \"a\\e[2Jb\", match: {action: a}}]\n", 2, "E-POLICY-007"),
        ("a field named with an escape", b"apiVersion: ordain/v1\nkind: Policy\nscope: acme\n\"a\\e[2Jb\": 1\n", 2, "E-POLICY-004"),
        ("an alias", b"a: &x 1\nb: *x\n", 2, "E-YAML-005"),
        ("three problems at once", b"apiVersion: ordain/v1\nkind: Policy\nscope: globex\nmode: off\nrules: [{id: R, effect: deny}]\n", 2, "E-POLICY-006"),
    ];
    insta::assert_snapshot!(answers(
        &site,
        "policy/acme/policies/policy.yaml",
        &["policy", "check", "../policy/acme"],
        cases
    ));
}

#[test]
fn envelopes() {
    let site = site();
    let cases: &[Case] = &[
        ("empty", b"", 3, "E-TRUST-003"),
        ("not JSON", b"-----BEGIN", 3, "E-TRUST-003"),
        ("a list", b"[]", 3, "E-TRUST-004"),
        (
            "a member of another type",
            b"{\"payload\": 1, \"payloadType\": \"x\", \"signatures\": []}",
            3,
            "E-TRUST-004",
        ),
        (
            "no signatures",
            b"{\"payload\": \"\", \"payloadType\": \"x\", \"signatures\": []}",
            3,
            "E-TRUST-006",
        ),
        (
            "bad base64",
            b"{\"payload\": \"!\", \"payloadType\": \"x\", \"signatures\": []}",
            3,
            "E-TRUST-005",
        ),
        (
            "a key twice",
            b"{\"payload\": \"\", \"pay\\u006coad\": \"\"}",
            3,
            "E-TRUST-003",
        ),
        (
            "a key twice with an escape",
            b"{\"\\u001b[2J\": 1, \"\\u001b[2J\": 1}",
            3,
            "E-TRUST-003",
        ),
    ];
    insta::assert_snapshot!(answers(
        &site,
        "policy/acme/bundle.dsse.json",
        &["bundle", "verify", "../policy/acme"],
        cases
    ));
}

#[test]
fn trust_roots() {
    let site = site();
    let cases: &[Case] = &[
        ("empty", b"", 3, "E-TRUST-003"),
        ("a list", b"[]", 3, "E-TRUST-004"),
        (
            "no signatures",
            b"{\"payload\": \"\", \"payloadType\": \"x\", \"signatures\": []}",
            3,
            "E-TRUST-006",
        ),
        ("a key of SSH", b"ssh-ed25519 AAAA\n", 3, "E-TRUST-003"),
    ];
    insta::assert_snapshot!(answers(
        &site,
        "keys/1.root.json",
        &["bundle", "pull"],
        cases
    ));
}

#[test]
fn key_files() {
    let site = site();
    let cases: &[Case] = &[
        ("empty", b"", 2, "E-TRUST-032"),
        ("text with an escape", b"\x1b[2J hello\n", 2, "E-TRUST-032"),
        ("not text", b"\xff\xfe", 2, "E-CONFIG-009"),
        (
            "RSA",
            b"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQDVO5Hct2TOpAk2GwIY1z2pYR4cC6k7yN1mYw9xT1lV x\n",
            2,
            "E-TRUST-033",
        ),
        (
            "the identity point",
            b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
            3,
            "E-TRUST-034",
        ),
        (
            "an empty private key",
            b"-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n",
            2,
            "E-TRUST-036",
        ),
        (
            "half a PEM",
            b"-----BEGIN PUBLIC KEY-----\nMCow",
            2,
            "E-TRUST-032",
        ),
    ];
    insta::assert_snapshot!(answers(&site, "key", &["key", "show", "../key"], cases));
}

#[test]
fn requests() {
    let site = site();
    let cases: &[Case] = &[
        ("empty", b"", 2, "E-REQUEST-017"),
        ("not JSON", b"read it\n", 2, "E-REQUEST-001"),
        ("a number", b"1", 2, "E-REQUEST-003"),
        ("no form", b"{}", 2, "E-REQUEST-004"),
        ("cut off", b"{\"subject\": {", 2, "E-REQUEST-014"),
        ("a key twice", b"{\"subject\": 1, \"subject\": 2}", 2, "E-REQUEST-001"),
        ("two forms", b"{\"subject\": {\"type\": \"user\", \"id\": \"s\"}, \"tool\": \"x\"}", 2, "E-REQUEST-005"),
        ("no subject", b"{\"action\": {\"name\": \"a\"}, \"resource\": {\"type\": \"t\", \"id\": \"r\"}}", 2, "E-REQUEST-007"),
        ("a subject of another type", b"{\"subject\": \"sam\", \"action\": {\"name\": \"a\"}, \"resource\": {\"type\": \"t\", \"id\": \"r\"}}", 2, "E-REQUEST-008"),
        ("an unknown operation", b"{\"operation\": \"a\\u001b[2Jb\", \"client\": \"c\", \"server\": \"s\"}", 2, "E-REQUEST-011"),
        ("an operation without a server", b"{\"operation\": \"configure_server\", \"client\": \"c\"}", 2, "E-REQUEST-007"),
        ("a tool call without a caller", b"{\"tool\": \"x\"}", 2, "E-REQUEST-007"),
        ("a tool call with an unknown member", b"{\"tool\": \"x\", \"caller\": \"c\", \"a\\u001b[2Jb\": 1}", 2, "E-REQUEST-006"),
        ("a byte order mark", b"\xef\xbb\xbf{}", 2, "E-REQUEST-013"),
        ("a broken array", b"[{]", 2, "E-REQUEST-015"),
        ("bytes after an array", b"[] x", 2, "E-REQUEST-016"),
    ];
    insta::assert_snapshot!(answers(
        &site,
        "request.json",
        &["request", "normalize", "../request.json"],
        cases
    ));
}

#[test]
fn one_bad_line_among_good_ones_is_denied_alone() {
    let site = site();
    site.env.write(
        "requests.jsonl",
        format!("{GOOD}\n{{\"tool\": 1}}\n{GOOD}\n"),
    );
    let output = site.ordain(&["eval", "../requests.jsonl"]);
    assert_eq!(output.status, Some(2), "{output}");
    is_fit_for_a_terminal("one bad line", &output);
    insta::assert_snapshot!(output);
    let output = site.ordain(&["eval", "--format", "jsonl", "../requests.jsonl"]);
    let outcomes: Vec<String> = output
        .code(2)
        .lines()
        .map(|line| {
            let decision: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{} {}", decision["outcome"], decision["reason_code"])
        })
        .collect();
    assert_eq!(outcomes.len(), 3, "{output}");
    assert!(outcomes[0].starts_with("\"allowed\""), "{outcomes:?}");
    assert_eq!(outcomes[1], "\"denied\" \"INVALID_REQUEST\"");
    assert_eq!(outcomes[0], outcomes[2]);
}

#[test]
fn command_lines() {
    let site = site();
    let cases: &[(&str, &[&str])] = &[
        ("an unknown command", &["evaluate"]),
        ("a missing argument", &["bundle", "new", "x"]),
        ("an unknown format", &["eval", "--format", "xml"]),
        (
            "a threshold of zero",
            &[
                "trust",
                "init",
                "--principal",
                "a=k",
                "--threshold",
                "0",
                "--expires",
                "1y",
            ],
        ),
        (
            "a length of time",
            &[
                "bundle",
                "sign",
                "../policy/acme",
                "--key",
                "k",
                "--expires",
                "soon",
            ],
        ),
        ("a scope with an escape", &["eval", "--scope", "a\u{1b}[2J"]),
        (
            "an unsigned directory without a scope",
            &["eval", "--unsigned-dir", "../policy/acme"],
        ),
        ("an unknown code", &["explain", "E-NOPE-1\u{1b}[2J"]),
        (
            "a file that is not there",
            &["eval", "no\u{1b}[2Jsuch.json"],
        ),
        (
            "a configuration that is not there",
            &["--config", "no.yaml", "eval"],
        ),
        (
            "a bundle that is not there",
            &["bundle", "verify", "nowhere"],
        ),
        ("a key that is not there", &["key", "show", "nowhere"]),
        (
            "a log that is not there",
            &["log", "verify", "nowhere", "--structure"],
        ),
        (
            "a verifier key that is none",
            &["log", "verify", "--key", "x"],
        ),
    ];
    let mut all = String::new();
    for (name, arguments) in cases {
        let output = site.ordain(arguments);
        assert!(
            !matches!(output.status, None | Some(0 | 1 | 101)),
            "{name}\n{output}"
        );
        is_fit_for_a_terminal(name, &output);
        all.push_str(&format!("## {name}\n{output}\n"));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn logs() {
    let site = site();
    site.env.write("request.json", GOOD);
    let cases: &[LogCase] = &[
        ("an edited record", |bytes| edit_reason(bytes), "log", 3, ""),
        (
            "a line that is no record",
            |bytes| bytes.splice(0..0, *b"hello\x1b[2J\n").for_each(drop),
            "log",
            3,
            "",
        ),
        ("an emptied log", Vec::clear, "log", 3, "E-LOG-001"),
        (
            "a torn last line",
            |bytes| bytes.extend(b"{\"v\""),
            "log",
            0,
            "is unfinished",
        ),
        (
            "an emptied checkpoint",
            Vec::clear,
            "checkpoint",
            3,
            "E-LOG-006",
        ),
        (
            "a checkpoint of something else",
            |bytes| *bytes = b"hello\x1b[2J\n".to_vec(),
            "checkpoint",
            3,
            "E-LOG-006",
        ),
    ];
    let mut all = String::new();
    for (name, change, which, exit, code) in cases {
        std::fs::remove_dir_all(site.env.work().join("consumer/.ordain")).ok();
        site.ordain(&["eval", "../request.json"]).success();
        let directory = site.env.work().join("consumer/.ordain/log");
        let path = std::fs::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| match *which {
                "log" => path.extension().is_some_and(|ending| ending == "jsonl"),
                name => path.ends_with(name),
            })
            .unwrap_or_else(|| panic!("no {which} in {}", directory.display()));
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        let output = site.ordain(&["log", "verify"]);
        assert_eq!(output.status, Some(*exit), "{name}\n{output}");
        assert!(
            output.stderr.contains(code) || output.stdout.contains(code),
            "{name}\n{output}"
        );
        is_fit_for_a_terminal(name, &output);
        all.push_str(&format!("## {name}\n{}\n", stable(&output)));
    }
    insta::assert_snapshot!(all);
}

/// Another reason code in the first record.
fn edit_reason(bytes: &mut [u8]) {
    let at = bytes
        .windows(9)
        .position(|window| window == b"READ_ONLY")
        .unwrap();
    bytes[at] = b'L';
}

/// Salts and digests differ from run to run.
fn stable(output: &Output) -> String {
    let text = output.to_string();
    let mut answer = String::new();
    for word in
        text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')))
    {
        let bare =
            word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '=')));
        if bare.len() >= 40 && bare.contains(|c: char| c.is_ascii_digit()) {
            answer.push_str(&word.replacen(bare, "[digest]", 1));
        } else {
            answer.push_str(word);
        }
    }
    answer
}

#[test]
fn escapes_in_a_signed_bundle_do_not_reach_the_terminal() {
    let mut world = at_revision(7);
    let manifest = String::from_utf8(world.acme.files["bundle.yaml"].clone()).unwrap();
    let manifest = manifest.replace(
        "description: a vector",
        "description: \"a\\e[2J\\e]0;title\\a\\u202Eb\"",
    );
    world
        .acme
        .files
        .insert("bundle.yaml".into(), manifest.into());
    let site = Site::new(&world);
    for arguments in [
        &["bundle", "pull"][..],
        &["bundle", "verify", "../policy/acme"],
        &["bundle", "inspect", "../policy/acme"],
        &["bundle", "inspect", "--json", "../policy/acme"],
        &["bundle", "list"],
        &["policy", "resolve"],
        &["policy", "check", "../policy/acme"],
    ] {
        let output = site.ordain(arguments);
        is_fit_for_a_terminal(&arguments.join(" "), &output);
        assert_ne!(output.status, Some(101), "{output}");
    }
    // A commit's ref and message are anyone's.
    site.env.git(
        "policy",
        [
            "commit",
            "--quiet",
            "--allow-empty",
            "--message=a\u{1b}[2Jb",
        ],
    );
    site.env.git("policy", ["branch", "a\u{202e}b"]);
    let output = site.ordain(&[
        "bundle",
        "pull",
        "../policy",
        "--ref",
        "a\u{202e}b",
        "--path",
        "acme",
        "--trust-root",
        "../keys",
        "--fingerprint",
        "sha256:037b6c0ea2325761f9cc701f8662ec814d5046cd41e23a1742e63f3d72e1277e",
    ]);
    is_fit_for_a_terminal("a ref", &output);
}
