//! One defect each.

use ordain::diag::Code;
use ordain::policy;

use crate::support::policies::files;

const HEAD: &str = "apiVersion: ordain/v1\nkind: Catalog\nscope: acme\n";

/// The code, line and path of the only problem of a catalogue with these lines below the head.
#[track_caller]
fn only(lines: &str) -> (Code, u32, String) {
    let text = format!("{HEAD}{lines}");
    let problems = policy::validate(
        &files(&[("a.yaml", &text)]),
        None,
        &ordain::bundle::Limits::default(),
    )
    .unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let problem = problems.into_iter().next().unwrap();
    assert!(problem.hint.is_some(), "{problem}");
    (
        problem.code,
        problem.location.unwrap().line,
        problem.path.unwrap_or_default(),
    )
}

/// What is left out for its action has an id all the same.
#[test]
fn a_repeat_of_a_repeat_is_told_at_once() {
    let operations = "operations:\n- {action: a, risk: low}\n- {action: a, risk: low, id: b}\n- {action: c, risk: low, id: b}\n";
    let text = format!("{HEAD}{operations}");
    let files = files(&[("a.yaml", &text)]);
    let problems = policy::validate(&files, None, &ordain::bundle::Limits::default()).unwrap_err();
    let found = problems
        .iter()
        .map(|problem| (problem.code, problem.path.as_deref()));
    let found: Vec<_> = found.collect();
    let repeated = Code::CATALOG_OPERATION;
    assert_eq!(
        found,
        [
            (repeated, Some("operations[1].action")),
            (repeated, Some("operations[2].id"))
        ]
    );
}

