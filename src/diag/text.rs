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
