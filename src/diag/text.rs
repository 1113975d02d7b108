//! Others' words in our messages.

/// `text` with everything that a terminal would act on, or would not show, escaped.
///
/// Quotes and backslashes stay as they are, which `escape_debug` alone would escape too; so do marks that belong to the letter
/// before them.
#[must_use]
pub fn printable(text: &str) -> String {
    let is_kept = |character| matches!(character, '\'' | '"' | '\\');
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(is_kept) {
        let plain = piece.trim_end_matches(is_kept);
        shown.extend(plain.escape_debug());
        shown.extend(piece.chars().skip(plain.chars().count()));
    }
    shown
}

/// Whether a character hides what a name is: a control character, one that cannot be seen, or one that changes the direction
/// of writing. Two names that differ in these alone look the same to whoever reads them, and are two to every rule.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{ffff}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// What serde says of a document's shape, without the names of Rust types, and fit to be shown.
#[must_use]
pub fn plain_words(message: &str) -> String {
    let message = printable(message)
        .replacen("unknown variant ", "unknown word ", 1)
        .replacen("invalid length 0, ", "an empty list, ", 1);
    if let Some((before, _)) = message.rsplit_once("expected a nonzero ") {
        return format!("{before}expected an integer above 0");
    }
    let Some((before, expected)) = message.rsplit_once("expected ") else {
        return message;
    };
    let first = expected.split([' ', ',']).next().unwrap_or_default();
    let plain = match first {
        "struct" | "internally" | "map" => "a mapping",
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => {
            "an integer"
        }
        "f32" | "f64" => "a number",
        "sequence" => "a list",
        _ => return message,
    };
    format!("{before}expected {plain}")
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

    #[test]
    fn letters_of_any_script_are_shown() {
        assert_eq!(printable("नीति 'e\u{301}' ไม่"), "नीति 'e\u{301}' ไม่");
    }

    #[test]
    fn names_of_rust_types_are_left_out() {
        for (said, shown) in [
            (
                "invalid length 0, expected struct EnvelopeV1 with 3 elements",
                "an empty list, expected a mapping",
            ),
            (
                "unknown variant `off`, expected one of `warn`, `enforce`",
                "unknown word `off`, expected one of `warn`, `enforce`",
            ),
            (
                "invalid value: integer `0`, expected a nonzero u64",
                "invalid value: integer `0`, expected an integer above 0",
            ),
        ] {
            assert_eq!(plain_words(said), shown);
        }
    }
}
