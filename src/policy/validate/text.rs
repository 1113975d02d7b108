//! Texts for people: reasons, remedies, owners.

use crate::diag::Code;
use crate::policy::MAX_TEXT_BYTES;
use crate::policy::fields::{Fields, Report};
use crate::yaml::Path;

/// The characters that no text holds, as ranges: control characters but the line feed, invisible ones, and those that change
/// the direction of writing.
pub(in crate::policy) const HIDDEN: [(char, char); 7] = [
    ('\0', '\t'),
    ('\u{b}', '\u{1f}'),
    ('\u{7f}', '\u{9f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{2069}'),
    ('\u{feff}', '\u{feff}'),
];

/// A text for people.
pub(in crate::policy) fn text(
    fields: &mut Fields,
    field: &'static str,
    report: &mut Report<'_>,
) -> Option<String> {
    let text: String = fields.optional(field, report)?;
    check_text(&text, &fields.path(field), report).then_some(text)
}

/// Whether `text` can be shown: terminals obey some characters and hide others.
pub(in crate::policy) fn check_text(text: &str, path: &Path, report: &mut Report<'_>) -> bool {
    let hidden = |c: &char| HIDDEN.iter().any(|(from, to)| (from..=to).contains(&c));
    if text.trim().is_empty() {
        report.problem(
            Code::POLICY_TEXT,
            path,
            "the text is empty".to_owned(),
            "write the text, or remove the field",
        );
        return false;
    }
    if text.len() > MAX_TEXT_BYTES {
        let message = format!("a text of more than {MAX_TEXT_BYTES} bytes");
        report.problem(
            Code::POLICY_LIMIT,
            path,
            message,
            "shorten it, and link to the rest",
        );
        return false;
    }
    if let Some(found) = text.chars().find(hidden) {
        let message = format!("the text holds the character U+{:04X}", u32::from(found));
        let hint = "remove control, invisible and direction-changing characters";
        report.problem(Code::POLICY_TEXT, path, message, hint);
        return false;
    }
    true
}
