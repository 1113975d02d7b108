//! Names of variables in expansions, and what `${name#…}` and its like make of a value.

use super::scan::{matching, position};
use super::value::{RUN, is_fixed};
use crate::policy::glob::Glob;

/// What an expansion names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parameter {
    /// `$x`
    Name(String),
    /// `${x[1]}`
    Member(String, usize),
    /// `${x[@]}`, or `[*]`, which joins the members in double quotes.
    All { name: String, joined: bool },
    /// `$1`
    Argument(usize),
    /// `$@`, or `$*`, which joins the arguments in double quotes.
    Arguments { joined: bool },
    /// `$?`, `$$`, an index that is computed.
    Unknown,
}

impl Parameter {
    pub(super) fn is_list(&self) -> bool {
        matches!(self, Self::All { .. } | Self::Arguments { .. })
    }

    pub(super) fn keeps_members(&self) -> bool {
        matches!(
            self,
            Self::All { joined: false, .. } | Self::Arguments { joined: false }
        )
    }

    /// The parameter at the beginning of what follows a `$`, and its length.
    pub(super) fn unbraced(chars: &[char]) -> Option<(Self, usize)> {
        let first = *chars.first()?;
        if let Some(digit) = first.to_digit(10) {
            return Some((Self::Argument(usize::try_from(digit).ok()?), 1));
        }
        Self::special(first)
            .map(|special| (special, 1))
            .or_else(|| {
                let name = name_at(chars)?;
                let length = name.len();
                Some((Self::Name(name), length))
            })
    }

    /// The parameter at the beginning of what stands in `${…}`, and its length.
    pub(super) fn braced(chars: &[char]) -> Option<(Self, usize)> {
        let first = *chars.first()?;
        if matches!(first, '#' | '!') && chars.len() > 1 {
            return None;
        }
        if first.is_ascii_digit() {
            let digits: String = chars.iter().take_while(|c| c.is_ascii_digit()).collect();
            let index = digits.parse().unwrap_or(usize::MAX);
            return Some((Self::Argument(index), digits.len()));
        }
        if let Some(special) = Self::special(first) {
            return Some((special, 1));
        }
        let name = name_at(chars)?;
        let length = name.len();
        if chars.get(length) != Some(&'[') {
            return Some((Self::Name(name), length));
        }
        let rest = chars.get(length + 1..)?;
        let end = matching(rest, 0, ']').or_else(|| position(rest, 0, ']'))?;
        let index: String = rest.get(..end)?.iter().collect();
        let parameter = match index.as_str() {
            "@" => Self::All {
                name,
                joined: false,
            },
            "*" => Self::All { name, joined: true },
            index => index
                .parse()
                .map_or(Self::Unknown, |index| Self::Member(name, index)),
        };
        Some((parameter, length + end + 2))
    }

    fn special(first: char) -> Option<Self> {
        match first {
            '@' => Some(Self::Arguments { joined: false }),
            '*' => Some(Self::Arguments { joined: true }),
            '#' | '?' | '-' | '$' | '!' => Some(Self::Unknown),
            _ => None,
        }
    }
}

fn name_at(chars: &[char]) -> Option<String> {
    let is_part = |c: &&char| c.is_ascii_alphanumeric() || **c == '_';
    let name: String = chars.iter().take_while(is_part).collect();
    let begins = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
    begins.then_some(name)
}

