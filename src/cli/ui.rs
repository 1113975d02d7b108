//! Where text goes: standard output is data, standard error everything else. A closed pipe ends quietly.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;
use serde::Serialize;

use super::report::Failure;
use crate::diag::Code;
pub(crate) use crate::diag::printable as escape;

/// The progress that a terminal shows: there is one terminal, so there is one of it. Whatever is written makes it step aside.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Shows progress until [`hide`].
pub(crate) fn show(bar: &ProgressBar) {
    *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
}

/// Takes the progress away.
pub(crate) fn hide() {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(bar) = shown {
        bar.finish_and_clear();
    }
}

fn aside<T>(write: impl FnOnce() -> T) -> T {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match shown {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Buffered standard output.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: io::BufWriter<io::Stdout>,
}

impl Output {
    pub(crate) fn stdout() -> Self {
        Self {
            stdout: io::BufWriter::with_capacity(64 << 10, io::stdout()),
        }
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.raw(text.as_bytes())?;
        self.raw(b"\n")
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stdout
            .write_all(bytes)
            .map_err(|error| output_failure(&error))
    }

    /// Hands everything to the system.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        aside(|| self.stdout.flush()).map_err(|error| output_failure(&error))
    }

    /// [`note`], after what was written before: on a terminal the two streams are one.
    pub(crate) fn note(&mut self, text: &str) -> Result<(), Failure> {
        self.flush()?;
        note(text);
        Ok(())
    }
}

fn output_failure(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Failure::closed_pipe()
    } else {
        Failure::new(
            Code::OUTPUT,
            format!("cannot write to standard output: {error}"),
        )
    }
}

/// Writes one line to standard error; if that is closed there is nobody to tell.
pub(crate) fn note(text: &str) {
    let _ = aside(|| writeln!(anstream::stderr().lock(), "{text}"));
}

/// A number of things, such as `1 file` or `2 files`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// A value as one JSON document over several lines, fit for a terminal.
pub(crate) fn pretty_json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(printable_json)
        .map_err(|error| no_json(&error))
}

/// A value as JSON on one line, fit for a terminal.
pub(crate) fn line_json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map(printable_json)
        .map_err(|error| no_json(&error))
}

fn no_json(error: &serde_json::Error) -> Failure {
    Failure::new(
        Code::OUTPUT,
        format!("the output cannot be written as JSON: {error}"),
    )
}

/// JSON with every character escaped that could steer a terminal: `serde_json` escapes only those below U+0020.
pub(crate) fn printable_json(json: String) -> String {
    if is_plain(json.as_bytes()) || !json.contains(steers) {
        return json;
    }
    let mut text = String::with_capacity(json.len() + 32);
    escape_steering(&json, &mut text);
    text
}

/// Writes [`printable_json`] of `json`, which is a part of what `serde_json` wrote.
pub(crate) fn push_printable_json(out: &mut Vec<u8>, json: &[u8]) {
    if is_plain(json) {
        out.extend_from_slice(json);
        return;
    }
    let mut text = String::with_capacity(json.len() + 32);
    escape_steering(&String::from_utf8_lossy(json), &mut text);
    out.extend_from_slice(text.as_bytes());
}

/// Whether all is ASCII and no DEL, which is told many bytes at a time.
fn is_plain(json: &[u8]) -> bool {
    json.iter().fold(true, |plain, byte| plain & (*byte < 0x7f))
}

fn steers(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn escape_steering(json: &str, text: &mut String) {
    for character in json.chars() {
        if steers(character) {
            // They stand in strings only, and all of them in the first plane.
            text.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            text.push(character);
        }
    }
}
