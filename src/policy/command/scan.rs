//! Finds the ends of quotes and brackets, and expands braces. Nothing here recurses into a script.

use super::value::HOLE;

/// The most words that one word may expand to by braces.
const MAX_BRACE_WORDS: usize = 256;
/// The longest sequence (`{1..9}`) that is written out; a longer one is unknown text.
const MAX_SEQUENCE: i64 = 64;

/// The index of the `closer` that ends what begins at `from`, past quotes, escapes, comments and brackets inside.
pub(super) fn matching(chars: &[char], from: usize, closer: char) -> Option<usize> {
    let mut stack = vec![closer];
    let mut at = from;
    let mut documents: Vec<String> = Vec::new();
    while let Some(&c) = chars.get(at) {
        let top = *stack.last()?;
        let next = chars.get(at + 1).copied();
        let blank_before = at == from
            || chars
                .get(at.wrapping_sub(1))
                .is_some_and(|c| c.is_whitespace() || ";&|(".contains(*c));
        match c {
            '\\' => at += 1,
            c if c == top => {
                stack.pop();
                if stack.is_empty() {
                    return Some(at);
                }
            }
            '`' => stack.push('`'),
            '$' if next == Some('(') => {
                stack.push(')');
                at += 1;
            }
            '$' if next == Some('{') => {
                stack.push('}');
                at += 1;
            }
            _ if top == '"' => {}
            '$' if next == Some('\'') => at = ansi_end(chars, at + 2)?,
            '\'' => at = position(chars, at + 1, '\'')?,
            '"' => stack.push('"'),
            '(' if top == ')' => stack.push(')'),
            '<' if top == ')' && next == Some('<') => {
                let (delimiter, end) = delimiter(chars, at + 2);
                documents.extend(delimiter);
                at = end - 1;
            }
            '\n' if top == ')' => {
                for delimiter in documents.drain(..) {
                    at = document_end(chars, at, &delimiter)?;
                }
            }
            '#' if top == ')' && blank_before => {
                at = position(chars, at, '\n')? - 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The delimiter of a here-document whose `<<` ends at `from`, and the index behind it; none for a here-string.
fn delimiter(chars: &[char], from: usize) -> (Option<String>, usize) {
    let mut at = from;
    if chars.get(at) == Some(&'<') {
        return (None, at + 1);
    }
    while matches!(chars.get(at), Some('-' | ' ' | '\t')) {
        at += 1;
    }
    let mut delimiter = String::new();
    while let Some(&c) = chars.get(at) {
        match c {
            '\'' | '"' | '\\' => {}
            c if c.is_whitespace() || ";|&()<>".contains(c) => break,
            c => delimiter.push(c),
        }
        at += 1;
    }
    (Some(delimiter).filter(|text| !text.is_empty()), at)
}

/// The index of the line break behind the line that ends a here-document; `at` is that of the one before its text.
fn document_end(chars: &[char], at: usize, delimiter: &str) -> Option<usize> {
    let mut start = at + 1;
    loop {
        let end = position(chars, start, '\n').unwrap_or(chars.len());
        let line: String = chars.get(start..end)?.iter().collect();
        if line.trim_start_matches('\t') == delimiter {
            return Some(end);
        }
        if end >= chars.len() {
            return None;
        }
        start = end + 1;
    }
}

/// The index of the next `wanted` at or after `from`.
pub(super) fn position(chars: &[char], from: usize, wanted: char) -> Option<usize> {
    let rest = chars.get(from..)?;
    rest.iter().position(|c| *c == wanted).map(|at| from + at)
}

/// The index of the quote that ends a `$'…'` whose text begins at `from`.
pub(super) fn ansi_end(chars: &[char], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match chars.get(at)? {
            '\'' => return Some(at),
            '\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The text of a `$'…'`, or of what `echo -e` and `printf` print.
pub(super) fn unescape(chars: &[char]) -> String {
    let mut text = String::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        let escaped = chars.get(at).copied();
        let (true, Some(escaped)) = (c == '\\', escaped) else {
            text.push(c);
            continue;
        };
        at += 1;
        let here = at;
        let mut number = |radix, most, from| {
            let digits: String = chars
                .get(from..)
                .unwrap_or_default()
                .iter()
                .take(most)
                .take_while(|c| c.is_digit(radix))
                .collect();
            at = from + digits.len();
            u32::from_str_radix(&digits, radix)
                .ok()
                .and_then(char::from_u32)
        };
        let found = match escaped {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            'a' | 'b' | 'e' | 'E' | 'f' | 'v' | 'c' => Some('\u{fffd}'),
            '0'..='7' => number(8, 3 + usize::from(escaped == '0'), here - 1),
            'x' => number(16, 2, here),
            'u' => number(16, 4, here),
            'U' => number(16, 8, here),
            other => Some(other),
        };
        text.push(
            found
                .filter(|c| !c.is_control() || "\n\t\r".contains(*c))
                .unwrap_or('\u{fffd}'),
        );
    }
    text
}

/// The words that brace expansion makes of one; none where they are too many.
pub(super) fn braces(chars: &[char]) -> Option<Vec<Vec<char>>> {
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if c == '{'
            && let Some((parts, end)) = alternatives(chars, at)
        {
            let before = chars.get(..at)?;
            let rest = braces(chars.get(end + 1..)?)?;
            let mut words = Vec::new();
            for part in parts {
                for middle in braces(&part)? {
                    for after in &rest {
                        words.push([before, &middle, after].concat());
                        if words.len() > MAX_BRACE_WORDS {
                            return None;
                        }
                    }
                }
            }
            return Some(words);
        }
        at = after_unit(chars, at);
    }
    Some(vec![chars.to_vec()])
}

/// The index behind a quoted text, an expansion, an escape or a character; brackets that do not end are characters.
fn after_unit(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1);
    let end = match (chars.get(at), next) {
        (Some('\\'), _) => Some(at + 1),
        (Some('\''), _) => position(chars, at + 1, '\''),
        (Some(quote @ ('"' | '`')), _) => matching(chars, at + 1, *quote),
        (Some('$'), Some('\'')) => ansi_end(chars, at + 2),
        (Some('$'), Some('{')) => matching(chars, at + 2, '}'),
        (Some('$'), Some('(')) => matching(chars, at + 2, ')'),
        _ => None,
    };
    end.unwrap_or(at) + 1
}

/// The alternatives of the brace at `open`, and the index of its end; none where it is no brace expansion.
fn alternatives(chars: &[char], open: usize) -> Option<(Vec<Vec<char>>, usize)> {
    let mut parts: Vec<Vec<char>> = Vec::new();
    let (mut depth, mut start, mut at) = (0, open + 1, open + 1);
    loop {
        match chars.get(at)? {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => break,
            ',' if depth == 0 => {
                parts.push(chars.get(start..at)?.to_vec());
                start = at + 1;
            }
            _ => {
                at = after_unit(chars, at);
                continue;
            }
        }
        at += 1;
    }
    let last = chars.get(start..at)?.to_vec();
    if parts.is_empty() {
        return sequence(&last.iter().collect::<String>()).map(|parts| (parts, at));
    }
    parts.push(last);
    Some((parts, at))
}

/// `1..9`, `a..f`, with or without a step.
fn sequence(text: &str) -> Option<Vec<Vec<char>>> {
    let mut ends = text.split("..");
    let (from, to) = (ends.next()?, ends.next()?);
    let step = ends.next().map_or(Some(1), |step| step.parse::<i64>().ok());
    if ends.next().is_some() || from.is_empty() || to.is_empty() {
        return None;
    }
    let letter = |text: &str| {
        let mut chars = text.chars();
        let first = chars.next().filter(char::is_ascii_alphabetic)?;
        chars.next().is_none().then(|| i64::from(u32::from(first)))
    };
    let is_number = |text: &str| {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
    };
    let unknown = Some(vec![vec![HOLE]]);
    let (first, last, letters) = match (letter(from), letter(to)) {
        (Some(first), Some(last)) => (first, last, true),
        _ if is_number(from) && is_number(to) => match (from.parse(), to.parse()) {
            (Ok(first), Ok(last)) => (first, last, false),
            _ => return unknown,
        },
        _ => return None,
    };
    let step = step
        .map(i64::unsigned_abs)
        .and_then(|step| i64::try_from(step.max(1)).ok());
    let (Some(step), Some(distance)) = (step, i64::checked_sub(last, first)) else {
        return unknown;
    };
    let length = distance.checked_abs().map(|distance| distance / step);
    let Some(length) = length.filter(|length| *length < MAX_SEQUENCE) else {
        return unknown;
    };
    let member = |index: i64| {
        let value = first.checked_add(index.checked_mul(step)?.checked_mul(distance.signum())?)?;
        if letters {
            let code = u32::try_from(value).ok()?;
            return Some(vec![char::from_u32(code)?]);
        }
        Some(value.to_string().chars().collect())
    };
    (0..=length).map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(word: &str) -> Vec<String> {
        let chars: Vec<char> = word.chars().collect();
        braces(&chars)
            .unwrap()
            .iter()
            .map(|word| word.iter().collect())
            .collect()
    }

    #[test]
    fn braces_are_expanded_outside_quotes() {
        assert_eq!(expand("{rm,-rf,/}"), ["rm", "-rf", "/"]);
        assert_eq!(expand("a{b,c{d,e}}f"), ["abf", "acdf", "acef"]);
        assert_eq!(
            expand("'{a,b}'\"{a,b}\"\\{a,b}${x,}"),
            ["'{a,b}'\"{a,b}\"\\{a,b}${x,}"]
        );
        assert_eq!(expand("{}{a}"), ["{}{a}"]);
        assert_eq!(expand("{a..c}{3..1}").len(), 9);
        assert_eq!(expand("{1..99999999999999999999}"), ["\0"]);
        assert_eq!(
            expand("{-9223372036854775808..9223372036854775807}"),
            ["\0"]
        );
        let many: Vec<char> = "{a,b}".repeat(9).chars().collect();
        assert!(braces(&many).is_none());
    }

    #[test]
    fn ends_are_found_past_what_is_quoted() {
        for (text, from, closer, end) in [
            ("$(a ')' \")\" \\) $(b) # )\n)x", 2, ')', Some(24)),
            ("\"a $(\"b\") \\\" c\"", 1, '"', Some(14)),
            ("$(cat <<'E'\nit's )\nE\n) )", 2, ')', Some(21)),
            ("$(cat <<E; a\n)\n\tE\n)", 2, ')', Some(18)),
            ("$(cat <<<x\n)", 2, ')', Some(11)),
            ("${a:-${b}}", 2, '}', Some(9)),
            ("$(a", 2, ')', None),
        ] {
            let chars: Vec<char> = text.chars().collect();
            assert_eq!(matching(&chars, from, closer), end, "{text}");
        }
    }

    #[test]
    fn escapes() {
        let of = |text: &str| unescape(&text.chars().collect::<Vec<_>>());
        assert_eq!(of(r"\x72\155 \u002d\0162\n\q\x"), "rm -r\nq\u{fffd}");
    }
}
