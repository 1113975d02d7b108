//! The words of the operators: the one table that the reader, its messages, the schema and the manual follow.

/// What an operator is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    /// A text, number or boolean.
    Scalar,
    /// The same, or a mapping `{ref: path}`.
    ScalarOrPath,
    /// A list of texts, numbers and booleans.
    Scalars,
    /// The same, or a mapping `{ref: path}`.
    ScalarsOrPath,
    /// A number, or a mapping `{ref: path}`.
    NumberOrPath,
    /// A text, or a list of texts.
    Texts,
    /// Whatever may stand at a path.
    Condition,
    /// `true` or `false`.
    Boolean,
    /// A window of the day, or a list of them.
    Hours,
    /// Days of the week, and the zone in which they are counted.
    Days,
    /// A path of the request.
    Path,
}

/// Each operator, its operand, and of which values it holds: "the value …".
pub(super) const OPERATORS: &[(&str, Operand, &str)] = &[
    ("equals", Operand::Scalar, "is this; no globs"),
    (
        "glob",
        Operand::Texts,
        "is text that fits: `*` is any run without `/`, `**` any run, `?` one character but `/`",
    ),
    (
        "regex",
        Operand::Texts,
        "is text with a part that this regular expression describes; `^` and `$` are the ends of the text",
    ),
    ("prefix", Operand::Texts, "is text that begins so"),
    ("suffix", Operand::Texts, "is text that ends so"),
    ("in", Operand::ScalarsOrPath, "is one of these; no globs"),
    ("not", Operand::Condition, "is there and does not fit this"),
    (
        "exists",
        Operand::Boolean,
        "is there (`true`), or absent (`false`)",
    ),
    (
        "contains",
        Operand::ScalarOrPath,
        "is a list that holds this, or text with this part",
    ),
    (
        "contains_any",
        Operand::ScalarsOrPath,
        "is a list that holds one of these, or text with one of these parts",
    ),
    (
        "contains_all",
        Operand::ScalarsOrPath,
        "is a list that holds all of these, or text with all of these parts",
    ),
    (
        "missing_any",
        Operand::Scalars,
        "lacks one of these; whatever is no list, or absent, lacks them all",
    ),
    ("gt", Operand::NumberOrPath, "is a number above this"),
    ("gte", Operand::NumberOrPath, "is a number of at least this"),
    ("lt", Operand::NumberOrPath, "is a number below this"),
    ("lte", Operand::NumberOrPath, "is a number of at most this"),
    (
        "cidr",
        Operand::Texts,
        "is an address or network in this network",
    ),
    (
        "semver",
        Operand::Texts,
        "is a version that this requirement admits, such as `>=1.2, <2`",
    ),
    (
        "time_of_day",
        Operand::Hours,
        "is a time in this window of the day; `until` does not belong to it",
    ),
    ("weekday", Operand::Days, "is a time on one of these days"),
    (
        "ref",
        Operand::Path,
        "is the same as the one at this path of the request",
    ),
];

/// The operators, for a message.
pub(super) fn sentence() -> String {
    let names: Vec<&str> = OPERATORS.iter().map(|(name, _, _)| *name).collect();
    match names.split_last() {
        Some((last, rest)) => format!("the operators are `{}` and `{last}`", rest.join("`, `")),
        None => String::new(),
    }
}