#[test]
fn one_defect_each() {
    let operation = |lines: &str| format!("operations:\n- action: a\n  risk: low\n{lines}");
    let variant = |line: &str| {
        operation(&format!(
            "  variants:\n  - match: {{action.properties.x: 1}}\n    {line}\n"
        ))
    };
    let pattern = |rest: &str| format!("patterns:\n- {{id: p, {rest}}}\n");
    let long = "x".repeat(1_025);
    let twice = "operations:\n- {action: a, risk: low}\n- {action: a, risk: high, id: b}\n";
    let alike = "operations:\n- {action: a, risk: high, requires: [x]}\n- {action: a, risk: high, requires: [x]}\n";
    let same_id = "operations:\n- {action: a, risk: high, requires: [x]}\n- {action: b, risk: high, requires: [x], id: a}\n";
    let collide = "operations:\n- {action: a, risk: low, requires: [x], variants: [{id: low, match: {}, requires: [y]}]}\n- {action: a.missing, risk: low}\n";
    for (lines, code, line, path) in [
        (
            "colour: red\n".to_owned(),
            Code::POLICY_UNKNOWN_FIELD,
            4,
            "colour",
        ),
        (
            "mode: warn\n".to_owned(),
            Code::POLICY_UNKNOWN_FIELD,
            4,
            "mode",
        ),
        (
            "unknown_operation: maybe\n".to_owned(),
            Code::POLICY_TYPE,
            4,
            "unknown_operation",
        ),
        (
            "unknown_operation: 1\n".to_owned(),
            Code::POLICY_TYPE,
            4,
            "unknown_operation",
        ),
        (
            "commands: [1]\n".to_owned(),
            Code::POLICY_TYPE,
            4,
            "commands[0]",
        ),
        (
            "commands: [args.command]\n".to_owned(),
            Code::POLICY_MATCH,
            4,
            "commands[0]",
        ),
        (
            "operations: {}\n".to_owned(),
            Code::POLICY_TYPE,
            4,
            "operations",
        ),
        (
            "operations: [1]\n".to_owned(),
            Code::POLICY_TYPE,
            4,
            "operations[0]",
        ),
        (
            "operations:\n- risk: low\n".to_owned(),
            Code::POLICY_MISSING_FIELD,
            5,
            "operations[0]",
        ),
        (
            "operations:\n- action: a\n".to_owned(),
            Code::POLICY_MISSING_FIELD,
            5,
            "operations[0]",
        ),
        (
            "operations:\n- {action: '', risk: low}\n".to_owned(),
            Code::POLICY_TEXT,
            5,
            "operations[0].action",
        ),
        (
            format!("operations:\n- {{action: {long}, id: a, risk: low}}\n"),
            Code::POLICY_LIMIT,
            5,
            "operations[0].action",
        ),
        (
            "operations:\n- {action: Wipe Disk, risk: low}\n".to_owned(),
            Code::CATALOG_OPERATION,
            5,
            "operations[0]",
        ),
        (
            format!(
                "operations:\n- {{action: a, risk: low, id: {}}}\n",
                "x".repeat(60)
            ),
            Code::CATALOG_OPERATION,
            5,
            "operations[0]",
        ),
        (
            twice.to_owned(),
            Code::CATALOG_OPERATION,
            6,
            "operations[1].action",
        ),
        (
            alike.to_owned(),
            Code::CATALOG_OPERATION,
            6,
            "operations[1].action",
        ),
        (
            same_id.to_owned(),
            Code::CATALOG_OPERATION,
            6,
            "operations[1].id",
        ),
        (
            collide.to_owned(),
            Code::CATALOG_OPERATION,
            6,
            "operations[1]",
        ),
        (
            operation("  colour: red\n"),
            Code::POLICY_UNKNOWN_FIELD,
            7,
            "operations[0].colour",
        ),
        (
            operation("  override: some\n"),
            Code::POLICY_TYPE,
            7,
            "operations[0].override",
        ),
        (
            operation("  requires: [1]\n"),
            Code::POLICY_TYPE,
            7,
            "operations[0].requires[0]",
        ),
        (
            operation("  requires: x\n"),
            Code::POLICY_TYPE,
            7,
            "operations[0].requires",
        ),
        (
            operation("  description: ''\n"),
            Code::POLICY_TEXT,
            7,
            "operations[0].description",
        ),
        (
            operation("  variants:\n  - risk: low\n"),
            Code::POLICY_MISSING_FIELD,
            8,
            "operations[0].variants[0]",
        ),
        (
            operation("  variants:\n  - match: {x: 1}\n"),
            Code::POLICY_MATCH,
            8,
            "operations[0].variants[0].match.x",
        ),
        (
            operation(
                "  variants:\n  - {id: v2, match: {}, requires: [x]}\n  - {match: {}, requires: [x]}\n",
            ),
            Code::CATALOG_OPERATION,
            9,
            "operations[0].variants[1]",
        ),
        (
            variant("risk: dire"),
            Code::POLICY_TYPE,
            9,
            "operations[0].variants[0].risk",
        ),
        (
            variant("when: x"),
            Code::POLICY_UNKNOWN_FIELD,
            9,
            "operations[0].variants[0].when",
        ),
        (
            "patterns:\n- {regex: x}\n".to_owned(),
            Code::POLICY_MISSING_FIELD,
            5,
            "patterns[0]",
        ),
        (
            "patterns:\n- {id: unreadable, regex: x}\n".to_owned(),
            Code::CATALOG_PATTERN,
            5,
            "patterns[0].id",
        ),
        (
            "patterns:\n- {id: p, regex: x}\n- {id: p, regex: y}\n".to_owned(),
            Code::CATALOG_PATTERN,
            6,
            "patterns[1].id",
        ),
        (
            pattern("reason: x"),
            Code::CATALOG_PATTERN,
            5,
            "patterns[0]",
        ),
        (
            pattern("regex: x, command: {program: rm}"),
            Code::CATALOG_PATTERN,
            5,
            "patterns[0].regex",
        ),
        (
            pattern("regex: x, reason: ''"),
            Code::POLICY_TEXT,
            5,
            "patterns[0].reason",
        ),
        (
            pattern("regex: '(x'"),
            Code::CATALOG_PATTERN,
            5,
            "patterns[0].regex",
        ),
        (
            pattern("regex: '(?=x)'"),
            Code::CATALOG_PATTERN,
            5,
            "patterns[0].regex",
        ),
        (
            pattern("regex: 'x*'"),
            Code::CATALOG_PATTERN,
            5,
            "patterns[0].regex",
        ),
        (
            pattern(r"regex: '(\w{500}){500}'"),
            Code::CATALOG_PATTERN,
            5,
            "patterns[0].regex",
        ),
        (
            pattern(&format!("regex: {long}")),
            Code::POLICY_LIMIT,
            5,
            "patterns[0].regex",
        ),
        (
            pattern("command: rm"),
            Code::POLICY_TYPE,
            5,
            "patterns[0].command",
        ),
        (
            pattern("command: {}"),
            Code::COMMAND_EMPTY,
            5,
            "patterns[0].command",
        ),
        ("table: []\n".to_owned(), Code::POLICY_TYPE, 4, "table"),
        (
            "table: {dire: {}}\n".to_owned(),
            Code::POLICY_UNKNOWN_FIELD,
            4,
            "table.dire",
        ),
        (
            "table: {low: deny}\n".to_owned(),
            Code::POLICY_TYPE,
            4,
            "table.low",
        ),
        (
            "table: {low: {usual: deny}}\n".to_owned(),
            Code::POLICY_UNKNOWN_FIELD,
            4,
            "table.low.usual",
        ),
        (
            "table: {low: {ordinary: no}}\n".to_owned(),
            Code::POLICY_TYPE,
            4,
            "table.low.ordinary",
        ),
        (
            "table: {medium: {ordinary: allow}}\n".to_owned(),
            Code::CATALOG_TABLE,
            4,
            "table.medium.ordinary",
        ),
        (
            "table: {low: {dangerous: allow}}\n".to_owned(),
            Code::CATALOG_TABLE,
            4,
            "table.low.dangerous",
        ),
        (
            "table: {medium: {ordinary: deny}, high: {ordinary: audit}}\n".to_owned(),
            Code::CATALOG_TABLE,
            4,
            "table.high.ordinary",
        ),
        (
            "table: {critical: {ordinary: deny, dangerous: require_approval}}\n".to_owned(),
            Code::CATALOG_TABLE,
            4,
            "table.critical.dangerous",
        ),
    ] {
        assert_eq!(only(&lines), (code, line, path.to_owned()), "{lines}");
    }
    let many = format!(
        "operations: [{}]\n",
        "{action: a, risk: low},".repeat(5_001)
    );
    assert_eq!(only(&many).0, Code::POLICY_LIMIT);
}

