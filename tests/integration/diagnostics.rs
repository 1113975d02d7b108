//! Every diagnostic code, raised by the built program from the smallest input that raises it, and what is then printed.
//!
//! What files and a command can raise is data: `tests/diagnostics/*.yaml`. What takes an organisation, a tampered machine or a
//! deceiving server is made by `made` and by the vectors of `tests/vectors/trust`. One snapshot a code lies in
//! `diagnostics/snapshots`: the command, the exit code, and both streams. [`BEYOND`] lists what no command line can raise here.

mod data;
mod made;

use std::collections::{BTreeMap, BTreeSet};

use ordain::diag::{self, Code, Kind};

use regex::Regex;

use super::support::output::redact;

/// Codes that no test can raise from the command line, each with its reason.
const BEYOND: &[(&str, &str)] = &[
    // A signal would have to arrive at one moment.
    ("E-CONFIG-016", "a signal"),
    ("E-SOURCE-015", "a signal"),
    // The operating system would have to run out of random bytes.
    ("E-TRUST-038", "no random bytes"),
    // Only a fault of the program makes a record of another shape.
    ("E-LOG-009", "a fault of the program"),
    // The limits that the command line uses are 30 silent seconds and 4 GiB; `source` tests hold smaller ones.
    ("E-SOURCE-011", "too long for a test"),
    ("E-SOURCE-014", "too large for a test"),
    // No text is known that the formatter changes the meaning of; its unit tests give it one that lies.
    ("E-POLICY-077", "a fault of the formatter"),
    // `verify` refuses an old statement first; this is the state's own last word, met only by two processes at once.
    ("E-SOURCE-045", "a race"),
];

/// What the program answered, as one text.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The command, for the reader.
    pub(crate) command: String,
    pub(crate) status: Option<i32>,
    pub(crate) stderr: String,
    /// Everything, with what differs from run to run replaced.
    pub(crate) text: String,
}

/// The exit code that a kind of error ends with.
fn exit_code(kind: Kind) -> i32 {
    match kind {
        Kind::Finding => 1,
        Kind::Invalid => 2,
        Kind::Untrusted => 3,
        Kind::Unavailable => 4,
        Kind::Internal => 70,
    }
}

/// Holds an answer to its code, and to its snapshot.
#[track_caller]
fn hold(code: &str, answer: &Answer) {
    let Answer {
        command,
        status,
        stderr,
        text,
    } = answer;
    let known = diag::find(code).unwrap_or_else(|| panic!("{code} is not in the catalogue"));
    let all = format!("{stderr}{text}");
    let named: BTreeSet<&str> = all
        .split("[E-")
        .skip(1)
        .filter_map(|rest| rest.split(']').next())
        .collect();
    let wanted = BTreeSet::from([code.trim_start_matches("E-")]);
    assert_eq!(
        named, wanted,
        "{command} raises other codes than {code}\n{text}"
    );
    // What is only worth a warning lets a command go on.
    let is_warning =
        known.kind == Kind::Finding && stderr.contains("warning[") && *status == Some(0);
    assert!(
        is_warning || *status == Some(exit_code(known.kind)),
        "{code}\n{text}"
    );
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("diagnostics/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(known.title);
    settings.bind(|| {
        insta::assert_snapshot!(
            code,
            format!("{}\n{}", prompt(command), settled(&redact(text)))
        )
    });
}

/// Replaces what only some of these answers hold and two runs do not share: names of temporary files, the wall clock, the
/// cache's name of a URL, the keys and digests of a machine's own log.
fn settled(text: &str) -> String {
    let rules = [
        (r"\.ordain-tmp-\w+", ".ordain-tmp-[random]"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "[now]"),
        (r"/git/[0-9a-f]{64}", "/git/[url]"),
        (r"a record of \d+ bytes", "a record of [many] bytes"),
    ];
    rules.iter().fold(text.to_owned(), |text, (pattern, to)| {
        Regex::new(pattern)
            .unwrap()
            .replace_all(&text, *to)
            .into_owned()
    })
}

/// A command as it is typed; a comment as it stands.
fn prompt(command: &str) -> String {
    let line = |line: &str| {
        if line.starts_with('#') {
            line.to_owned()
        } else {
            format!("$ {line}")
        }
    };
    command.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Who raises each code.
fn raised() -> BTreeMap<String, &'static str> {
    let mut all = BTreeMap::new();
    let mut add = |code: &str, by: &'static str| {
        let before = all.insert(code.to_owned(), by);
        assert_eq!(before, None, "{code} is raised twice");
    };
    for (_, cases) in data::all() {
        cases.iter().for_each(|case| add(&case.code, "data"));
    }
    made::CASES.iter().for_each(|(code, _)| add(code, "made"));
    all
}

#[test]
fn every_code_has_a_snapshot_or_a_reason() {
    let raised = raised();
    let beyond: BTreeSet<&str> = BEYOND.iter().map(|(code, _)| *code).collect();
    let lacking: Vec<Code> = diag::all()
        .filter(|code| !raised.contains_key(code.id) && !beyond.contains(code.id))
        .collect();
    assert!(lacking.is_empty(), "nothing raises {lacking:?}");
    for (code, reason) in BEYOND {
        assert!(
            diag::find(code).is_some() && !raised.contains_key(*code),
            "{code}: {reason}"
        );
    }
}

#[test]
fn no_snapshot_is_left_over() {
    let raised = raised();
    let directory = super::support::checkout().join("tests/integration/diagnostics/snapshots");
    for entry in std::fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let code = name.trim_end_matches(".new").trim_end_matches(".snap");
        assert!(raised.contains_key(code), "{name} is of no case");
    }
}
