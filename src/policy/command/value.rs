//! Words after expansion, and whether they fit a pattern.
//!
//! A word is text in which some characters stand for what only the machine knows: [`HOLE`] for text that is made at run
//! time, [`PARAM`] for a function's own arguments where the function is only defined, [`RUN`] and [`ONE`] for an unquoted `*`
//! and `?` (or bracket) that the shell expands to file names. None of them can stand in a script: [`clean`] sees to that.

use crate::policy::glob::Glob;

/// Text that is only known at run time.
pub(super) const HOLE: char = '\0';
/// The unknown arguments of a function that is only defined.
pub(super) const PARAM: char = '\u{3}';
/// An unquoted `*`.
pub(super) const RUN: char = '\u{1}';
/// An unquoted `?` or `[…]`.
pub(super) const ONE: char = '\u{2}';
/// What stands in for a control character of the script.
const REPLACED: char = '\u{fffd}';
/// Longer words with unknown parts are taken to fit.
const MAX_COMPARED: usize = 512;

/// A script as the reader wants it: lines end in `\n`, and no character of it is one of ours.
pub(super) fn clean(text: &str) -> String {
    let replace = |c: char| match c {
        '\t' | '\n' => c,
        c if c.is_control() => REPLACED,
        c => c,
    };
    text.replace("\r\n", "\n").chars().map(replace).collect()
}

pub(super) fn is_hole(c: char) -> bool {
    c == HOLE || c == PARAM
}

pub(super) fn has_hole(word: &str) -> bool {
    word.contains(is_hole)
}

/// Whether the word is text that the script itself fixes.
pub(super) fn is_fixed(word: &str) -> bool {
    !word.contains(|c| is_hole(c) || c == RUN || c == ONE)
}

/// The word for a message.
pub(super) fn shown(word: &str) -> String {
    let mut shown = String::new();
    for c in word.chars().take(60) {
        match c {
            HOLE | PARAM => shown.push('…'),
            RUN => shown.push('*'),
            ONE => shown.push('?'),
            c => shown.extend(c.escape_debug()),
        }
    }
    shown
}

/// A program's name without its directory, and without `.exe`.
pub(super) fn base(word: &str) -> &str {
    let name = word.rsplit('/').next().unwrap_or(word);
    name.strip_suffix(".exe").unwrap_or(name)
}