#[test]
fn the_ids_of_lowered_rules_are_reserved() {
    let text = "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nrules:\n- {id: catalog.x, effect: deny, reason: x, match: {}}\n";
    let problems = policy::validate(
        &files(&[("a.yaml", text)]),
        None,
        &ordain::bundle::Limits::default(),
    )
    .unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code, Code::POLICY_RESERVED_ID);
    assert_eq!(problems[0].path.as_deref(), Some("rules[0].id"));
}

#[test]
fn all_problems_of_a_catalogue_come_at_once() {
    let text = format!(
        "{HEAD}colour: red\ntable: {{low: deny}}\noperations:\n- {{action: a, risk: dire}}\n- {{risk: low}}\npatterns:\n- {{id: p}}\n"
    );
    let problems = policy::validate(
        &files(&[("a.yaml", &text)]),
        None,
        &ordain::bundle::Limits::default(),
    )
    .unwrap_err();
    assert_eq!(problems.len(), 5, "{problems:#?}");
}

/// In the words of `regex` in a `match`, and under its caps.
#[test]
fn a_broken_expression_is_told_as_in_a_match() {
    let nested = format!("{}x{}", "(".repeat(65), ")".repeat(65));
    for (regex, message) in [
        (
            "a(x",
            "the regular expression cannot be read: unclosed group, at its character 2",
        ),
        (r"\w{1000}", "the regular expression is too large"),
        (
            nested.as_str(),
            "the regular expression cannot be read: exceed the maximum number of nested parentheses/brackets (64)",
        ),
        (
            "x*",
            "not a pattern: it matches the empty text, so every argument",
        ),
    ] {
        let text = format!("{HEAD}patterns:\n- {{id: p, regex: '{regex}'}}\n");
        let problems = policy::validate(
            &files(&[("a.yaml", &text)]),
            None,
            &ordain::bundle::Limits::default(),
        )
        .unwrap_err();
        assert_eq!(problems[0].code, Code::CATALOG_PATTERN, "{problems:?}");
        assert!(problems[0].message.starts_with(message), "{problems:?}");
    }
}
