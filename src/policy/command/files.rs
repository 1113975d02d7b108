//! Redirections, and what is known of the files and pipes that they name.

use std::ops::Range;

use brush_parser::ast::{
    IoFileRedirectKind, IoFileRedirectTarget, IoRedirect, ProcessSubstitutionKind, SubshellCommand,
};

use super::reader::{Call, Reader, Stdin};
use super::tokens::MAX_SCRIPT_BYTES;
use super::value::base;

/// The most files that are remembered.
const MAX_FILES: usize = 64;

impl Reader {
    /// Notes the redirections of a compound command, and gives what it reads.
    pub(super) fn redirected<'a>(
        &mut self,
        redirects: impl Iterator<Item = &'a IoRedirect>,
        stdin: &Stdin,
    ) -> Stdin {
        let mut stdin = stdin.clone();
        let mut writes = Vec::new();
        for redirect in redirects {
            self.redirect(redirect, &mut stdin, &mut writes);
        }
        for path in &writes {
            let here = self.calls.len();
            self.written(path, None, here..here);
        }
        if !writes.is_empty() {
            let call = Call {
                writes,
                ..Call::default()
            };
            self.note(call);
        }
        stdin
    }

    pub(super) fn redirect(
        &mut self,
        redirect: &IoRedirect,
        stdin: &mut Stdin,
        writes: &mut Vec<String>,
    ) {
        match redirect {
            IoRedirect::File(descriptor, kind, target) => {
                let reads = matches!(
                    kind,
                    IoFileRedirectKind::Read | IoFileRedirectKind::DuplicateInput
                );
                let (text, printed) = match target {
                    IoFileRedirectTarget::Filename(word) => (self.expand_whole(&word.value), None),
                    IoFileRedirectTarget::Duplicate(word) => {
                        let text = self.expand_whole(&word.value);
                        (text.trim_start_matches('&').to_owned(), None)
                    }
                    IoFileRedirectTarget::Fd(from) => (from.to_string(), None),
                    IoFileRedirectTarget::ProcessSubstitution(kind, script) => {
                        (String::new(), Some(self.process(kind, script)))
                    }
                };
                let duplicates = matches!(
                    target,
                    IoFileRedirectTarget::Fd(_) | IoFileRedirectTarget::Duplicate(_)
                );
                if !reads {
                    if !text.is_empty() && !matches!(target, IoFileRedirectTarget::Fd(_)) {
                        writes.push(text);
                    }
                } else if duplicates {
                    // What another descriptor reads is not followed.
                    match text.as_str() {
                        "0" => {}
                        _ if descriptor.is_some_and(|descriptor| descriptor != 0) => {}
                        "-" => *stdin = Stdin::None,
                        _ => *stdin = Stdin::Stream,
                    }
                } else if descriptor.is_none_or(|descriptor| descriptor == 0) {
                    *stdin = match printed {
                        Some(Some(text)) => Stdin::Text(text),
                        Some(None) => Stdin::Stream,
                        None => self.file(&text).unwrap_or(Stdin::None),
                    };
                }
            }
            IoRedirect::HereDocument(descriptor, document) => {
                let text = &document.doc.value;
                let text = if document.requires_expansion {
                    self.expand_quoted(text)
                } else {
                    text.clone()
                };
                if descriptor.is_none_or(|descriptor| descriptor == 0) {
                    *stdin = Stdin::Text(text);
                }
            }
            IoRedirect::HereString(descriptor, word) => {
                let text = self.expand_whole(&word.value);
                if descriptor.is_none_or(|descriptor| descriptor == 0) {
                    *stdin = Stdin::Text(text);
                }
            }
            IoRedirect::OutputAndError(word, _) => {
                let text = self.expand_whole(&word.value);
                writes.push(text);
            }
        }
    }

    /// Notes what `exec <…` opens. Where it may not run, and another stood before it, it is not known which is read.
    pub(super) fn reads_from_now_on(&mut self, stdin: Stdin) {
        let (times, known) = &self.inputs;
        let unsure = self.conditional > 0
            && known
                .as_ref()
                .is_some_and(|known| *known != Stdin::None && *known != stdin);
        let stdin = if unsure { Stdin::Stream } else { stdin };
        self.inputs = (times + 1, Some(stdin));
    }

    pub(super) fn process(
        &mut self,
        kind: &ProcessSubstitutionKind,
        script: &SubshellCommand,
    ) -> Option<String> {
        let stdin = match kind {
            ProcessSubstitutionKind::Read => Stdin::None,
            ProcessSubstitutionKind::Write => Stdin::Stream,
        };
        self.perhaps(&[&script.list], &stdin)
    }

    /// The path of a process substitution whose script this is.
    pub(super) fn stream_of(&mut self, script: &str, stdin: &Stdin) -> String {
        let printed = self.text(script, stdin);
        self.stream(printed)
    }

    pub(super) fn stream(&mut self, printed: Option<String>) -> String {
        self.streams.push(printed);
        format!("/dev/fd/stream{}", self.streams.len() - 1)
    }

    /// What a file holds, where the script itself writes it or it is no file but the end of a pipe.
    pub(super) fn file(&self, path: &str) -> Option<Stdin> {
        let printed = match path.strip_prefix("/dev/fd/stream") {
            Some(index) => self.streams.get(index.parse::<usize>().ok()?)?,
            None if path.starts_with("/dev/fd/") || path.starts_with("/proc/self/fd/") => &None,
            None => &self.files.get(base(path))?.0,
        };
        Some(printed.clone().map_or(Stdin::Stream, Stdin::Text))
    }

    /// Notes that the commands `by` write a file; it holds what was there before, too. Files are known by their names without
    /// directories, which `cd` would change.
    pub(super) fn written(&mut self, path: &str, text: Option<String>, by: Range<usize>) {
        let name = base(path);
        if path.starts_with("/dev/") || name.is_empty() {
            return;
        }
        let (text, by) = match self.files.get(name) {
            Some((before, earlier)) => {
                let text = before.as_ref().zip(text);
                let text = text
                    .filter(|(before, text)| before.len() + text.len() < MAX_SCRIPT_BYTES)
                    .map(|(before, text)| format!("{before}\n{text}"));
                (text, earlier.start.min(by.start)..earlier.end.max(by.end))
            }
            None => (text, by),
        };
        self.files.insert(name.to_owned(), (text, by));
        if self.files.len() > MAX_FILES {
            self.doubt("the script writes too many files");
        }
    }
}
