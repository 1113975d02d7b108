//! Codes of the areas `yaml` (every YAML document) and `policy` (its meaning, resolution and lints).

use super::{Code, Kind};

codes! {
    YAML_TOO_LARGE = "E-YAML-001", Invalid, "the document is too large",
        "A YAML document is read only up to a size limit. Split it into several files.";
    YAML_ENCODING = "E-YAML-002", Invalid, "the file is not plain UTF-8",
        "YAML documents are UTF-8 without a byte order mark. Save the file so.";
    YAML_SYNTAX = "E-YAML-003", Invalid, "the document is not YAML",
        "The text breaks YAML's grammar, or holds nothing. The message names the place; look at indentation, quotes and brackets.";
    YAML_DOCUMENTS = "E-YAML-004", Invalid, "the file holds more than one document",
        "One file holds one document, so that nothing is overlooked behind a `---`. Put each document in a file of its own.";
    YAML_ALIAS = "E-YAML-005", Invalid, "an anchor or alias",
        "Anchors and aliases make a short file mean a long one, and hide what a reviewer approves. Repeat the value.";
    YAML_TAG = "E-YAML-006", Invalid, "a tag",
        "Tags such as `!!str` change a value's type in ways that readers differ on. Remove the tag; quote text.";
    YAML_MERGE = "E-YAML-007", Invalid, "a merge key",
        "Some readers expand `<<`, others keep it as a key. Write the entries out.";
    YAML_DUPLICATE_KEY = "E-YAML-008", Invalid, "a key stands twice in one mapping",
        "Readers differ on which of the two counts. Remove one, or join their values.";
    YAML_KEY = "E-YAML-009", Invalid, "a key is not text",
        "Keys are text. Quote a key that looks like a number, a boolean or null.";
    YAML_TOO_DEEP = "E-YAML-010", Invalid, "the document is nested too deeply",
        "No document needs more than 64 levels. Flatten it.";
    YAML_AMBIGUOUS_SCALAR = "E-YAML-011", Invalid, "a value that YAML readers take for different things",
        "Unquoted `~`, `True`, `0x1f`, `007`, `+1`, `.5`, `.inf` and empty values are text to one reader and a number, boolean or null to another. Quote text; write numbers, `true`, `false` and `null` as JSON does.";
    YAML_NUMBER = "E-YAML-012", Invalid, "a number that not every reader keeps exactly",
        "Numbers beyond ±(2^53 − 1) are rounded by some readers. Write the number as a quoted string.";
    YAML_AMBIGUOUS_DOCUMENT = "E-YAML-013", Invalid, "two YAML parsers read the document differently",
        "Every document is read by two parsers, and they must agree. Quote unusual text; avoid the line breaks U+0085, U+2028 and U+2029.";
    YAML_SHAPE = "E-YAML-014", Invalid, "a field is unknown, missing or of the wrong type",
        "The message names the field and what was expected there. Unknown fields are refused because a misspelt one would silently not apply.";
}
