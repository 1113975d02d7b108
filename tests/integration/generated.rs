//! Pages that are made from the program are the program's.

use std::fmt::Write as _;

use ordain::diag::{self, Kind};

use super::support::checkout;

/// Holds a page against what it should be; with `ORDAIN_WRITE_DOCS` set, writes it.
#[track_caller]
pub(crate) fn hold(page: &str, wanted: &str) {
    let path = checkout().join(page);
    if std::env::var_os("ORDAIN_WRITE_DOCS").is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = found
        .lines()
        .zip(wanted.lines())
        .position(|(found, wanted)| found != wanted)
        .map_or(found.lines().count().min(wanted.lines().count()), |at| at)
        + 1;
    assert!(
        found == wanted,
        "{page} is not what the program says, from line {differs} on: run `ORDAIN_WRITE_DOCS=1 cargo test generated`, \
         read the difference, and commit it"
    );
}

/// The exit code that a kind of error ends with.
fn exit_code(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Finding => ("1", "a check found something"),
        Kind::Invalid => ("2", "usage, configuration or invalid policy"),
        Kind::Untrusted => ("3", "not trusted"),
        Kind::Unavailable => ("4", "the source is unavailable"),
        Kind::Internal => ("70", "a fault of the program or its machine"),
    }
}

#[test]
fn the_page_of_diagnostics_is_current() {
    let mut page = String::from(
        "# Diagnostics\n\nEvery error has a stable code. `ordain explain CODE` prints what stands here. This page is made from the catalogue \
         in `src/diag/catalogue`.\n",
    );
    let mut area = "";
    for code in diag::all() {
        let this = code.id.split('-').nth(1).unwrap();
        if this != area {
            area = this;
            write!(page, "\n## {area}\n").unwrap();
        }
        let (exit, meaning) = exit_code(code.kind);
        write!(
            page,
            "\n### {}\n\n**{}** (exit {exit}: {meaning})\n\n{}\n",
            code.id, code.title, code.help
        )
        .unwrap();
    }
    hold("docs/diagnostics.md", &page);
}

#[test]
fn the_generated_schemas_are_current() {
    for (kind, schema) in ordain::cli::schemas() {
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        hold(&format!("docs/schemas/{}.json", kind.to_lowercase()), &text);
    }
}

/// What `docs/cli.md` says besides the commands' own help.
const CLI_INTRODUCTION: &str = include_str!("support/cli-introduction.md");

#[test]
fn the_page_of_commands_is_current() {
    let mut page = CLI_INTRODUCTION.to_owned();
    let mut root = ordain::cli::clap_command().term_width(100);
    root.build();
    describe(&mut page, &root, "ordain");
    hold("docs/cli.md", &page);
}

/// The help of a command and of those below it.
fn describe(page: &mut String, command: &clap::Command, name: &str) {
    let help = command.clone().render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    write!(
        page,
        "\n### `{name}`\n\n```text\n{}\n```\n",
        lines.join("\n").trim()
    )
    .unwrap();
    for below in command
        .get_subcommands()
        .filter(|below| below.get_name() != "help")
    {
        describe(page, below, &format!("{name} {}", below.get_name()));
    }
}

#[test]
fn the_order_of_verification_is_current() {
    use ordain::pipeline::{Part, Step};
    let page = std::fs::read_to_string(checkout().join("docs/bundle-format.md")).unwrap();
    let (begin, end) = (
        "<!-- steps: made from the program -->\n",
        "<!-- end of steps -->",
    );
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let mut table = String::from("\n| step | of | passes when |\n| --- | --- | --- |\n");
    for step in Step::all() {
        let part = match step.part() {
            Part::Before => "the machine",
            Part::Bundle => "each bundle",
            Part::Together => "all bundles",
        };
        writeln!(table, "| `{step}` | {part} | {} |", step.question()).unwrap();
    }
    hold(
        "docs/bundle-format.md",
        &format!("{before}{begin}{table}\n{end}{after}"),
    );
}
