//! `ordain policy fmt`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::atomic::{self, Access};
use crate::bundle::{ENVELOPE_FILE, Limits, MANIFEST_FILE};
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::input;
use crate::cli::report::{Failure, print_diagnostic};
use crate::cli::ui::{Output, counted, escape, note};
use crate::diag::Code;
use crate::pipeline;
use crate::policy::is_document;
use crate::yaml;

#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// Files, or bundles' directories.
    #[arg(default_value = ".", conflicts_with = "stdin")]
    paths: Vec<PathBuf>,
    /// Write nothing; list the files that are not formatted, and exit with 1 if there are any.
    #[arg(long)]
    check: bool,
    /// Format standard input to standard output.
    #[arg(long)]
    stdin: bool,
}

/// A file to format: as the user names it, and where it is.
struct Target {
    shown: PathBuf,
    path: PathBuf,
    bytes: Vec<u8>,
}

pub(super) fn run(context: &Context, args: &Fmt) -> Result<Exit, Failure> {
    let limits = Limits::default();
    if args.stdin {
        return format_stdin(context, args, &limits);
    }
    let mut targets = Vec::new();
    for path in &args.paths {
        let real = context.env.resolve(path);
        if real.is_dir() {
            list(path, &real, &limits, &mut targets)?;
        } else {
            let bytes = read(path, &real, &limits)?;
            let shown = path.clone();
            targets.push(Target {
                shown,
                path: real,
                bytes,
            });
        }
    }
    let mut out = Output::stdout();
    let (mut changed, mut invalid) = (0, 0);
    let mut signed: Option<PathBuf> = None;
    for target in &targets {
        let name = target.shown.display().to_string();
        match yaml::format(&name, &target.bytes, limits.policy_bytes) {
            Err(problem) => {
                print_diagnostic(&problem);
                invalid += 1;
            }
            Ok(text) if text.as_bytes() == target.bytes => {}
            Ok(text) => {
                changed += 1;
                out.line(&escape(&name))?;
                if !args.check {
                    atomic::replace(&target.path, text.as_bytes(), Access::Shared).map_err(
                        |error| {
                            let message = format!("cannot write `{}`: {error}", escape(&name));
                            Failure::new(Code::FILE_UNWRITABLE, message)
                        },
                    )?;
                    signed = signed.or_else(|| envelope_of(&target.path));
                }
            }
        }
    }
    out.flush()?;
    if signed.is_some() {
        note(
            "the bundle's signature does not cover what changed: sign it again with `ordain bundle sign`",
        );
    }
    if invalid > 0 {
        return Ok(Exit::Invalid);
    }
    Ok(end(args, changed))
}

fn format_stdin(context: &Context, args: &Fmt, limits: &Limits) -> Result<Exit, Failure> {
    let mut bytes = Vec::new();
    // One byte more than may be, so that the reader sees that there is more.
    let most = limits.policy_bytes as u64 + 1;
    input::open(&context.env, Path::new("-"))?
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable("-", &error))?;
    let text = yaml::format("-", &bytes, limits.policy_bytes)?;
    if !args.check {
        let mut out = Output::stdout();
        out.raw(text.as_bytes())?;
        out.flush()?;
        return Ok(Exit::Success);
    }
    Ok(end(args, usize::from(text.as_bytes() != bytes)))
}

fn end(args: &Fmt, changed: usize) -> Exit {
    if !args.check || changed == 0 {
        return Exit::Success;
    }
    let verb = if changed == 1 { "is" } else { "are" };
    let message = format!("{} {verb} not formatted", counted(changed, "file"));
    let failure = Failure::new(Code::FORMAT_NEEDED, message);
    failure.print();
    failure.exit()
}

/// The files of the bundle in `dir` that are formatted.
fn list(
    shown: &Path,
    dir: &Path,
    limits: &Limits,
    targets: &mut Vec<Target>,
) -> Result<(), Failure> {
    let files = pipeline::read_directory(dir, limits)?.files;
    if !files.keys().any(|name| name.as_str() == MANIFEST_FILE) {
        let message = format!(
            "`{}` has no `bundle.yaml`",
            escape(&shown.display().to_string())
        );
        return Err(Failure::new(Code::MANIFEST_MISSING, message)
            .hint("name a bundle's directory, or the files themselves"));
    }
    for (name, bytes) in files.iter().filter(|(name, _)| is_document(name)) {
        targets.push(Target {
            shown: shown.strip_prefix(".").unwrap_or(shown).join(name.as_str()),
            path: dir.join(name.as_str()),
            bytes: bytes.to_vec(),
        });
    }
    Ok(())
}

fn read(shown: &Path, path: &Path, limits: &Limits) -> Result<Vec<u8>, Failure> {
    let name = shown.display().to_string();
    let metadata = std::fs::symlink_metadata(path).map_err(|error| unreadable(&name, &error))?;
    // A link would be replaced by a file, and a device read for ever.
    if !metadata.is_file() {
        let message = format!("`{}` is not a file", escape(&name));
        return Err(Failure::new(Code::FILE_UNREADABLE, message)
            .hint("name the file itself, not a link to it"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| {
            file.take(limits.policy_bytes as u64 + 1)
                .read_to_end(&mut bytes)
        })
        .map_err(|error| unreadable(&name, &error))?;
    Ok(bytes)
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    let message = format!("cannot read `{}`: {error}", escape(name));
    Failure::new(Code::FILE_UNREADABLE, message)
}

/// The signature of the bundle that a file is part of, where there is one.
fn envelope_of(file: &Path) -> Option<PathBuf> {
    let bundle = file
        .ancestors()
        .skip(1)
        .find(|dir| dir.join(MANIFEST_FILE).is_file())?;
    Some(bundle.join(ENVELOPE_FILE)).filter(|envelope| envelope.is_file())
}
