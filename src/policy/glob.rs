//! Globs over text: `*`, `?` and `**`, and nothing else.
//!
//! - `*` is any run of characters without `/`, `**` any run with it, `?` one character but `/`; every other character is
//!   itself. A pattern must match the whole text, and case counts.
//! - So `prod/**` matches `prod/` and `prod/a/b`, not `prod`.
//!
//! Written here, because `globset` matches bytes (its `?` does not match `é`) and takes `**` for special only between slashes;
//! a rule that denies must not hang on either. Matching keeps two places to go back to, so its cost is bounded by the product
//! of the lengths squared, with no recursion.

/// A compiled glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    tokens: Vec<Token>,
}

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
        Self { tokens }
    }

    /// Whether `text` holds a character that makes it a pattern.
    pub(super) fn is_pattern(text: &str) -> bool {
        text.contains(['*', '?'])
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let (mut token, mut rest) = (0, text);
        // Where to go on after a mismatch: behind the star, with the text that the star has not taken yet.
        let mut run: Option<(usize, &str)> = None;
        let mut anything: Option<(usize, &str)> = None;
        loop {
            match self.tokens.get(token) {
                Some(Token::Run) => {
                    token += 1;
                    run = Some((token, rest));
                    continue;
                }
                Some(Token::Anything) => {
                    token += 1;
                    anything = Some((token, rest));
                    run = None;
                    continue;
                }
                Some(Token::One) => {
                    if let Some((character, after)) = split_first(rest)
                        && character != '/'
                    {
                        (token, rest) = (token + 1, after);
                        continue;
                    }
                }
                Some(Token::Char(wanted)) => {
                    if let Some((character, after)) = split_first(rest)
                        && character == *wanted
                    {
                        (token, rest) = (token + 1, after);
                        continue;
                    }
                }
                None if rest.is_empty() => return true,
                None => {}
            }
            let next = grow(&mut run, |character| character != '/')
                .or_else(|| grow(&mut anything, |_| true).inspect(|_| run = None));
            match next {
                Some(place) => (token, rest) = place,
                None => return false,
            }
        }
    }
}

fn split_first(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    chars.next().map(|character| (character, chars.as_str()))
}

/// Lets a star take one more character, if it may.
fn grow<'text>(
    star: &mut Option<(usize, &'text str)>,
    may_take: impl Fn(char) -> bool,
) -> Option<(usize, &'text str)> {
    let (token, rest) = (*star)?;
    let taken = split_first(rest).filter(|(character, _)| may_take(*character));
    *star = taken.map(|(_, after)| (token, after));
    *star
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
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab/*?é]{0,8}", text in "[ab/é]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let wanted = naive(&chars(&pattern), &chars(&text));
            prop_assert_eq!(Glob::new(&pattern).matches(&text), wanted, "{} {}", pattern, text);
        }
    }
}
