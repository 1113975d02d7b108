//! `ordain policy new`: a file to begin with, which `policy check` and `policy test` pass as it is.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::atomic::{self, Access};
use crate::bundle::{Limits, MANIFEST_FILE};
use crate::cli::command::Context;
use crate::cli::command::bundle::manifest_text;
use crate::cli::exit::Exit;
use crate::cli::project::whole_second;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, escape, note};
use crate::diag::Code;
use crate::engine::request::{Request, RequestLimits};
use crate::engine::{Decision, Engine, Occasion};
use crate::name::{BundleName, Scope};
use crate::pipeline;
use crate::resolve::{LoadedBundle, resolve};

#[derive(Debug, Args)]
pub(crate) struct New {
    /// What to begin.
    #[arg(value_enum)]
    kind: Kind,
    /// The file to make, which ends in `.yaml`; for a bundle its directory.
    path: PathBuf,
    /// The scope that it is about; for a bundle the top of its namespace.
    #[arg(long)]
    scope: Scope,
    /// The bundle's name; the directory's where none is given.
    #[arg(long)]
    name: Option<BundleName>,
}

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A directory with a manifest, a policy and a test of it.
    Bundle,
    /// The policy of one scope, for `policies/`.
    Policy,
    /// A catalogue of operations, for `policies/`.
    Catalog,
    /// Tests, for `tests/`, which expect what is decided now.
    Test,
}

pub(super) fn run(context: &Context, args: &New) -> Result<Exit, Failure> {
    let path = context.env.resolve(&args.path);
    if args.kind != Kind::Bundle {
        if args.name.is_some() {
            return Err(Failure::new(Code::USAGE, "`--name` is for a bundle"));
        }
        if path.extension().is_none_or(|ending| ending != "yaml") {
            let shown = escape(&args.path.display().to_string());
            return Err(
                Failure::new(Code::USAGE, format!("`{shown}` does not end in `.yaml`"))
                    .hint("only `policies/**/*.yaml` and `tests/**/*.yaml` of a bundle are read"),
            );
        }
    }
    let mut writer = Writer {
        shown: args.path.clone(),
        out: Output::stdout(),
    };
    match args.kind {
        Kind::Bundle => bundle(context, args, &path, &mut writer)?,
        Kind::Policy => writer.file(&path, "", &policy(context, &path, &args.scope))?,
        Kind::Catalog => writer.file(&path, "", &catalog(context, &path, &args.scope))?,
        Kind::Test => writer.file(&path, "", &test(context, &path, &args.scope))?,
    }
    writer.out.flush()?;
    let dir = match args.kind {
        Kind::Bundle => args.path.clone(),
        _ => around(&args.path),
    };
    let dir = escape(&dir.display().to_string());
    note(&format!(
        "next: edit it, `ordain policy check {dir}`, `ordain policy test {dir}`, `ordain policy fmt {dir}`"
    ));
    Ok(Exit::Success)
}

/// Writes files, and says which.
struct Writer {
    shown: PathBuf,
    out: Output,
}

impl Writer {
    /// Makes a file; one that is there is left alone.
    fn file(&mut self, path: &Path, below: &str, text: &str) -> Result<(), Failure> {
        let shown = if below.is_empty() {
            self.shown.clone()
        } else {
            self.shown.join(below)
        };
        let shown = escape(&shown.display().to_string());
        let refused = |error: std::io::Error| match error.kind() {
            ErrorKind::AlreadyExists => {
                Failure::new(Code::FILE_EXISTS, format!("`{shown}` is there already"))
            }
            _ => Failure::new(
                Code::FILE_UNWRITABLE,
                format!("cannot write `{shown}`: {error}"),
            ),
        };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(refused)?;
        }
        atomic::create(path, text.as_bytes(), Access::Shared).map_err(refused)?;
        self.out.line(&shown)
    }
}

fn bundle(context: &Context, args: &New, dir: &Path, writer: &mut Writer) -> Result<(), Failure> {
    if dir
        .read_dir()
        .is_ok_and(|mut entries| entries.next().is_some())
    {
        let shown = escape(&args.path.display().to_string());
        return Err(Failure::new(
            Code::FILE_EXISTS,
            format!("`{shown}` is not empty"),
        ));
    }
    let name = match &args.name {
        Some(name) => name.clone(),
        None => {
            let name = dir
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            name.unwrap_or_default().parse().map_err(|error| {
                Failure::new(Code::USAGE, format!("{error}")).hint("name the bundle with `--name`")
            })?
        }
    };
    let namespace = args.scope.as_str().parse().map_err(|error| {
        Failure::new(Code::USAGE, format!("the scope is no namespace: {error}"))
    })?;
    let file = format!("{}.yaml", args.scope.as_str().replace('/', "-"));
    let (policy_file, test_file) = (format!("policies/{file}"), format!("tests/{file}"));
    writer.file(&dir.join(".gitattributes"), ".gitattributes", "* -text\n")?;
    let manifest = manifest_text(&name, &namespace);
    writer.file(&dir.join(MANIFEST_FILE), MANIFEST_FILE, &manifest)?;
    let path = dir.join(&policy_file);
    writer.file(&path, &policy_file, &policy(context, &path, &args.scope))?;
    let path = dir.join(&test_file);
    writer.file(&path, &test_file, &test(context, &path, &args.scope))
}

