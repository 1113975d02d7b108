//! Limits, doubts and the problems of patterns; `tests/integration/shell_corpus` holds the disguises.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::diag::Code;
use crate::policy::fields::Report;
use crate::yaml::{self, Path};

fn parse(text: &str) -> Result<CommandPattern, Vec<(Code, String)>> {
    let document = yaml::read("p.yaml", text.as_bytes(), 1 << 20).unwrap();
    let mut report = Report::new(&document.spans);
    let pattern = CommandPattern::parse(document.value.clone(), &Path::top(), &mut report);
    let problems = report.problems.into_iter();
    let problems: Vec<_> = problems
        .map(|problem| (problem.code, problem.path.unwrap_or_default()))
        .collect();
    match pattern {
        Some(pattern) if problems.is_empty() => Ok(pattern),
        _ => Err(problems),
    }
}

fn remove() -> CommandPattern {
    parse("{program: rm, flags_all: [recursive, force]}").unwrap()
}

#[test]
fn every_problem_of_a_pattern_is_reported_at_its_place() {
    for (text, code, path) in [
        ("{}", Code::COMMAND_EMPTY, ""),
        ("{subcommand: stop}", Code::COMMAND_EMPTY, ""),
        (
            "{program: rm, flags_any: [recurse]}",
            Code::COMMAND_FLAG,
            "flags_any[0]",
        ),
        (
            "{program: rm, flags_all: [force, sigkill]}",
            Code::COMMAND_FLAG,
            "flags_all[1]",
        ),
        (
            "{program: rm, flags_all: ['--']}",
            Code::COMMAND_FLAG,
            "flags_all[0]",
        ),
        (
            "{program: [ls, /bin/rm]}",
            Code::COMMAND_PROGRAM,
            "program[1]",
        ),
        ("{program: sudo rm}", Code::COMMAND_PROGRAM, "program[0]"),
        (
            "{program: curl, pipes_into: [sh, grep]}",
            Code::COMMAND_PIPE,
            "pipes_into[1]",
        ),
        ("{program: 5}", Code::POLICY_TYPE, "program[0]"),
        ("{program: []}", Code::POLICY_TYPE, "program"),
        (
            "{program: rm, args_any: ['']}",
            Code::POLICY_TYPE,
            "args_any[0]",
        ),
        ("{program: rm, flag: x}", Code::POLICY_UNKNOWN_FIELD, "flag"),
        ("rm", Code::POLICY_TYPE, ""),
    ] {
        assert_eq!(parse(text), Err(vec![(code, path.to_owned())]), "{text}");
    }
    let many = format!("{{program: [{}]}}", "x, ".repeat(300));
    assert_eq!(
        parse(&many),
        Err(vec![(Code::POLICY_LIMIT, "program".to_owned())])
    );
    let problems = parse("{program: a/b, flags_all: [nope], pipes_into: cat, x: 1}").unwrap_err();
    assert_eq!(problems.len(), 4, "{problems:?}");
}

#[test]
fn every_field_must_fit_the_same_command() {
    let disable =
        parse("{program: systemctl, subcommand: [stop, disable], args_any: 'ssh*'}").unwrap();
    for (text, fits) in [
        ("systemctl stop sshd", true),
        ("systemctl --now disable ssh.service", true),
        ("systemctl stop nginx; systemctl status sshd", false),
        ("systemctl status stop sshd", false),
    ] {
        assert_eq!(disable.finds(&Script::read(text)), fits, "{text}");
    }
    let two_words = parse("{program: gcloud, subcommand: 'compute instances delete'}").unwrap();
    assert!(two_words.finds(&Script::read("gcloud compute instances delete x")));
    assert!(!two_words.finds(&Script::read("gcloud compute instances list delete")));
    let all = parse("{program: cp, args_all: ['/etc/*', '/tmp/**']}").unwrap();
    assert!(all.finds(&Script::read("cp /etc/shadow /tmp/a/b")));
    assert!(!all.finds(&Script::read("cp /etc/shadow /srv; cp a /tmp/x")));
}

