//! From a place in an expression to its place in the file.
//!
//! YAML folds lines, doubles quotes and escapes; what it keeps in every style is the order of the characters that are no
//! white space. So the n-th of them in the expression is the n-th of them in the file, from the scalar's start on, and where
//! the two differ (an escape came between) the scalar's start is the answer.

use crate::diag::Location;

/// The place of the character `offset` of `expression`, which stands in `text` as the scalar that begins at `start`.
pub(crate) fn in_file(text: &str, start: &Location, expression: &str, offset: usize) -> Location {
    find(text, start, expression, offset).unwrap_or_else(|| start.clone())
}

fn find(text: &str, start: &Location, expression: &str, offset: usize) -> Option<Location> {
    let mut raw = behind_indicator(text, start)?;
    let mut wanted = expression.chars().enumerate();
    let mut place = None;
    // One past the end is the place behind the last character.
    let last = expression.chars().count();
    while place.is_none() {
        let (index, character) = match wanted.find(|(_, character)| !character.is_whitespace()) {
            Some(found) => found,
            None => return raw.place_behind(start),
        };
        let (line, column, found) = raw.find(|(.., found)| !found.is_whitespace())?;
        if raw.unescaped(found)? != character {
            return None;
        }
        raw.last = Some((line, column));
        if index >= offset.min(last) {
            place = Some((line, column));
        }
    }
    let (line, column) = place?;
    Some(Location {
        line,
        column,
        ..start.clone()
    })
}

/// The characters of the file from some place on, each with its line and column.
struct Characters<'text> {
    rest: std::str::Chars<'text>,
    line: u32,
    column: u32,
    last: Option<(u32, u32)>,
    /// What the scalar is quoted with.
    quote: Option<char>,
}

impl Characters<'_> {
    /// The character that `found` stands for, with what follows it; none for an escape of another kind.
    fn unescaped(&mut self, found: char) -> Option<char> {
        match (self.quote, found) {
            (Some('\''), '\'') => self.next().map(|(.., second)| second),
            (Some('"'), '\\') => {
                let (.., escaped) = self.next()?;
                matches!(escaped, '"' | '\\' | '/').then_some(escaped)
            }
            _ => Some(found),
        }
    }

    fn place_behind(&self, start: &Location) -> Option<Location> {
        let (line, column) = self.last?;
        Some(Location {
            line,
            column: column.saturating_add(1),
            ..start.clone()
        })
    }
}

impl Iterator for Characters<'_> {
    type Item = (u32, u32, char);

    fn next(&mut self) -> Option<Self::Item> {
        let character = self.rest.next()?;
        let item = (self.line, self.column, character);
        if character == '\n' {
            self.line = self.line.saturating_add(1);
            self.column = 1;
        } else {
            self.column = self.column.saturating_add(1);
        }
        Some(item)
    }
}

/// The scalar's characters, without its quote or the line of its `|` or `>`.
fn behind_indicator<'text>(text: &'text str, start: &Location) -> Option<Characters<'text>> {
    let mut all = Characters {
        rest: text.chars(),
        line: 1,
        column: 1,
        last: None,
        quote: None,
    };
    while (all.line, all.column) < (start.line, start.column) {
        all.next()?;
    }
    match all.rest.clone().next()? {
        quote @ ('\'' | '"') => {
            all.next();
            all.quote = Some(quote);
        }
        '|' | '>' => {
            all.find(|(.., character)| *character == '\n');
        }
        _ => {}
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, column: u32, expression: &str, piece: &str) -> (u32, u32) {
        let file = String::new();
        let start = Location {
            file,
            line: 1,
            column,
        };
        let (before, _) = expression.split_once(piece).unwrap();
        let offset = before.chars().count();
        let found = in_file(text, &start, expression, offset);
        (found.line, found.column)
    }

    #[test]
    fn every_style_of_scalar() {
        assert_eq!(place("when: a && foo", 7, "a && foo", "foo"), (1, 12));
        assert_eq!(place("when: 'é && foo'", 7, "é && foo", "foo"), (1, 13));
        assert_eq!(
            place("when: |\n  a &&\n  foo\n", 7, "a &&\nfoo\n", "foo"),
            (3, 3)
        );
        assert_eq!(
            place("when: >-  # why\n   a\n   && foo\n", 7, "a && foo", "foo"),
            (3, 7)
        );
        assert_eq!(
            place("when: a &&\n  b\n  + foo\n", 7, "a && b + foo", "foo"),
            (3, 5)
        );
    }

    #[test]
    fn quotes_are_counted_and_other_escapes_leave_the_start() {
        let quoted = r#"when: "a == \"é\" && foo""#;
        assert_eq!(place(quoted, 7, "a == \"é\" && foo", "foo"), (1, 22));
        let doubled = "when: 'a == ''b'' && c'";
        assert_eq!(place(doubled, 7, "a == 'b' && c", "c"), (1, 22));
        let escaped = r#"when: "a == '\u00e9' && foo""#;
        assert_eq!(place(escaped, 7, "a == 'é' && foo", "foo"), (1, 7));
    }
}