/// The bundle's directory around one of its files, as far as that can be told from the path.
fn around(file: &Path) -> PathBuf {
    let above = file
        .ancestors()
        .find(|above| above.join(MANIFEST_FILE).is_file());
    let above = above.map(Path::to_path_buf).unwrap_or_default();
    if above.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        above
    }
}

/// The line that editors look for. The schemas lie at the top of the repository, outside every bundle.
fn schema(context: &Context, file: &Path, kind: &str) -> String {
    let parent = file.parent().unwrap_or(file);
    let above = parent.ancestors();
    let to_repository = above.clone().position(|dir| dir.join(".git").exists());
    let to_here = above.clone().position(|dir| dir == context.env.current);
    let up = "../".repeat(to_repository.or(to_here).unwrap_or(0));
    format!("# yaml-language-server: $schema={up}.ordain-schemas/{kind}.json\n")
}

fn policy(context: &Context, file: &Path, scope: &Scope) -> String {
    format!(
        r#"{}apiVersion: ordain/v1
kind: Policy
scope: {scope}
# How far the rules bind: audit-only | warn | enforce.
mode: enforce
# What this scope says where no rule of it matches: abstain leaves it to other scopes, and where all are silent it is denied.
default: abstain
rules:
  # The first that matches decides for this scope: by precedence, then deny, require_approval, allow, audit, then id.
  - id: deleting-needs-a-second-person
    effect: require_approval
    reason: What is deleted is gone
    reason_code: DELETE_NEEDS_APPROVAL
    remediation: Ask the owner of the resource
    # What scopes below may do to the rule: none | tighten | any.
    override: tighten
    # Every key must match. A key is a path of the request; a value is a text, a pattern, a list of them, or operators.
    match:
      action: "delete_*"
    # What must hold besides, in CEL:
    # when: context.replicas > 3 && !(subject.id in data.release_managers)
"#,
        schema(context, file, "policy")
    )
}

fn catalog(context: &Context, file: &Path, scope: &Scope) -> String {
    format!(
        r#"{}apiVersion: ordain/v1
kind: Catalog
scope: {scope}
operations:
  - action: show_status
    description: Reads and changes nothing
    # low | medium | high | critical: what is asked of the operation follows from it.
    risk: low
  - action: restart_service
    description: Interrupts whoever uses the service
    risk: high
    # Capabilities that the caller must hold.
    requires: [service-control]
    variants:
      - id: sshd
        match:
          action.properties.args.unit: "ssh*"
        risk: critical
# Arguments that raise what is asked, read as a shell reads them.
patterns:
  - id: recursive-delete
    command: {{program: rm, flags_all: [recursive, force]}}
    reason: Deletes a tree without asking
# What is said of an action that is not listed: abstain | allow | audit | require_approval | deny.
unknown_operation: abstain
"#,
        schema(context, file, "catalog")
    )
}

/// A test that expects what is decided now, so that it passes, and fails when that changes.
fn test(context: &Context, file: &Path, scope: &Scope) -> String {
    let now = whole_second(context.env.clock.now());
    let bundle = pipeline::load_unsigned(&around(file), &Limits::default()).ok();
    let bundles: Vec<LoadedBundle> = bundle.into_iter().collect();
    let engine = resolve(&bundles, scope, now, None).map(Engine::new).ok();
    let action = sample(&bundles, scope);
    let request = format!(
        r#"{{"subject":{{"type":"user","id":"dana"}},"action":{{"name":"{action}"}},"resource":{{"type":"stack","id":"payments-api"}}}}"#
    );
    let request = Request::from_json(request.as_bytes(), &RequestLimits::default());
    let decided = engine.zip(request.ok()).map(|(engine, request)| {
        let decision = Decision::of(&engine, &request, Occasion::rehearsal(&request, now));
        (decision.effect.as_str(), decision.reason_code().to_owned())
    });
    let (effect, code) = decided.unwrap_or(("deny", "NO_MATCH".to_owned()));
    format!(
        r#"{}apiVersion: ordain/v1
kind: PolicyTest
scope: {scope}
# The time is given, so that the test says the same for ever. `date -u +%FT%TZ` prints it.
now: {now}
# What all cases share; each may add to it.
request:
  subject: {{type: user, id: dana}}
  resource: {{type: stack, id: payments-api}}
cases:
  # This is what was decided when the file was made. Say what it should be.
  - name: {action}, by a user without any properties
    request:
      action: {{name: {action}}}
    expect: {{effect: {effect}, reason_code: {code}}}
"#,
        schema(context, file, "policytest")
    )
}

/// An action that a rule of the scope speaks of, if it is a plain word.
fn sample(bundles: &[LoadedBundle], scope: &Scope) -> String {
    let layers = bundles.iter().flat_map(LoadedBundle::layers);
    let own = layers.filter(|layer| layer.scope == *scope);
    let rules = own.flat_map(|layer| &layer.rules);
    let mut actions = rules.filter_map(|rule| {
        let source = rule.matcher.source().value();
        let source = source.get("action")?;
        let first = source
            .as_array()
            .and_then(|items| items.first())
            .unwrap_or(source);
        let action = first.as_str()?.replace('*', "x");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let is_word =
            action.starts_with(|c: char| c.is_ascii_lowercase()) && action.chars().all(is_plain);
        (is_word && !["true", "false", "null"].contains(&&*action)).then_some(action)
    });
    actions.next().unwrap_or_else(|| "delete_stack".to_owned())
}