#[test]
fn what_cannot_be_followed_counts_as_dangerous_and_says_why() {
    for (text, reason) in [
        ("$CMD -rf /", "the program `…` is only known at run time"),
        (
            "rm '",
            "the script has a quote or bracket that does not end",
        ),
        ("a | | b", "the script is not what a shell can read"),
        ("x | sh", "`sh` runs a script that is only made at run time"),
        ("* x", "the program `*` is whatever a glob finds"),
        (
            "r\u{200b}m x",
            "the name of a program holds the character U+200B",
        ),
    ] {
        let script = Script::read(text);
        assert_eq!(script.unreadable(), Some(reason), "{text}");
        assert!(!remove().finds(&script), "{text}");
    }
    let long = format!("echo {}", "x".repeat(tokens::MAX_SCRIPT_BYTES));
    for script in [Script::read(&long), Script::of_words(&["echo", &long])] {
        assert!(script.unreadable().is_some());
    }
    let shown = Script::read("$'\\x1b[2J\\u202e'$x");
    assert!(!shown.unreadable().unwrap().contains(char::is_control));
}

/// Test threads have 2 MiB of stack; the program's have more.
#[test]
fn hostile_nesting_costs_neither_stack_nor_time() {
    let nested = |open: &str, middle: &str, close: &str, times: usize| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    for (open, middle, close) in [
        ("$(", "x", ")"),
        ("echo \"a$(", "x", ")\""),
        ("echo $(( a$(", "x", ")+1 ))"),
        ("${a:-", "x", "}"),
        ("\"${a:-", "x", "}\""),
        ("(", "x", ")"),
        ("( ", "x", " )"),
        ("((", "x", "))"),
        ("((", "x", ""),
        ("{ ", "x", "; }"),
        ("if ", "x", "; then y; fi"),
        ("if x; then ", "y", "; fi"),
        ("case a in (b) ", "x", ";; esac"),
        ("case a in b) ", "x", " ; esac"),
        ("case a in b) ( ", "x", ""),
        ("while ", "x", "; do y; done"),
        ("for i in a b c d e f g h; do ", "x", "; done"),
        ("f() { ", "x", "; }"),
        ("cat <(", "x", ")"),
        ("coproc ", "x", ""),
        ("! ", "x", ""),
        ("[[ ! ", "x", " ]]"),
        ("[[ ( ", "x", " ) ]]"),
        ("a=( ", "x", " )"),
        ("sudo ", "rm", ""),
        ("eval ", "rm", ""),
        ("sh -c '", "x", "'"),
        ("{a,", "x", "}"),
        ("{a,b}", "x", "{a,b}"),
        ("`", "x", "`"),
        ("a && ", "x", ""),
        ("a | ", "x", ""),
        ("x=$x$x; ", "$x", ""),
        ("f() { f; f; }; ", "f", ""),
        ("f() { g; g; }; g() { h; h; }; h() { f; f; }; ", "f", ""),
        ("<<a ", "x", "\na"),
        ("echo ${x//", "a", "/b}"),
        ("alias a='b b'; alias b='a a'; ", "a", ""),
        ("@(", "x", ")"),
        ("$[", "x", "]"),
    ] {
        for times in [9, 30, 190, 3000] {
            let text = nested(open, middle, close, times);
            let started = Instant::now();
            Script::read(&text);
            let took = started.elapsed();
            assert!(took < Duration::from_secs(5), "{open} {times} {took:?}");
        }
    }
}

