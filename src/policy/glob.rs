//! Globs over text: `*`, `?` and `**`, and nothing else.
//!
//! - `*` is any run of characters without `/`, `**` any run with it, `?` one character but `/`; every other character is
//!   itself. A pattern must match the whole text, and case counts.
//! - So `prod/**` matches `prod/` and `prod/a/b`, not `prod`.
//!
//! Written here, because `globset` matches bytes (its `?` does not match `é`) and takes `**` for special only between slashes;
//! a rule that denies must not hang on either. The cost is bounded by the product of the lengths, with no recursion: whoever asks
//! chooses the text.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// A compiled glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob(Arc<Form>);

#[derive(Debug, PartialEq, Eq)]
enum Form {
    /// One star and what stands around it, as most patterns are.
    Around {
        before: String,
        star: Token,
        after: String,
    },
    Tokens(Tokens),
}

/// One star and what stands around it.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// What a text begins with.
    pub before: &'a [u8],
    /// What the rest ends with.
    pub after: &'a [u8],
    /// Whether slashes may stand between them.
    pub crosses: bool,
}

impl Around<'_> {
    /// Whether a text is so. In UTF-8 no character's bytes stand within another's, so it is told by bytes alone.
    #[must_use]
    #[inline]
    pub fn admits(&self, text: &[u8]) -> bool {
        let taken = text.strip_prefix(self.before);
        let taken = taken.and_then(|rest| rest.strip_suffix(self.after));
        taken.is_some_and(|taken| self.crosses || !taken.contains(&b'/'))
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Tokens(Box<[Token]>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    /// `*`
    Run,
    /// `**`
    Anything,
}

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        let mut tokens: Vec<Token> = Vec::new();
        for character in pattern.chars() {
            match (character, tokens.last()) {
                ('*', Some(Token::Run)) => {
                    tokens.pop();
                    tokens.push(Token::Anything);
                }
                ('*', Some(Token::Anything)) => {}
                ('*', _) => tokens.push(Token::Run),
                ('?', _) => tokens.push(Token::One),
                (character, _) => tokens.push(Token::Char(character)),
            }
        }
        let is_literal = |tokens: &[Token]| tokens.iter().all(|token| token.literal().is_some());
        let literal =
            |tokens: &[Token]| tokens.iter().filter_map(|token| token.literal()).collect();
        let star = tokens.iter().position(|token| token.is_star());
        let around = star.and_then(|star| {
            let (before, rest) = tokens.split_at_checked(star)?;
            let (star, after) = rest.split_first()?;
            (is_literal(before) && is_literal(after)).then(|| Form::Around {
                before: literal(before),
                star: *star,
                after: literal(after),
            })
        });
        Self(Arc::new(
            around.unwrap_or_else(|| Form::Tokens(Tokens(tokens.into()))),
        ))
    }

    /// A pattern of which the same comes.
    pub(super) fn pattern(&self) -> String {
        match &*self.0 {
            Form::Around {
                before,
                star,
                after,
            } => format!("{before}{star}{after}"),
            Form::Tokens(Tokens(tokens)) => tokens.iter().map(Token::to_string).collect(),
        }
    }

    /// Whether `text` holds a character that makes it a pattern.
    pub(super) fn is_pattern(text: &str) -> bool {
        text.contains(['*', '?'])
    }

    /// What every text that matches begins with.
    pub(super) fn prefix(&self) -> Cow<'_, str> {
        match &*self.0 {
            Form::Around { before, .. } => Cow::Borrowed(before),
            Form::Tokens(Tokens(tokens)) => {
                tokens.iter().map_while(|token| token.literal()).collect()
            }
        }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match (self.around(), &*self.0) {
            (Some(around), _) => around.admits(text.as_bytes()),
            (None, Form::Tokens(tokens)) => tokens.match_whole(text),
            (None, Form::Around { .. }) => false,
        }
    }

    /// What stands around its star, where there is one star and nothing else that is special.
    pub(super) fn around(&self) -> Option<Around<'_>> {
        match &*self.0 {
            Form::Around {
                before,
                star,
                after,
            } => Some(Around {
                before: before.as_bytes(),
                after: after.as_bytes(),
                crosses: *star == Token::Anything,
            }),
            Form::Tokens(_) => None,
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char(character) => f.write_char(*character),
            Self::One => f.write_char('?'),
            Self::Run => f.write_char('*'),
            Self::Anything => f.write_str("**"),
        }
    }
}

impl Tokens {
    fn match_whole(&self, text: &str) -> bool {
        let has = |token| self.0.contains(&token);
        if has(Token::Run) && has(Token::Anything) {
            self.matches_everywhere_at_once(text)
        } else {
            self.matches_star_by_star(text)
        }
    }

