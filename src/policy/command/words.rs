//! Expands words as a shell does: quotes, escapes, variables, substitutions, splitting.
//!
//! Written here rather than with the parser's own reader of words, because that one takes exponential time on nested quotes
//! and panics on large numbers, and a script comes from whoever asks. Each word is read once, from left to right; what a
//! substitution holds is read as a script of its own, one level deeper.

use super::parameter::{Parameter, transform};
use super::reader::{Reader, Stdin, weight};
use super::scan::{ansi_end, braces, matching, position, unescape};
use super::value::{HOLE, ONE, RUN, has_hole, is_fixed};

/// The longest value of a variable, in bytes.
const MAX_VALUE_BYTES: usize = 4_096;

/// Whether text stands in double quotes (or a here-document), where only `$`, `` ` `` and `\` mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    None,
    Double,
}

/// The words that one word becomes.
#[derive(Debug, Default)]
pub(super) struct Fields {
    done: Vec<String>,
    current: String,
    /// Whether there is a current word: `""` is one, an unset variable is none.
    begun: bool,
}

impl Fields {
    fn push(&mut self, c: char) {
        self.current.push(c);
        self.begun = true;
    }

    fn end_word(&mut self) {
        if std::mem::take(&mut self.begun) {
            self.done.push(std::mem::take(&mut self.current));
        }
    }

    fn finish(mut self) -> Vec<String> {
        self.end_word();
        self.done
    }

    /// Adds what an expansion gave: unquoted it is split at blanks and its globs expand.
    fn put(&mut self, text: &str, quotes: Quotes) {
        for c in text.chars() {
            match (quotes, c) {
                (Quotes::None, ' ' | '\t' | '\n') => self.end_word(),
                (Quotes::None, '*') => self.push(RUN),
                (Quotes::None, '?') => self.push(ONE),
                _ => self.push(c),
            }
        }
        self.begun |= quotes == Quotes::Double;
    }

    /// Adds the members of a list, each a word of its own.
    fn put_each(&mut self, members: &[String], quotes: Quotes) {
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                self.end_word();
            }
            self.put(member, quotes);
        }
    }
}

impl Reader {
    /// The words that one word of the script becomes.
    pub(super) fn expand(&mut self, raw: &str) -> Vec<String> {
        let chars: Vec<char> = raw.chars().collect();
        let Some(words) = braces(&chars) else {
            self.doubt("a brace expansion gives too many words");
            return Vec::new();
        };
        let mut expanded = Vec::new();
        for word in words {
            let mut fields = Fields::default();
            self.read(&word, Quotes::None, &mut fields);
            expanded.extend(fields.finish());
        }
        expanded
    }

    /// The text that one word becomes where it is not split: an assignment, a here-string, the word of a `case`.
    pub(super) fn expand_whole(&mut self, raw: &str) -> String {
        let chars: Vec<char> = raw.chars().collect();
        let mut fields = Fields::default();
        self.read(&chars, Quotes::None, &mut fields);
        fields.finish().join(" ")
    }

    /// A here-document, an index, an arithmetic expression.
    pub(super) fn expand_quoted(&mut self, raw: &str) -> String {
        let chars: Vec<char> = raw.chars().collect();
        let mut fields = Fields::default();
        self.read(&chars, Quotes::Double, &mut fields);
        fields.finish().join(" ")
    }