/// What `${name…}` makes of a value, `rest` being what follows the name; none where it is not known here.
pub(super) fn transform(value: &str, rest: &str) -> Option<String> {
    let chars: Vec<char> = value.chars().collect();
    let of = |part: Option<&[char]>| Some(part?.iter().collect::<String>());
    let fits = |pattern: &str, part: Option<&[char]>| {
        of(part).is_some_and(|part| shell_glob(pattern).matches(&part))
    };
    let strip = |pattern: &str, front: bool, longest: bool| {
        if pattern.contains(['[', '\\', '\'', '"']) {
            return None;
        }
        // The first cut that fits: shortest first, or longest first.
        let order: Vec<usize> = match (front, longest) {
            (true, false) | (false, true) => (0..=chars.len()).collect(),
            _ => (0..=chars.len()).rev().collect(),
        };
        let cut = order.into_iter().find(|cut| {
            let part = if front {
                chars.get(..*cut)
            } else {
                chars.get(*cut..)
            };
            fits(pattern, part)
        });
        match (cut, front) {
            (None, _) => Some(value.to_owned()),
            (Some(cut), true) => of(chars.get(cut..)),
            (Some(cut), false) => of(chars.get(..cut)),
        }
    };
    if let Some(pattern) = rest.strip_prefix("##") {
        return strip(pattern, true, true);
    }
    if let Some(pattern) = rest.strip_prefix('#') {
        return strip(pattern, true, false);
    }
    if let Some(pattern) = rest.strip_prefix("%%") {
        return strip(pattern, false, true);
    }
    if let Some(pattern) = rest.strip_prefix('%') {
        return strip(pattern, false, false);
    }
    if let Some(rest) = rest.strip_prefix('/') {
        let (all, rest) = match rest.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (pattern, new) = rest.split_once('/').unwrap_or((rest, ""));
        if pattern.is_empty() || pattern.starts_with(['#', '%']) || !is_literal(pattern) {
            return None;
        }
        return Some(if all {
            value.replace(pattern, new)
        } else {
            value.replacen(pattern, new, 1)
        });
    }
    match rest {
        "^^" | "@U" => return Some(value.to_uppercase()),
        ",," | "@L" => return Some(value.to_lowercase()),
        _ => {}
    }
    let (from, length) = match rest.strip_prefix(':')?.split_once(':') {
        Some((from, length)) => (from, Some(length.trim().parse::<usize>().ok()?)),
        None => (rest.strip_prefix(':')?, None),
    };
    let from: i64 = from.trim().parse().ok()?;
    let from = match usize::try_from(from) {
        Ok(from) => from,
        Err(_) => chars
            .len()
            .checked_sub(usize::try_from(from.unsigned_abs()).ok()?)?,
    };
    let to = length.map_or(chars.len(), |length| {
        from.saturating_add(length).min(chars.len())
    });
    of(chars.get(from.min(to)..to))
}

fn is_literal(pattern: &str) -> bool {
    is_fixed(pattern) && !pattern.contains(['*', '?', '[', '\\', '\'', '"'])
}

/// A shell's pattern: its `*` takes slashes too. Brackets and quotes are not known here, and then nothing fits.
fn shell_glob(pattern: &str) -> Glob {
    Glob::new(&pattern.replace(RUN, "*").replace('*', "**"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_transformed_as_the_shell_does() {
        for (rest, wanted) in [
            ("#*.", Some("b.rm")),
            ("##*.", Some("rm")),
            ("%.*", Some("a.b")),
            ("%%.*", Some("a")),
            ("#x", Some("a.b.rm")),
            ("//./-", Some("a-b-rm")),
            ("/./", Some("ab.rm")),
            (":2:1", Some("b")),
            (": -2", Some("rm")),
            (":9", Some("")),
            ("^^", Some("A.B.RM")),
            ("@Q", None),
            ("/#a/b", None),
        ] {
            assert_eq!(transform("a.b.rm", rest).as_deref(), wanted, "{rest}");
        }
    }

    #[test]
    fn names_are_read() {
        let braced = |text: &str| Parameter::braced(&text.chars().collect::<Vec<_>>());
        assert_eq!(
            braced("a[1]#x"),
            Some((Parameter::Member("a".to_owned(), 1), 4))
        );
        assert_eq!(
            braced("99999999999999999999"),
            Some((Parameter::Argument(usize::MAX), 20))
        );
        assert_eq!(braced("!a"), None);
        assert_eq!(braced("a[$i]"), Some((Parameter::Unknown, 5)));
    }
}
