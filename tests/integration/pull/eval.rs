//! `ordain eval`: every form of input and output, every exit code, and the log of it.

use serde_json::Value;

use crate::support::Output;
use crate::support::organisation::{Organisation, fails, request};

fn ready() -> Organisation {
    let world = Organisation::new();
    world.publish("READ");
    world.consumer("app", &world.file_url(), None);
    world.pull("app", &[]).success();
    world
}

fn eval(world: &Organisation, input: &str, arguments: &[&str]) -> Output {
    let mut command = world.env.command(crate::support::env::binary());
    command
        .arg("eval")
        .args(arguments)
        .current_dir(world.env.work().join("app"));
    world.env.run(command, input.as_bytes())
}

fn outcomes(document: &Value) -> Vec<&str> {
    let decisions = document["decisions"].as_array().unwrap();
    let outcome = |decision: &'_ Value| match decision["outcome"].as_str().unwrap() {
        "allowed" => "allowed",
        "denied" => "denied",
        "pending" => "pending",
        other => panic!("{other}"),
    };
    decisions.iter().map(outcome).collect()
}

#[test]
fn the_exit_code_is_the_worst_decision() {
    let world = ready();
    let (read, delete, drop) = (request("read_x"), request("delete_x"), request("drop_x"));
    for (input, status) in [
        (read.clone(), 0),
        (drop.clone(), 1),
        (delete.clone(), 5),
        (format!("{read}\n{delete}\n"), 5),
        (format!("{delete}\n{drop}\n{read}\n"), 1),
        (format!("{read}\nnonsense\n{drop}\n"), 2),
        ("{\"action\":1}".to_owned(), 2),
    ] {
        for format in ["text", "json", "jsonl"] {
            let format = format!("--format={format}");
            let output = eval(&world, &input, &[&format]);
            assert_eq!(output.status, Some(status), "{input}\n{output}");
            let output = eval(&world, &input, &[&format, "--exit-zero"]);
            let expected = if status == 2 { 2 } else { 0 };
            assert_eq!(output.status, Some(expected), "{input}\n{output}");
        }
    }
}

#[test]
fn one_request_an_array_lines_several_files_and_standard_input() {
    let world = ready();
    let (read, delete, drop) = (request("read_x"), request("delete_x"), request("drop_x"));
    let all = ["allowed", "pending", "denied"];
    for input in [
        format!("{read}\n{delete}\n{drop}\n"),
        format!("{read}\n{delete}\n\n{drop}"),
        format!("[{read},\n {delete}, {drop}]\n"),
    ] {
        for arguments in [&["--format=json"][..], &["--format=json", "-"]] {
            let output = eval(&world, &input, arguments);
            output.code(1);
            assert_eq!(outcomes(&output.json()), all, "{input}");
        }
    }
    let output = eval(
        &world,
        "",
        &[
            "--format=json",
            "read_x.json",
            "delete_x.json",
            "drop_x.json",
        ],
    );
    output.code(1);
    assert_eq!(outcomes(&output.json()), all);
    let output = eval(
        &world,
        &delete,
        &["--format=json", "read_x.json", "-", "drop_x.json"],
    );
    output.code(1);
    assert_eq!(outcomes(&output.json()), all);
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&read).unwrap());
    let output = eval(&world, &pretty.unwrap(), &["--format=json"]);
    output.code(0);
    assert_eq!(outcomes(&output.json()), ["allowed"]);
    fails(&eval(&world, "", &["absent.json"]), 2, "E-CONFIG-009");
    assert_eq!(eval(&world, "", &["--format=xml"]).status, Some(2));
}

#[test]
fn every_format_says_the_same() {
    let world = ready();
    let input = format!("{}\n{}\n", request("read_x"), request("drop_x"));
    let json = eval(&world, &input, &["--format=json"]);
    json.code(1);
    let json = json.json();
    assert_eq!(json["format_version"], 1);
    let lines = eval(&world, &input, &["--format=jsonl"]);
    let lines: Vec<Value> = lines
        .code(1)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    for (line, decision) in lines.iter().zip(json["decisions"].as_array().unwrap()) {
        assert_eq!(line["format_version"], 1);
        for field in [
            "outcome",
            "rule",
            "reason_code",
            "request_fingerprint",
            "policy_digest",
            "bundles",
        ] {
            assert_eq!(line[field], decision[field], "{field}");
            assert!(!line[field].is_null(), "{field}");
        }
        assert_eq!(line["bundles"][0]["signers"][0]["principal"], "alice");
    }
    let text = eval(&world, &input, &[]);
    assert!(
        text.code(1).contains("acme#read") && text.stdout.contains("acme#drop"),
        "{text}"
    );
    let none = eval(&world, "[]", &["--format=json"]);
    none.code(0);
    assert_eq!(none.json()["decisions"], serde_json::json!([]));
    // The program that should have written something failed.
    fails(&eval(&world, "", &["--format=json"]), 2, "E-REQUEST-017");
}

#[test]
fn what_cannot_be_read_is_denied_and_named_by_its_line() {
    let world = ready();
    let input = format!(
        "{}\n{{\"subject\":1}}\n{}\n",
        request("read_x"),
        request("read_x")
    );
    let output = eval(&world, &input, &["--format=json"]);
    output.code(2);
    assert!(output.stderr.contains("line 2"), "{output}");
    assert_eq!(outcomes(&output.json()), ["allowed", "denied", "allowed"]);
}

#[test]
fn an_unsigned_directory_decides_for_authors_only() {
    let world = ready();
    let flags = [
        "--unsigned-dir=../policy/bundles/acme",
        "--scope=acme",
        "--format=json",
    ];
    world.edit("DRAFT");
    let output = eval(&world, &request("read_x"), &flags);
    output.code(0);
    let decision = &output.json()["decisions"][0];
    assert_eq!(
        (&decision["unsigned"], &decision["reason_code"]),
        (&true.into(), &"DRAFT".into())
    );
    let mut command = world.env.command(crate::support::env::binary());
    command.arg("eval").args(flags).env("CI", "1");
    fails(&world.env.run(command, b""), 3, "E-CONFIG-017");
}

#[test]
fn the_log_of_two_runs_at_once_is_whole_and_shows_an_edited_line() {
    let world = ready();
    let input: String = (0..500)
        .map(|n| request(&format!("read_{n}")) + "\n")
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| eval(&world, &input, &["--format=jsonl"]).success().len());
        }
    });
    let verify = || world.env.ordain_in("app", ["log", "verify"]);
    let whole = verify();
    assert!(whole.success().contains("intact"), "{whole}");
    let directory = world.env.work().join("app/.ordain/log");
    let file = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let decided = text
        .lines()
        .filter(|line| line.contains("\"kind\":\"decision\""))
        .count();
    assert_eq!(decided, 1000);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(lines[699].contains("\"outcome\":\"allowed\""));
    lines[699] = lines[699].replace("\"outcome\":\"allowed\"", "\"outcome\":\"denied!\"");
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let tampered = verify();
    fails(&tampered, 3, "E-LOG-002");
    assert!(tampered.stderr.contains("line 700"), "{tampered}");
}