    fn read(&mut self, chars: &[char], quotes: Quotes, out: &mut Fields) {
        let plain = quotes == Quotes::None;
        let mut at = 0;
        while let Some(&c) = chars.get(at) {
            let next = chars.get(at + 1).copied();
            let part = |from: usize, to: usize| chars.get(from..to).unwrap_or_default();
            at = match (c, next) {
                ('\\', Some('\n')) => at + 2,
                ('\\', Some(escaped)) if plain || "$`\"\\".contains(escaped) => {
                    out.push(escaped);
                    at + 2
                }
                ('\'', _) if plain => {
                    let end = position(chars, at + 1, '\'').unwrap_or(chars.len());
                    part(at + 1, end).iter().for_each(|c| out.push(*c));
                    out.begun = true;
                    end + 1
                }
                ('"', _) if plain => {
                    let end = matching(chars, at + 1, '"').unwrap_or(chars.len());
                    out.begun = true;
                    self.read(part(at + 1, end), Quotes::Double, out);
                    end + 1
                }
                ('`', _) => {
                    let end = matching(chars, at + 1, '`').unwrap_or(chars.len());
                    let inner = unbackquote(part(at + 1, end));
                    self.substitute(&inner, quotes, out);
                    end + 1
                }
                ('$', Some(next)) => self.dollar(chars, at, next, quotes, out),
                ('<' | '>', Some('(')) if plain => {
                    let end = matching(chars, at + 2, ')').unwrap_or(chars.len());
                    let inner: String = part(at + 2, end).iter().collect();
                    let stdin = if c == '>' { Stdin::Stream } else { Stdin::None };
                    let path = self.stream_of(&inner, &stdin);
                    out.put(&path, Quotes::Double);
                    end + 1
                }
                ('(', _) if plain => match matching(chars, at + 1, ')') {
                    Some(end) => {
                        self.read(part(at + 1, end), Quotes::None, &mut Fields::default());
                        out.current = out.current.trim_end_matches(['@', '+', '!']).to_owned();
                        out.push(RUN);
                        end + 1
                    }
                    None => {
                        out.push('(');
                        at + 1
                    }
                },
                ('[', _) if plain => match bracket_end(chars, at + 1) {
                    Some(end) => {
                        self.read(part(at + 1, end), Quotes::Double, &mut Fields::default());
                        out.push(ONE);
                        end + 1
                    }
                    None => {
                        out.push('[');
                        at + 1
                    }
                },
                ('*', _) if plain => {
                    out.push(RUN);
                    at + 1
                }
                ('?', _) if plain => {
                    out.push(ONE);
                    at + 1
                }
                (c, _) => {
                    out.push(c);
                    at + 1
                }
            };
        }
    }

    /// What a `$` at `at` begins; the index behind it.
    fn dollar(
        &mut self,
        chars: &[char],
        at: usize,
        next: char,
        quotes: Quotes,
        out: &mut Fields,
    ) -> usize {
        let part = |from: usize, to: usize| chars.get(from..to).unwrap_or_default();
        match next {
            '(' => {
                let end = matching(chars, at + 2, ')').unwrap_or(chars.len());
                let inner = part(at + 2, end);
                let last = inner.len().checked_sub(1);
                if inner.first() == Some(&'(') && matching(inner, 1, ')') == last {
                    // Arithmetic: a number, but what is substituted in it runs.
                    self.read(inner, Quotes::Double, &mut Fields::default());
                    out.push(HOLE);
                } else {
                    self.substitute(&inner.iter().collect::<String>(), quotes, out);
                }
                end + 1
            }
            '[' => {
                let end = bracket_end(chars, at + 2).unwrap_or(chars.len());
                self.read(part(at + 2, end), Quotes::Double, &mut Fields::default());
                out.push(HOLE);
                end + 1
            }
            '{' => {
                let end = matching(chars, at + 2, '}').unwrap_or(chars.len());
                self.parameter(part(at + 2, end), quotes, out);
                end + 1
            }
            '\'' if quotes == Quotes::None => {
                let end = ansi_end(chars, at + 2).unwrap_or(chars.len());
                out.put(&unescape(part(at + 2, end)), Quotes::Double);
                end + 1
            }
            '"' if quotes == Quotes::None => at + 1,
            next => {
                let name = Parameter::unbraced(part(at + 1, chars.len()));
                match name {
                    Some((name, length)) => {
                        let values = self.values(&name);
                        self.put_values(&name, &values, quotes, out);
                        at + 1 + length
                    }
                    None => {
                        debug_assert!(!next.is_alphabetic() || !next.is_ascii());
                        out.push('$');
                        at + 1
                    }
                }
            }
        }
    }