/// The brackets stand in what is decoded, not in the text.
#[test]
fn nesting_that_is_decoded_finds_a_stack_that_holds_it() {
    use base64::Engine as _;
    let nested = |times| format!("{}rm -rf /{}", "echo $(".repeat(times), ")".repeat(times));
    for (inner, readable) in [
        ("echo $(ls); ".repeat(40) + "rm -rf /", true),
        (nested(12), true),
        (nested(190), false),
    ] {
        let encoded = base64::engine::general_purpose::STANDARD.encode(inner);
        let script = Script::read(&format!("echo {encoded} | base64 -d | sh"));
        assert_eq!(script.unreadable().is_none(), readable, "{script:?}");
        assert!(!readable || remove().finds(&script));
    }
}

#[test]
fn patterns_on_their_own_name_what_they_find() {
    let text = b"patterns:\n- {id: a, reason: x, command: {program: rm}}\n- {id: b, reason: x, command: {program: r?}}\n";
    let patterns = CommandPatterns::parse("p.yaml", text).unwrap();
    assert_eq!(patterns.try_text("rm x").patterns, ["a", "b"]);
    assert!(!patterns.try_text("echo rm").is_dangerous());
    let problems =
        CommandPatterns::parse("p.yaml", b"patterns: [{id: a}, {reason: b, command: {}}]");
    let codes: Vec<Code> = problems
        .unwrap_err()
        .iter()
        .map(|problem| problem.code)
        .collect();
    assert_eq!(codes.len(), 4, "{codes:?}");
}

proptest! {
    /// Whatever follows, a command that runs before it is not overlooked.
    #[test]
    fn nothing_hides_what_ran_before_it(text in "[a-z \\\\'\"$(){}`;|&<>\\n#*=/-]{0,40}") {
        let script = Script::read(&format!("rm -rf /\n{text}"));
        let dangerous = script.unreadable().is_some() || remove().finds(&script);
        prop_assert!(dangerous, "{text:?} {script:?}");
    }

    /// A word that is quoted in any way is the same word.
    #[test]
    fn quotes_do_not_change_a_command(quotes in proptest::collection::vec(0..5_u8, 8)) {
        let mut text = String::new();
        for (letter, quote) in "rm -rf /".chars().zip(&quotes) {
            match (letter, quote) {
                (' ', _) | (_, 0) => text.push(letter),
                (_, 1) => text.push_str(&format!("'{letter}'")),
                (_, 2) => text.push_str(&format!("\"{letter}\"")),
                (_, 3) => text.push_str(&format!("\\{letter}")),
                _ => text.push_str(&format!("$'\\x{:02x}'", u32::from(letter))),
            }
        }
        prop_assert!(remove().finds(&Script::read(&text)), "{text}");
    }
}

#[test]
fn what_a_script_may_ask_for_has_an_end() {
    let doubling: String = (0..60)
        .map(|n| format!("cat f{n} f{n}>f{};", n + 1))
        .collect();
    let arguments = format!(
        "set -- {};{}",
        "a ".repeat(3000),
        "set -- \"$@\" \"$@\";".repeat(1000)
    );
    let values = format!(
        "x={};{}",
        "a".repeat(4000),
        "y=\"$x\";: ${y%%*b*c};".repeat(1000)
    );
    let words = format!("x={};: {}", "a".repeat(4000), "$x".repeat(10_000));
    let loops = format!("{}x=$y;{}", "while a; do ".repeat(40), "done;".repeat(40));
    let pipes = format!("{}sh", "sh|".repeat(1500));
    let calls: String = (0..60)
        .map(|n| format!("f{n}() {{ f{}; f{}; }};", n + 1, n + 1))
        .collect();
    let files = format!("echo aaaaaaaaaaaaaaa>f0;{doubling}sh f60");
    for text in [
        &files,
        &arguments,
        &values,
        &words,
        &loops,
        &pipes,
        &format!("{calls}f0"),
    ] {
        let script = Script::read(text);
        // It ends, and what was given up is not harmless.
        let start: String = text.chars().take(40).collect();
        assert!(script.unreadable().is_some(), "{start}");
    }
}
