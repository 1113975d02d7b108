//! Reading operands of a policy, and values of a request that operators take for more than text.

use std::cell::Cell;

use jiff::Timestamp;
use regex::{Regex, RegexBuilder};
use semver::Version;
use serde_json::Value;

use crate::diag::{Code, printable};

/// The sizes to which the compiled form of a regular expression is rounded up, in bytes; none is larger than the last.
const SIZES: [usize; 6] = [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20];
/// The greatest size of all regular expressions of a bundle together, compiled, in bytes.
const MAX_BUNDLE_BYTES: usize = 32 << 20;
/// What a search may keep of the states that it met, in bytes.
const MAX_CACHE_BYTES: usize = 1 << 20;
/// How deep the groups of a regular expression may nest.
const MAX_NESTING: u32 = 64;

/// Why a text cannot be what its operator takes it for. What is quoted is fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::policy) enum OperandError {
    #[error("the regular expression cannot be read: {problem}")]
    Regex { problem: String },
    #[error("the regular expression is too large")]
    RegexSize,
    #[error("the regular expressions of the bundle are too large together")]
    RegexBudget,
    #[error("`{0}` is neither an address nor a network")]
    NoNetwork(String),
    #[error("`{text}` has bits of an address behind its prefix; the network is `{network}`")]
    HostBits { text: String, network: String },
    #[error("`{text}` is no version requirement: {problem}")]
    Requirement { text: String, problem: String },
    #[error("`{0}` does not say which versions it means")]
    BareVersion(String),
    #[error("`{0}` is no time of day")]
    NoTime(String),
    #[error("the window begins and ends at `{0}`")]
    EmptyWindow(String),
    #[error("`{0}` is no time zone")]
    NoZone(String),
    #[error("`{0}` is no day of the week")]
    NoDay(String),
}

impl OperandError {
    /// Its diagnostic code.
    pub(in crate::policy) fn code(&self) -> Code {
        match self {
            Self::Regex { .. } | Self::RegexSize => Code::POLICY_REGEX,
            Self::RegexBudget => Code::POLICY_LIMIT,
            _ => Code::POLICY_OPERAND,
        }
    }

    /// What to do.
    pub(in crate::policy) fn hint(&self) -> String {
        match self {
            Self::Regex { .. } => {
                "correct the expression; there is no look-around and no back-reference".to_owned()
            }
            Self::RegexSize => {
                "use smaller counts, or `glob`, `prefix` and `suffix` where they are enough"
                    .to_owned()
            }
            Self::RegexBudget => {
                "use fewer and smaller counts such as `{1,100}`, or `glob`, `prefix` and `suffix` where they are enough"
                    .to_owned()
            }
            Self::NoNetwork(_) => {
                "write an address as `10.1.2.3`, or a network as `10.0.0.0/8` or `fd00::/8`"
                    .to_owned()
            }
            Self::HostBits { network, .. } => {
                format!("write `{network}`, or the address without a prefix")
            }
            Self::Requirement { .. } => {
                "write comparisons with commas between them, as `>=1.2, <2`".to_owned()
            }
            Self::BareVersion(text) => {
                format!("write `={text}` for this one, or `^{text}` for those compatible with it")
            }
            Self::NoTime(_) => "write hours and minutes, from `00:00` to `23:59`".to_owned(),
            Self::EmptyWindow(_) => {
                "let `from` and `until` differ; `until: \"00:00\"` is the end of the day".to_owned()
            }
            Self::NoZone(_) => "name an IANA zone, such as `Europe/Berlin` or `UTC`".to_owned(),
            Self::NoDay(_) => {
                "the days are `mon`, `tue`, `wed`, `thu`, `fri`, `sat` and `sun`, or a range such as `mon-fri`"
                    .to_owned()
            }
        }
    }
}

/// A text of a policy, short and fit to be shown.
pub(super) fn shown(text: &str) -> String {
    printable(&text.chars().take(80).collect::<String>())
}

/// What the regular expressions of one bundle may still take, compiled, in bytes. Compiling takes time in proportion.
#[derive(Debug)]
pub(in crate::policy) struct Allowance(Cell<usize>);

impl Default for Allowance {
    fn default() -> Self {
        Self(Cell::new(MAX_BUNDLE_BYTES))
    }
}

impl Allowance {
    /// So many bytes.
    pub(in crate::policy) fn of(bytes: usize) -> Self {
        Self(Cell::new(bytes))
    }

    /// How many bytes are left.
    pub(in crate::policy) fn left(&self) -> usize {
        self.0.get()
    }
}

/// A compiled regular expression.
#[derive(Debug)]
pub(in crate::policy) struct Compiled {
    pub(in crate::policy) regex: Regex,
    /// Its size in bytes, rounded up.
    pub(in crate::policy) size: usize,
}

impl Allowance {
    /// Compiles a regular expression, which is searched for in a text: `^` and `$` tie it to the ends.
    ///
    /// The library tells no sizes, but stops at a limit. Every limit is four times the one before it, so what was begun
    /// below the one that fits is a third of the work at most.
    ///
    /// # Errors
    /// It is none, its compiled form is too large, or those of the bundle are.
    pub(in crate::policy) fn regex(&self, pattern: &str) -> Result<Compiled, OperandError> {
        for size in SIZES {
            let left = self.0.get().checked_sub(size);
            let left = left.ok_or(OperandError::RegexBudget)?;
            let compiled = RegexBuilder::new(pattern)
                .size_limit(size)
                .dfa_size_limit(MAX_CACHE_BYTES)
                .nest_limit(MAX_NESTING)
                .build();
            match compiled {
                Ok(regex) => {
                    self.0.set(left);
                    return Ok(Compiled { regex, size });
                }
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(other) => {
                    self.0.set(left);
                    let problem = regex_problem(&other.to_string());
                    return Err(OperandError::Regex { problem });
                }
            }
        }
        // What does not fit was work, too.
        let [.., largest] = SIZES;
        self.0.set(self.0.get().saturating_sub(largest));
        Err(OperandError::RegexSize)
    }
}

