//! Formats a document, and holds the result against what it was.
//!
//! The formatter keeps comments. Whatever it makes must read as the same document, by the strict reader, and formatting it
//! again must change nothing: else the text is left as it is.

use pretty_yaml::config::{FormatOptions, LanguageOptions, LayoutOptions};

use super::{Untyped, read};
use crate::diag::{Code, Diagnostic, Location, printable};

/// The width beyond which lists and mappings in brackets are broken.
const WIDTH: usize = 120;
/// How often a text may change before it comes to rest.
const ROUNDS: usize = 4;

/// Formats a document of at most `limit` bytes; `file` is its name in messages.
///
/// # Errors
/// What strict YAML forbids, and [`Code::FORMAT_MEANING`].
pub fn format(file: &str, bytes: &[u8], limit: usize) -> Result<String, Diagnostic> {
    settle(file, bytes, limit, &|text| {
        let next = pretty_yaml::format_text(text, &options()).map_err(|error| error.to_string())?;
        Ok(match read(file, next.as_bytes(), usize::MAX) {
            Ok(_) => next,
            Err(_) => hang_brackets(&next),
        })
    })
}

/// Indents the brackets that close a list or mapping over several lines by one step: the formatter puts them below the key,
/// where YAML 1.2 (section 7.4) no longer counts them to its value.
fn hang_brackets(text: &str) -> String {
    let mut hung = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if matches!(line.trim(), "]" | "}" | "]," | "},") {
            hung.push_str("  ");
        }
        hung.push_str(line);
    }
    hung
}

fn options() -> FormatOptions {
    FormatOptions {
        layout: LayoutOptions {
            print_width: WIDTH,
            ..LayoutOptions::default()
        },
        language: LanguageOptions {
            brace_spacing: false,
            ..LanguageOptions::default()
        },
    }
}

type Formatter<'a> = &'a dyn Fn(&str) -> Result<String, String>;

fn settle(
    file: &str,
    bytes: &[u8],
    limit: usize,
    formatter: Formatter<'_>,
) -> Result<String, Diagnostic> {
    let before = read(file, bytes, limit)?;
    let refuse = |why: &str| {
        let (line, column) = (1, 1);
        let file = file.into();
        Diagnostic::error(Code::FORMAT_MEANING, why)
            .at(Location { file, line, column })
            .hint("the file was left as it is; write unusual places in a plainer way")
    };
    let mut text = before.text.to_owned();
    for _ in 0..ROUNDS {
        let next = formatter(&text)
            .map_err(|error| refuse(&format!("the formatter fails: {}", printable(&error))))?;
        if next == text {
            return Ok(text);
        }
        let is_same = |after: &Untyped<'_>| {
            after.value == before.value && comments(&next) == comments(before.text)
        };
        if !read(file, next.as_bytes(), limit).is_ok_and(|after| is_same(&after)) {
            return Err(refuse("formatting would change what the file says"));
        }
        text = next;
    }
    Err(refuse("formatting does not come to rest"))
}

/// How many `#` a text holds: a formatter that loses a comment loses at least one.
fn comments(text: &str) -> usize {
    text.matches('#').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_stay_and_a_second_time_changes_nothing() {
        let text = "# about\na:   1 # one\nb: [ x,y ]\n\n\nc:\n- {d:   e}\n# end\n";
        let once = format("a.yaml", text.as_bytes(), 1000).unwrap();
        assert_eq!(
            once,
            "# about\na: 1 # one\nb: [x, y]\n\nc:\n  - {d: e}\n  # end\n"
        );
        assert_eq!(format("a.yaml", once.as_bytes(), 1000).unwrap(), once);
    }

    #[test]
    fn long_lists_are_broken_where_yaml_takes_it() {
        let names: Vec<String> = (0..40).map(|n| format!("\"name-{n}\"")).collect();
        let text = format!(
            "a:\n  - b: [{}]\n    c: {{d: [{}]}}\n",
            names.join(", "),
            names.join(", ")
        );
        let once = format("a.yaml", text.as_bytes(), 10_000).unwrap();
        assert!(once.lines().all(|line| line.len() < 120), "{once}");
        assert_eq!(format("a.yaml", once.as_bytes(), 10_000).unwrap(), once);
    }

    #[test]
    fn a_formatter_that_changes_the_meaning_is_refused() {
        let by = |formatter: Formatter<'_>| {
            settle("a.yaml", b"a: 1 # x\n", 1000, formatter)
                .unwrap_err()
                .code
        };
        assert_eq!(by(&|_| Ok("a: 2 # x\n".to_owned())), Code::FORMAT_MEANING);
        assert_eq!(by(&|_| Ok("a: 1\n".to_owned())), Code::FORMAT_MEANING);
        assert_eq!(by(&|_| Ok("a: [ # x\n".to_owned())), Code::FORMAT_MEANING);
        assert_eq!(by(&|text| Ok(format!("{text}\n"))), Code::FORMAT_MEANING);
        assert_eq!(by(&|_| Err("no".to_owned())), Code::FORMAT_MEANING);
    }

    #[test]
    fn what_is_not_strict_yaml_is_not_formatted() {
        for (text, code) in [
            ("a: ~\n", Code::YAML_AMBIGUOUS_SCALAR),
            ("a: 1\na: 2\n", Code::YAML_DUPLICATE_KEY),
            ("a: [\n", Code::YAML_SYNTAX),
        ] {
            assert_eq!(
                format("a.yaml", text.as_bytes(), 1000).unwrap_err().code,
                code
            );
        }
    }
}
