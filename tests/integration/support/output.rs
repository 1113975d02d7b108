//! What a program answered, with the parts that differ from run to run replaced.

use std::fmt;
use std::path::Path;

/// The end of a program: displayed, it is one text for a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    /// Standard output, verbatim.
    pub(crate) stdout: String,
    /// Standard error, verbatim.
    pub(crate) stderr: String,
    /// The exit code; none when a signal ended it.
    pub(crate) status: Option<i32>,
    root: String,
}

impl Output {
    pub(super) fn new(output: &std::process::Output, root: &Path) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).expect("output is UTF-8");
        Self {
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            status: output.status.code(),
            root: root.to_string_lossy().into_owned(),
        }
    }

    /// The standard output, after a check that the program succeeded.
    #[track_caller]
    pub(crate) fn success(&self) -> &str {
        self.code(0)
    }

    /// The standard output, after a check of the exit code.
    #[track_caller]
    pub(crate) fn code(&self, code: i32) -> &str {
        assert_eq!(self.status, Some(code), "\n{self}");
        &self.stdout
    }

    /// The standard output as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(code) => writeln!(f, "status: {code}")?,
            None => writeln!(f, "status: ended by a signal")?,
        }
        for (title, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                let text = text.replace(&self.root, "[root]");
                writeln!(f, "--- {title}\n{}", redact(&text).trim_end())?;
            }
        }
        Ok(())
    }
}

/// Replaces what differs between two runs of the same test: UUIDs, durations, and ports of loopback servers.
pub(crate) fn redact(text: &str) -> String {
    let mut answer = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let starts_word = !answer.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '.');
        let hit = [uuid, duration, nanoseconds, port]
            .iter()
            .filter(|_| starts_word)
            .find_map(|rule| rule(rest));
        match hit {
            Some((length, placeholder)) => {
                answer.push_str(placeholder);
                rest = &rest[length..];
            }
            None => {
                answer.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    answer
}

/// `01932f6e-…` in the 8-4-4-4-12 form.
fn uuid(text: &str) -> Option<(usize, &'static str)> {
    let candidate = text.as_bytes().get(..36)?;
    let fits = candidate.iter().enumerate().all(|(index, byte)| {
        if matches!(index, 8 | 13 | 18 | 23) {
            *byte == b'-'
        } else {
            byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)
        }
    });
    fits.then_some((36, "[uuid]"))
}

/// `1.5ms`, `12 µs`, `0.3 s`.
fn duration(text: &str) -> Option<(usize, &'static str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number = &text[..digits];
    let rest = text[digits..].strip_prefix(' ').unwrap_or(&text[digits..]);
    let unit = ["ns", "µs", "us", "ms", "s"].into_iter().find(|unit| {
        rest.strip_prefix(unit)
            .is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric()))
    })?;
    let fits = number.starts_with(|c: char| c.is_ascii_digit()) && !number.ends_with('.');
    fits.then(|| (text.len() - rest.len() + unit.len(), "[duration]"))
}

/// `duration_ns":1234`, as decisions hold it.
fn nanoseconds(text: &str) -> Option<(usize, &'static str)> {
    let key = "duration_ns\":";
    let rest = text.strip_prefix(key)?;
    let value = rest.trim_start_matches(' ');
    let digits = value.len() - value.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let length = key.len() + (rest.len() - value.len()) + digits;
    (digits > 0).then_some((length, "duration_ns\": 0"))
}

/// The port in `127.0.0.1:41233`.
fn port(text: &str) -> Option<(usize, &'static str)> {
    let host = ["127.0.0.1:", "localhost:", "[::1]:"]
        .into_iter()
        .find(|host| text.starts_with(host))?;
    let rest = &text[host.len()..];
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    (digits > 0).then_some((host.len() + digits, "[server]"))
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    for (text, expected) in [
        (
            "decision 01932f6e-8a5b-7c3d-9e1f-0123456789ab stands",
            "decision [uuid] stands",
        ),
        ("fetched in 12.5 ms.", "fetched in [duration]."),
        ("fetched in 3s", "fetched in [duration]"),
        ("3 signatures, 30d, v1.2.3", "3 signatures, 30d, v1.2.3"),
        (
            "{\"duration_ns\": 1234, \"n\": 1}",
            "{\"duration_ns\": 0, \"n\": 1}",
        ),
        ("git://127.0.0.1:41233/acme", "git://[server]/acme"),
        ("2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"),
    ] {
        assert_eq!(redact(text), expected);
    }
}
