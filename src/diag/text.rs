//! Others' words in our messages.

/// `text` with everything that a terminal would act on, or would not show, escaped.
///
/// For the words of a parser that may quote its input; `escape_debug` alone would escape their quotes too.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\'' | '"' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_a_terminal_would_act_on() {
        assert_eq!(
            printable("field `\u{1b}[2J\u{202e}\n\u{feff}`, it's \"é\" \\"),
            "field `\\u{1b}[2J\\u{202e}\\n\\u{feff}`, it's \"é\" \\"
        );
    }
}