/// The parser draws the pattern, marks the place below it, and says what is wrong in its last line.
fn regex_problem(drawing: &str) -> String {
    const INDENT: usize = 4;
    let last = drawing.lines().last().unwrap_or_default();
    let problem = printable(last.strip_prefix("error: ").unwrap_or(last));
    let lines: Vec<&str> = drawing.lines().collect();
    // A pattern of several lines is drawn with line numbers, and its place is harder to tell than to see.
    let marks = match lines.as_slice() {
        [_, _, marks, _] => marks.find('^'),
        _ => None,
    };
    match marks.and_then(|column| column.checked_sub(INDENT)) {
        Some(before) => format!("{problem}, at its character {}", before + 1),
        None => problem,
    }
}

/// A value as a version, where it is one.
pub(super) fn version(value: &Value) -> Option<Version> {
    value.as_str()?.parse().ok()
}

/// A value as a moment, where it is one: RFC 3339.
pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(pattern: &str) -> (Code, String) {
        let error = Allowance::default().regex(pattern).unwrap_err();
        assert!(!error.hint().is_empty());
        (error.code(), error.to_string())
    }

    #[test]
    fn a_regex_is_searched_for_and_tied_to_the_ends_by_its_author() {
        let holds = |pattern: &str, text: &str| {
            let compiled = Allowance::default().regex(pattern).unwrap();
            compiled.regex.is_match(text)
        };
        assert!(holds("b", "abc"));
        assert!(!holds("^b", "abc"));
        assert!(holds("^a.*c$", "abc"));
        assert!(!holds("c$", "abc\n"), "`$` is the end, not a last line");
        assert!(!holds("^evil", "good\nevil"));
        assert!(holds("(?i)^DROP ", "drop table"));
        assert!(holds(r"^\w+$", "größe"));
        assert!(holds("^.$", "é"), "a character, not a byte");
    }

    #[test]
    fn a_broken_regex_is_refused_with_its_place() {
        let (code, message) = refused("a(b");
        assert_eq!(code, Code::POLICY_REGEX);
        assert_eq!(
            message,
            "the regular expression cannot be read: unclosed group, at its character 2"
        );
        assert!(refused("é[z-a]").1.ends_with("at its character 3"));
        for pattern in [r"(?=a)", r"(a)\1", "[", "*", "a{2,1}", "a\n(", "\u{1b}["] {
            let (code, message) = refused(pattern);
            assert_eq!(code, Code::POLICY_REGEX, "{pattern}");
            assert!(!message.chars().any(char::is_control), "{message:?}");
        }
    }

    #[test]
    fn what_a_bundle_compiles_has_an_end() {
        let compiled = |pattern: &str, count: usize| {
            let allowance = Allowance::default();
            let read = (0..count).map(|_| allowance.regex(pattern));
            read.take_while(|read| !matches!(read, Err(OperandError::RegexBudget)))
                .count()
        };
        assert_eq!(compiled("^rm -rf", 2_000), 2_000);
        assert_eq!(compiled(r"\w{3}", 1_000), 128);
        assert_eq!(compiled(r"\w{300}", 1_000), 32, "refusals cost, too");
        assert_eq!(OperandError::RegexBudget.code(), Code::POLICY_LIMIT);
        assert!(!OperandError::RegexBudget.hint().is_empty());
    }

    #[test]
    fn sizes_are_rounded_up() {
        let size = |pattern: &str| Allowance::default().regex(pattern).unwrap().size;
        assert_eq!(size("^rm -rf"), 1 << 10);
        assert!(size(r"\w+") > 1 << 10);
        assert_eq!(size(r"\w{3}"), 1 << 18);
    }

    #[test]
    fn a_huge_regex_is_refused() {
        assert_eq!(
            refused(r"\w{1000}").1,
            "the regular expression is too large"
        );
        let nested = format!("{}a{}", "(".repeat(65), ")".repeat(65));
        assert_eq!(refused(&nested).0, Code::POLICY_REGEX);
    }

    #[test]
    fn moments_and_versions_are_read_strictly() {
        let moment = |text: &str| moment(&Value::from(text)).map(|moment| moment.to_string());
        let told = |text: &str| Some(text.to_owned());
        assert_eq!(
            moment("2026-11-01T10:00:00+02:00"),
            told("2026-11-01T08:00:00Z")
        );
        // A leap second counts as the last second that clocks without one show.
        assert_eq!(moment("2016-12-31T23:59:60Z"), told("2016-12-31T23:59:59Z"));
        for text in [
            "",
            "now",
            "2026-11-01",
            "2026-11-01T10:00:00",
            "1761991200",
            "10:00",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
        assert!(version(&Value::from("1.2.3-rc.1+build")).is_some());
        for text in ["1.2", "v1.2.3", " 1.2.3", "01.2.3", "1.2.3.4", "latest", ""] {
            assert!(version(&Value::from(text)).is_none(), "{text}");
        }
        assert!(version(&Value::from(1)).is_none());
    }
}
