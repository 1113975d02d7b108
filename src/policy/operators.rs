//! The words of the operators: the one table that the reader, its messages, the schema and the manual follow.

/// What an operator is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    /// A text, number or boolean.
    Scalar,
    /// A list of them.
    Scalars,
    /// A text, or a list of texts.
    Texts,
    /// Whatever may stand at a path.
    Condition,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
}

/// Each operator, its operand, and of which values it holds: "the value …".
pub(super) const OPERATORS: &[(&str, Operand, &str)] = &[
    ("equals", Operand::Scalar, "is this; no globs"),
    (
        "glob",
        Operand::Texts,
        "is text that fits: `*` is any run without `/`, `**` any run, `?` one character but `/`",
    ),
    ("in", Operand::Scalars, "is one of these; no globs"),
    ("not", Operand::Condition, "is there and does not fit this"),
    (
        "exists",
        Operand::Boolean,
        "is there (`true`), or absent (`false`)",
    ),
    ("prefix", Operand::Texts, "is text that begins so"),
    (
        "contains",
        Operand::Scalar,
        "is a list that holds this, or text with this part",
    ),
    (
        "contains_any",
        Operand::Scalars,
        "is a list that holds one of these, or text with one of these parts",
    ),
    (
        "contains_all",
        Operand::Scalars,
        "is a list that holds all of these, or text with all of these parts",
    ),
    (
        "missing_any",
        Operand::Scalars,
        "lacks one of these; whatever is no list, or absent, lacks them all",
    ),
    ("gt", Operand::Number, "is a number above this"),
    ("gte", Operand::Number, "is a number of at least this"),
    ("lt", Operand::Number, "is a number below this"),
    ("lte", Operand::Number, "is a number of at most this"),
];

/// The operators, for a message.
pub(super) fn sentence() -> String {
    let names: Vec<&str> = OPERATORS.iter().map(|(name, _, _)| *name).collect();
    match names.split_last() {
        Some((last, rest)) => format!("the operators are `{}` and `{last}`", rest.join("`, `")),
        None => String::new(),
    }
}
