//! From places in an expression to their places in the file.
//!
//! YAML folds lines, doubles quotes and escapes; what it keeps in every style is the order of the characters that are no
//! white space. So the n-th of them in the expression is the n-th of them in the file, from the scalar's start on, and where
//! the two differ (an escape came between) the scalar's start is the answer.

use crate::diag::Location;

/// The characters of a file from one mark of its [`Index`] to the next, at most.
const STRIDE: usize = 256;

/// Where the lines of a file, and the pieces of long lines, begin: so that a place is found without walking to it.
#[derive(Debug)]
pub(in crate::policy) struct Index<'text> {
    text: &'text str,
    marks: Vec<Mark>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    line: u32,
    column: u32,
    byte: usize,
}

impl<'text> Index<'text> {
    pub(in crate::policy) fn of(text: &'text str) -> Self {
        let mut marks = Vec::new();
        let (mut line, mut column, mut since) = (1_u32, 1_u32, 0_usize);
        for (byte, character) in text.char_indices() {
            if column == 1 || since >= STRIDE {
                marks.push(Mark { line, column, byte });
                since = 0;
            }
            since += 1;
            if character == '\n' {
                line = line.saturating_add(1);
                column = 1;
            } else {
                column = column.saturating_add(1);
            }
        }
        Self { text, marks }
    }

    /// The characters from a mark at or before the place on.
    fn near(&self, line: u32, column: u32) -> Characters<'text> {
        let behind = self
            .marks
            .partition_point(|mark| (mark.line, mark.column) <= (line, column));
        let mark = behind
            .checked_sub(1)
            .and_then(|before| self.marks.get(before));
        let mark = mark.copied().unwrap_or(Mark {
            line: 1,
            column: 1,
            byte: 0,
        });
        Characters {
            rest: self.text.get(mark.byte..).unwrap_or_default().chars(),
            line: mark.line,
            column: mark.column,
            quote: None,
        }
    }

    /// The places of the characters of `expression`, which stands in the file as the scalar that begins at `start`.
    pub(in crate::policy) fn places(&self, start: &Location, expression: &str) -> Places {
        let mut places = Places {
            start: start.clone(),
            known: Vec::new(),
            is_whole: false,
        };
        places.is_whole = self.walk(expression, &mut places).is_some();
        places
    }

    /// Notes the places up to where expression and file differ; none where they do.
    fn walk(&self, expression: &str, places: &mut Places) -> Option<()> {
        let mut raw = self.behind_indicator(&places.start)?;
        for (index, character) in expression.chars().enumerate() {
            if character.is_whitespace() {
                continue;
            }
            let (line, column, found) = raw.find(|(.., found)| !found.is_whitespace())?;
            if raw.unescaped(found)? != character {
                return None;
            }
            places.known.push((index, line, column));
        }
        Some(())
    }

    /// The scalar's characters, without its quote or the line of its `|` or `>`.
    fn behind_indicator(&self, start: &Location) -> Option<Characters<'text>> {
        let mut all = self.near(start.line, start.column);
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
}

/// Where the characters of one expression stand in its file.
#[derive(Debug)]
pub(in crate::policy) struct Places {
    start: Location,
    /// Of each character that is no white space its number, line and column, as far as they could be followed.
    known: Vec<(usize, u32, u32)>,
    /// Whether that is all of the expression.
    is_whole: bool,
}

impl Places {
    /// The place of the character `offset`; behind the last one for any later, and the scalar's start where nobody knows.
    pub(in crate::policy) fn at(&self, offset: usize) -> Location {
        let next = self.known.partition_point(|(index, ..)| *index < offset);
        let place = match self.known.get(next) {
            Some((_, line, column)) => Some((*line, *column)),
            None if self.is_whole => {
                let last = self.known.last();
                last.map(|(_, line, column)| (*line, column.saturating_add(1)))
            }
            None => None,
        };
        let (line, column) = place.unwrap_or((self.start.line, self.start.column));
        Location {
            line,
            column,
            ..self.start.clone()
        }
    }
}

/// The characters of the file from some place on, each with its line and column.
struct Characters<'text> {
    rest: std::str::Chars<'text>,
    line: u32,
    column: u32,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, column: u32, expression: &str, piece: &str) -> (u32, u32) {
        let file = "".into();
        let start = Location {
            file,
            line: 1,
            column,
        };
        let (before, _) = expression.split_once(piece).unwrap();
        let offset = before.chars().count();
        let found = Index::of(text).places(&start, expression).at(offset);
        (found.line, found.column)
    }

    #[test]
    fn no_place_is_far_from_a_mark() {
        let long = "é[a, \"b\"], ".repeat(2_000);
        let text = format!("{long}\n{}{long}", "short\n\n".repeat(2_000));
        let index = Index::of(&text);
        let (mut line, mut column) = (1, 1);
        for (byte, character) in text.char_indices() {
            let mut near = index.near(line, column);
            let skipped = near
                .by_ref()
                .take_while(|(l, c, _)| (*l, *c) < (line, column))
                .count();
            assert!(skipped < STRIDE, "{line}:{column} is behind {skipped}");
            let mut near = index.near(line, column);
            let (l, c, found) = near.nth(skipped).unwrap();
            assert_eq!((l, c, found), (line, column, character), "{byte}");
            (line, column) = match character {
                '\n' => (line + 1, 1),
                _ => (line, column + 1),
            };
        }
        assert!(index.near(line + 9, 1).count() <= STRIDE);
        assert_eq!(Index::of("").near(1, 1).count(), 0);
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
