//! Dangerous commands: reads shell text as a shell does, and holds it against the `command:` patterns of catalogues.
//!
//! [`Script`] is what a request asks to run, read once: every command that it would run, in whatever spelling (`reader`). A
//! [`CommandPattern`] describes one kind of dangerous command (`pattern`).
//!
//! INVARIANT: what cannot be followed is never taken for harmless. Text that no shell can read, that passes a cap, or whose
//! program is only known at run time makes the script *unreadable*, which decisions count as dangerous under the pattern id
//! `unreadable`; it makes no other pattern match.
//!
//! It runs nothing and looks nothing up: files, environment and the programs' own plug-ins are not seen. Its caps bound time
//! and stack whatever the text: the parser's own recursion is capped before it is called (`tokens`).

mod commands;
mod elsewhere;
mod files;
mod flags;
mod languages;
mod launchers;
mod listed;
mod output;
mod parameter;
mod pattern;
mod programs;
mod reader;
mod runs;
mod scan;
mod texts;
mod tokens;
mod tried;
mod value;
mod words;
mod wrapped;

pub(in crate::policy) use pattern::CommandPattern;
pub use tried::{CommandPatterns, Found};

use reader::{Call, Reader, Stdin};

/// The most words in one field of a pattern.
const MAX_WORDS: usize = 256;
/// The stack for scripts with many brackets: more than twice what the deepest nesting takes in a build without optimisation.
const STACK_BYTES: usize = 16 << 20;

/// A command line or script, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Script {
    calls: Vec<Call>,
    unreadable: Option<String>,
}

impl Script {
    /// Reads shell text.
    pub(in crate::policy) fn read(text: &str) -> Self {
        let text = value::clean(text);
        Self::read_with(|reader| {
            reader.text(&text, &Stdin::None);
            reader.end();
        })
    }

    /// Reads a command that is already split into words, of which none is expanded. One word that holds blanks is taken for
    /// shell text: whoever sends it means a command line.
    pub(in crate::policy) fn of_words(words: &[&str]) -> Self {
        if let [line] = words
            && line.contains(char::is_whitespace)
        {
            return Self::read(line);
        }
        let words: Vec<String> = words.iter().map(|word| value::clean(word)).collect();
        Self::read_with(|reader| {
            if words.iter().map(String::len).sum::<usize>() > tokens::MAX_SCRIPT_BYTES {
                reader.doubt("the command is too long");
            } else {
                reader.run(words.clone(), &Stdin::None, Vec::new());
            }
        })
    }

    /// The parser recurses into brackets, and a stack that overflows ends the process: where a text, or one that it decodes, opens
    /// more brackets than any stack holds, all of it is read again on a stack of its own.
    fn read_with(read: impl Fn(&mut Reader) + Sync) -> Self {
        let mut reader = Reader::default();
        read(&mut reader);
        if !reader.needs_stack() {
            return Self::of(reader);
        }
        let on_own_stack = || {
            let mut reader = Reader::on_own_stack();
            read(&mut reader);
            Self::of(reader)
        };
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        std::thread::scope(|scope| {
            let thread = builder.spawn_scoped(scope, on_own_stack).ok();
            let script = thread.and_then(|thread| thread.join().ok());
            script.unwrap_or_else(|| Self {
                calls: Vec::new(),
                unreadable: Some("there is no thread to read the script".to_owned()),
            })
        })
    }

    fn of(reader: Reader) -> Self {
        let (calls, unreadable) = reader.finish();
        Self { calls, unreadable }
    }

    /// Why the script cannot be read to its end, as text for the decision; none where it can.
    pub(in crate::policy) fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }
}

#[cfg(test)]
mod tests;