    /// For stars of one kind: what fits between two of them is best taken where it is found first, so that only the last
    /// star ever takes more.
    fn matches_star_by_star(&self, text: &str) -> bool {
        let (mut token, mut rest) = (0, text);
        // Where to go on after a mismatch: behind the star, with the text that the star has not taken yet.
        let mut star: Option<(usize, &str)> = None;
        loop {
            let wanted = self.0.get(token);
            if wanted.is_none() && rest.is_empty() {
                return true;
            }
            if wanted.is_some_and(|wanted| wanted.is_star()) {
                token += 1;
                star = Some((token, rest));
                continue;
            }
            let first = split_first(rest);
            if let (Some(wanted), Some((character, after))) = (wanted, first)
                && wanted.takes(character)
            {
                (token, rest) = (token + 1, after);
                continue;
            }
            let Some((behind, left)) = star else {
                return false;
            };
            let kind = behind.checked_sub(1).and_then(|at| self.0.get(at));
            match split_first(left) {
                Some((character, after)) if kind.is_some_and(|kind| kind.takes(character)) => {
                    star = Some((behind, after));
                    (token, rest) = (behind, after);
                }
                _ => return false,
            }
        }
    }

    /// For stars of both kinds, where no star may be forgotten: every place of the pattern that the text read so far leads to
    /// is kept, so the cost is the product of the lengths.
    fn matches_everywhere_at_once(&self, text: &str) -> bool {
        let mut places = vec![false; self.0.len()];
        let mut is_whole = true;
        for (token, place) in self.0.iter().zip(&mut places) {
            *place = is_whole;
            is_whole &= token.is_star();
        }
        for character in text.chars() {
            let mut enters = false;
            for (token, place) in self.0.iter().zip(&mut places) {
                let fits = *place && token.takes(character);
                *place = enters || (fits && token.is_star());
                enters = if token.is_star() { *place } else { fits };
            }
            is_whole = enters;
        }
        is_whole
    }
}

impl Token {
    fn literal(self) -> Option<char> {
        match self {
            Self::Char(character) => Some(character),
            Self::One | Self::Run | Self::Anything => None,
        }
    }

    fn is_star(self) -> bool {
        matches!(self, Self::Run | Self::Anything)
    }

    fn takes(self, character: char) -> bool {
        match self {
            Self::Char(wanted) => wanted == character,
            Self::One | Self::Run => character != '/',
            Self::Anything => true,
        }
    }
}

fn split_first(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    chars.next().map(|character| (character, chars.as_str()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, read aloud.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            (['*', '*', rest @ ..], _) => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
            (['*', rest @ ..], _) => (0..=text.len())
                .take_while(|taken| !text[..*taken].contains(&'/'))
                .any(|taken| naive(rest, &text[taken..])),
            (['?', rest @ ..], [first, after @ ..]) => *first != '/' && naive(rest, after),
            ([wanted, rest @ ..], [first, after @ ..]) => wanted == first && naive(rest, after),
            _ => false,
        }
    }

    #[test]
    fn stars_and_slashes() {
        for (pattern, text, matches) in [
            ("github-*", "github-prod", true),
            ("github-*", "github-a/b", false),
            ("prod/**", "prod/a/b", true),
            ("prod/**", "prod", false),
            ("**", "a/b", true),
            ("*", "a/b", false),
            ("?", "é", true),
            ("?", "/", false),
            ("a[b]{c}", "a[b]{c}", true),
            ("**/x*y", "a/xb/xcy", true),
            ("", "", true),
        ] {
            assert_eq!(
                Glob::new(pattern).matches(text),
                matches,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn hostile_patterns_are_cheap() {
        let text = "a".repeat(1_000);
        assert!(!Glob::new(&"*a".repeat(500)).matches(&format!("{text}b")));
        assert!(!Glob::new(&"**a*a".repeat(200)).matches(&format!("{text}b")));
        // Where each star went back for the others, these would take hours.
        let long = "a".repeat(200_000);
        assert!(!Glob::new("**a*a*a*a*c").matches(&long));
        assert!(!Glob::new("**a*a/**a*a*c").matches(&long));
        assert!(!Glob::new("*a*a*a*a*c").matches(&long));
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab/*?é]{0,8}", text in "[ab/é]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let wanted = naive(&chars(&pattern), &chars(&text));
            prop_assert_eq!(Glob::new(&pattern).matches(&text), wanted, "{} {}", pattern, text);
        }

        #[test]
        fn its_pattern_is_of_the_same_form(pattern in "[ab/*?é]{0,12}") {
            let glob = Glob::new(&pattern);
            prop_assert_eq!(Glob::new(&glob.pattern()), glob);
        }
    }
}