/// What would not be seen in a program's name, or would be taken for a blank: the shell takes it for a part of the name.
pub(super) fn is_invisible(c: char) -> bool {
    c == REPLACED
        || (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A glob of a pattern, such as `/dev/*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    source: String,
    glob: Glob,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wild {
    Char(char),
    One,
    Run,
    Any,
}

impl Wanted {
    pub(super) fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            glob: Glob::new(source),
        }
    }

    /// Whether a program's name fits; a glob in it fits whatever it may become.
    pub(super) fn is_program(&self, word: &str) -> bool {
        let name = base(word);
        self.glob.matches(name) || (!is_fixed(name) && self.may_be(&wilds(name, true)))
    }

    /// Whether an operand fits, as written or as the path that it means. What is unknown in it is guessed only behind a
    /// directory that is known (`/dev/$disk`), and globs only in paths.
    pub(super) fn is_operand(&self, word: &str) -> bool {
        let fits = |word: &str| {
            self.glob.matches(word)
                || (!is_fixed(word) && self.may_be(&wilds(word, word.contains('/'))))
        };
        fits(word) || normal(word).is_some_and(|path| fits(&path))
    }

    /// Whether a text fits both this glob and what the word may become.
    fn may_be(&self, word: &[Wild]) -> bool {
        let pattern: Vec<Wild> = wilds_of_glob(&self.source);
        if word.len() > MAX_COMPARED {
            return true;
        }
        let width = word.len() + 1;
        let mut seen = vec![false; (pattern.len() + 1) * width];
        let mut open = vec![(0, 0)];
        while let Some((p, w)) = open.pop() {
            match seen.get_mut(p * width + w) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            let (left, right) = (pattern.get(p), word.get(w));
            if left.is_none() && right.is_none() {
                return true;
            }
            if matches!(left, Some(Wild::Run | Wild::Any)) {
                open.push((p + 1, w));
            }
            if matches!(right, Some(Wild::Run | Wild::Any)) {
                open.push((p, w + 1));
            }
            let (Some(&left), Some(&right)) = (left, right) else {
                continue;
            };
            if !together(left, right) {
                continue;
            }
            let stays = |wild: Wild, at: usize| match wild {
                Wild::Run | Wild::Any => at,
                _ => at + 1,
            };
            open.push((stays(left, p), stays(right, w)));
        }
        false
    }
}

/// Whether one character can be of both.
fn together(left: Wild, right: Wild) -> bool {
    match (left, right) {
        (Wild::Char(a), Wild::Char(b)) => a == b,
        (Wild::Char('/'), Wild::One | Wild::Run) | (Wild::One | Wild::Run, Wild::Char('/')) => {
            false
        }
        // Two that take runs would go round in a circle; each is passed by in its own turn.
        (Wild::Run | Wild::Any, Wild::Run | Wild::Any) => false,
        _ => true,
    }
}

fn wilds_of_glob(source: &str) -> Vec<Wild> {
    let mut wilds: Vec<Wild> = Vec::new();
    for c in source.chars() {
        match (c, wilds.last()) {
            ('*', Some(Wild::Run)) => {
                wilds.pop();
                wilds.push(Wild::Any);
            }
            ('*', Some(Wild::Any)) => {}
            ('*', _) => wilds.push(Wild::Run),
            ('?', _) => wilds.push(Wild::One),
            (c, _) => wilds.push(Wild::Char(c)),
        }
    }
    wilds
}

fn wilds(word: &str, globs: bool) -> Vec<Wild> {
    let mut wilds = Vec::new();
    // A letter and then a slash: the directory is known.
    let (mut letter, mut known) = (false, false);
    for c in word.chars() {
        match c {
            HOLE | PARAM if known => wilds.push(Wild::Any),
            HOLE | PARAM => {}
            RUN if globs => wilds.push(Wild::Run),
            ONE if globs => wilds.push(Wild::One),
            RUN => wilds.push(Wild::Char('*')),
            ONE => wilds.push(Wild::Char('?')),
            c => {
                known |= c == '/' && letter;
                letter |= c.is_alphanumeric();
                if c == '=' {
                    (letter, known) = (false, false);
                }
                wilds.push(Wild::Char(c));
            }
        }
    }
    wilds
}

/// The path without `//`, `.` and `..`, behind a `name=` where there is one; none where nothing changes.
fn normal(word: &str) -> Option<String> {
    let (before, path) = match word.split_once('=') {
        Some((name, path)) if !name.contains('/') => (format!("{name}="), path),
        _ => (String::new(), word),
    };
    if !["//", "/.", "./"].iter().any(|part| path.contains(part)) {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    Some(format!("{before}{root}{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_fit_as_paths() {
        let disk = Wanted::new("/dev/sd*");
        for word in [
            "/dev/sda",
            "//dev//sda",
            "/dev/./sda",
            "/tmp/../dev/sdb",
            "/dev/\0",
            "/de\u{2}/sda",
            "/dev/s\u{1}",
        ] {
            assert!(disk.is_operand(word), "{word:?}");
        }
        for word in ["/dev/null", "\0", "sda", "/tmp/\0", "/dev/\0/x", "\u{1}"] {
            assert!(!disk.is_operand(word), "{word:?}");
        }
        let output = Wanted::new("of=/dev/sd*");
        assert!(output.is_operand("of=//dev/sda"));
        assert!(!output.is_operand("of=\0"));
    }

    #[test]
    fn programs_fit_by_their_base_name() {
        let rm = Wanted::new("rm");
        for word in ["rm", "/bin/rm", "\0/rm", "/bin/r\u{2}", "r\u{1}", "rm.exe"] {
            assert!(rm.is_program(word), "{word:?}");
        }
        for word in ["rmdir", "RM", "build-\u{1}.sh", "rm/ls"] {
            assert!(!rm.is_program(word), "{word:?}");
        }
    }
}