    /// `${…}`.
    fn parameter(&mut self, inner: &[char], quotes: Quotes, out: &mut Fields) {
        let runs = inner.first().is_some_and(|c| "| \t\n".contains(*c))
            || self.spaced_braces && inner.iter().any(|c| " \t\n;|".contains(*c));
        if runs {
            // Some shells run it, others stop here.
            self.doubt("a substitution `${ …; }` that not every shell knows");
            let script: String = inner.iter().collect();
            self.substitute(script.trim_start_matches('|'), quotes, out);
            return;
        }
        let Some((name, length)) = Parameter::braced(inner) else {
            // A length, a name in a variable, or nothing that a shell knows: text of the machine's.
            let mut unread = Fields::default();
            self.read(inner, Quotes::Double, &mut unread);
            out.push(HOLE);
            return;
        };
        if let Some(index) = inner.get(..length).filter(|named| named.contains(&'[')) {
            self.read(index, Quotes::Double, &mut Fields::default());
        }
        let rest = inner.get(length..).unwrap_or_default();
        let values = self.values(&name);
        let known = !values.iter().any(|value| has_hole(value));
        let (colon, operator, word) = match rest {
            [':', operator @ ('-' | '=' | '+' | '?'), word @ ..] => (true, *operator, word),
            [operator @ ('-' | '=' | '+' | '?'), word @ ..] => (false, *operator, word),
            _ => (false, ' ', rest),
        };
        let is_set = known && !(values.is_empty() || colon && values.concat().is_empty());
        match operator {
            '-' | '=' if !is_set => {
                let mut value = Fields::default();
                self.read(word, quotes, &mut value);
                let value = value.finish();
                if operator == '='
                    && let Parameter::Name(name) = &name
                {
                    self.set(name, vec![value.join(" ")]);
                }
                out.put_each(&value, Quotes::Double);
            }
            '+' if known && !is_set => {}
            '+' if known => self.read(word, quotes, out),
            '+' => {
                self.read(word, quotes, &mut Fields::default());
                out.push(HOLE);
            }
            '-' | '=' | '?' => self.put_values(&name, &values, quotes, out),
            _ if rest.is_empty() => self.put_values(&name, &values, quotes, out),
            _ => {
                let pattern = {
                    let mut fields = Fields::default();
                    self.read(rest, Quotes::Double, &mut fields);
                    fields.finish().join(" ")
                };
                let changed = match values.as_slice() {
                    // Each cut of the value is held against the pattern, or each part of it replaced.
                    // What `~` stands for has other characters.
                    [value]
                        if is_fixed(value)
                            && !value.starts_with('~')
                            && is_fixed(&pattern)
                            && self.work(value.len() * value.len().max(pattern.len()) / 16) =>
                    {
                        transform(value, &pattern)
                    }
                    _ => None,
                };
                match changed {
                    Some(changed) => out.put(&changed, quotes),
                    None => out.push(HOLE),
                }
            }
        }
    }

    fn put_values(
        &mut self,
        name: &Parameter,
        values: &[String],
        quotes: Quotes,
        out: &mut Fields,
    ) {
        if !self.work(weight(values)) {
            return;
        }
        if self.splits_unusually() && quotes == Quotes::None {
            out.push(HOLE);
        } else if name.is_list() && (name.keeps_members() || quotes == Quotes::None) {
            out.put_each(values, quotes);
        } else if name.is_list() {
            out.put(&values.join(" "), quotes);
        } else {
            out.put(values.first().map_or("", String::as_str), quotes);
        }
    }

    /// What a variable holds as far as the script says.
    fn values(&self, name: &Parameter) -> Vec<String> {
        let unknown = || vec![HOLE.to_string()];
        match name {
            Parameter::Name(name) | Parameter::All { name, .. } => {
                self.variable(name).unwrap_or_else(|| match name.as_str() {
                    "IFS" => vec![" \t\n".to_owned()],
                    "HOME" => vec!["~".to_owned()],
                    _ => unknown(),
                })
            }
            Parameter::Member(name, index) => {
                let values = self.variable(name);
                let value = values.and_then(|values| values.get(*index).cloned());
                value.map_or_else(unknown, |value| vec![value])
            }
            Parameter::Argument(index) => self
                .argument(*index)
                .map_or_else(Vec::new, |value| vec![value]),
            Parameter::Arguments { .. } => self.arguments(),
            Parameter::Unknown => unknown(),
        }
    }

    /// Reads the script of a substitution and adds what it prints, as far as that is known.
    fn substitute(&mut self, script: &str, quotes: Quotes, out: &mut Fields) {
        match self.text(script, &Stdin::None) {
            Some(printed) if printed.len() <= MAX_VALUE_BYTES => {
                out.put(printed.trim_end_matches('\n'), quotes);
            }
            _ => out.push(HOLE),
        }
    }
}

/// The index of the `]` that ends a glob's bracket, or an index, past what is substituted in it.
fn bracket_end(chars: &[char], from: usize) -> Option<usize> {
    matching(chars, from, ']').or_else(|| position(chars, from, ']'))
}

/// The script between backquotes, where a backslash quotes a backquote, `$` or itself.
fn unbackquote(inner: &[char]) -> String {
    let mut text = String::new();
    let mut chars = inner.iter().peekable();
    while let Some(&c) = chars.next() {
        match chars.peek() {
            Some(&&next) if c == '\\' && "`$\\".contains(next) => {
                text.push(next);
                chars.next();
            }
            _ => text.push(c),
        }
    }
    text
}
