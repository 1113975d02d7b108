//! One thing that was looked at, and how it was.

use serde::{Serialize, Serializer};

use crate::diag::Code;

/// How good or bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Will be a problem, or hides one.
    Warning,
    /// Wrong now.
    Problem,
}

/// What a finding is about; findings are told area by area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// The configuration.
    Config,
    /// The trust root.
    Trust,
    /// The bundles, and the policy that they make.
    Bundles,
    /// The clock.
    Clock,
    /// What this machine keeps: state, cache, keys.
    Machine,
    /// The decision log.
    Log,
    /// Variables and programs.
    Environment,
}

impl Area {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Trust => "trust",
            Self::Bundles => "bundles",
            Self::Clock => "clock",
            Self::Machine => "machine",
            Self::Log => "log",
            Self::Environment => "environment",
        }
    }
}

/// A kind of finding. Its name is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id {
    /// The name, such as `root-expires-soon`.
    pub name: &'static str,
    /// What it is about.
    pub area: Area,
    /// How bad it is.
    pub level: Level,
    /// What it says, for the manual.
    pub meaning: &'static str,
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

macro_rules! ids {
    ($($constant:ident = $name:literal, $area:ident, $level:ident, $meaning:literal;)*) => {
        impl Id {
            $(
                #[doc = concat!("`", $name, "`: ", $meaning, ".")]
                pub const $constant: Self = Self {
                    name: $name,
                    area: Area::$area,
                    level: Level::$level,
                    meaning: $meaning,
                };
            )*
            /// Every kind of finding, area by area.
            pub const ALL: &[Self] = &[$(Self::$constant),*];
        }
    };
}

ids! {
    CONFIG = "config", Config, Ok, "the configuration that counts, and how it was found";
    CONFIG_MISSING = "config-missing", Config, Problem, "there is no configuration where one is looked for";
    CONFIG_INVALID = "config-invalid", Config, Problem, "the configuration cannot be read or is not valid";
    ROOT = "root", Trust, Ok, "the trust root, walked from its pin to the last version";
    ROOT_UNTRUSTED = "root-untrusted", Trust, Problem, "the trust root is missing, damaged, expired, not the pinned one, or older than one seen here";
    ROOT_EXPIRES_SOON = "root-expires-soon", Trust, Warning, "the trust root expires within 30 days";
    ROOT_PINNED = "root-pinned", Trust, Ok, "where the fingerprint of the first trust root is pinned";
    ROOT_CONFIRMED = "root-confirmed", Trust, Ok, "the fingerprint was held against that of a second channel on this machine";
    ROOT_UNCONFIRMED = "root-unconfirmed", Trust, Warning, "the first trust root was trusted on first use, and nobody has confirmed it";
    ROOT_NEWEST = "root-newest", Trust, Ok, "its repository holds no newer trust root (asked with `--online`)";
    ROOT_NEWER = "root-newer", Trust, Warning, "its repository holds a newer trust root, which is not in force here yet (asked with `--online`)";
    ROOT_NEXT_REFUSED = "root-next-refused", Trust, Problem, "its repository holds trust roots that a pull refuses, such as one without all its signatures (asked with `--online`)";
    ROOT_UNREACHABLE = "root-unreachable", Trust, Warning, "the trust root's repository could not be asked (with `--online`)";
    ROOT_REVOKES = "root-revokes", Trust, Note, "the trust root revokes keys, payloads or revisions";
    LOCKFILE_MISSING = "lockfile-missing", Bundles, Warning, "nothing was pulled for this configuration yet";
    LOCKFILE_DAMAGED = "lockfile-damaged", Bundles, Problem, "`ordain.lock` cannot be read";
    BUNDLE = "bundle", Bundles, Ok, "a bundle that is locked, kept here, and verified again just now";
    BUNDLE_SOURCE = "bundle-source", Bundles, Ok, "where it comes from: URL, ref, path, commit, payload";
    BUNDLE_TIMES = "bundle-times", Bundles, Ok, "how old it is, of how much it may be, and when it expires";
    BUNDLE_NOT_PULLED = "bundle-not-pulled", Bundles, Warning, "a configured bundle is not locked yet";
    BUNDLE_NOT_HERE = "bundle-not-here", Bundles, Warning, "a locked bundle is not on this machine; the next command that decides fetches it";
    BUNDLE_DAMAGED = "bundle-damaged", Bundles, Warning, "the kept copy of a bundle is damaged; the next pull fetches it again";
    BUNDLE_ELSEWHERE = "bundle-elsewhere", Bundles, Warning, "the configuration names another source than the lockfile";
    BUNDLE_UNTRUSTED = "bundle-untrusted", Bundles, Problem, "a locked bundle does not verify now";
    BUNDLE_EXPIRES_SOON = "bundle-expires-soon", Bundles, Warning, "a bundle expires within 30 days";
    BUNDLE_AGES = "bundle-ages", Bundles, Warning, "a bundle has used up three quarters of its `max_age`";
    BUNDLE_STALE = "bundle-stale", Bundles, Warning, "a bundle is past its time, and decides within its grace; each decision says so";
    BUNDLE_MARK = "bundle-mark", Bundles, Ok, "the high-water marks of lockfile and machine agree";
    BUNDLE_MARKS_DIFFER = "bundle-marks-differ", Bundles, Problem, "the lockfile is below this machine's high-water mark, or has another payload under the same revision";
    BUNDLE_UNSEEN = "bundle-unseen", Bundles, Note, "the lockfile is ahead of this machine, which has not verified that revision yet";
    BUNDLE_UNMOVED = "bundle-unmoved", Bundles, Ok, "the ref stands where it was locked (asked with `--online`)";
    BUNDLE_MOVED = "bundle-moved", Bundles, Note, "the ref has moved on (asked with `--online`)";
    BUNDLE_UNREACHABLE = "bundle-unreachable", Bundles, Warning, "the ref could not be asked for (with `--online`)";
    POLICY = "policy", Bundles, Ok, "the policy that decides here";
    POLICY_INVALID = "policy-invalid", Bundles, Problem, "the bundles make no policy";
    CLOCK = "clock", Clock, Ok, "the time, and the latest one seen";
    CLOCK_FIXED = "clock-fixed", Clock, Warning, "the time is fixed by `ORDAIN_NOW`";
    CLOCK_WENT_BACK = "clock-went-back", Clock, Problem, "the clock is behind a time that this machine has seen";
    STATE = "state", Machine, Ok, "the machine's memory: high-water marks and times";
    STATE_MISSING = "state-missing", Machine, Note, "this machine remembers nothing yet";
    STATE_UNUSABLE = "state-unusable", Machine, Problem, "the machine's memory is damaged, unreadable, a link, or may be written by others";
    CACHE = "cache", Machine, Ok, "the cache: Git objects and kept bundles";
    CACHE_MISSING = "cache-missing", Machine, Note, "there is no cache yet";
    CACHE_UNUSABLE = "cache-unusable", Machine, Problem, "the cache is not a directory that can be read";
    CACHE_SHARED = "cache-shared", Machine, Note, "others may write the cache; what is kept there is verified on every load";
    KEY = "key", Machine, Ok, "a private key that only its owner reads";
    KEY_SHARED = "key-shared", Machine, Warning, "others may read or replace a private key";
    KEY_UNREADABLE = "key-unreadable", Machine, Problem, "a named key cannot be read";
    LOG = "log", Log, Ok, "the decision log, by its signed checkpoint; `ordain log verify` reads all of it";
    LOG_MISSING = "log-missing", Log, Note, "there is no decision log yet";
    LOG_KEY_MISSING = "log-key-missing", Log, Warning, "there is a log, and no key of this machine to check it with";
    LOG_UNTRUSTED = "log-untrusted", Log, Problem, "the log is not what was signed";
    LOG_UNREADABLE = "log-unreadable", Log, Problem, "the log or its key cannot be read";
    LOG_UNWRITABLE = "log-unwritable", Log, Problem, "the log cannot be written, so `enforce` denies";
    LOG_TORN = "log-torn", Log, Warning, "the last line is unfinished; the next writer cuts it";
    LOG_SHARED = "log-shared", Log, Warning, "others may write into the log's directory";
    VERSION = "version", Environment, Ok, "the program";
    ENVIRONMENT_UNUSABLE = "environment-unusable", Environment, Problem, "a variable or directory that is needed is missing or malformed";
    VARIABLE = "variable", Environment, Note, "a variable that changes what the program does";
    VARIABLE_UNKNOWN = "variable-unknown", Environment, Warning, "a variable `ORDAIN_…` that the program does not know";
    CI = "ci", Environment, Note, "this is a CI job: `--locked` is the default, and nothing is asked";
    PROGRAM = "program", Environment, Ok, "a program that a configured transport needs";
    PROGRAM_MISSING = "program-missing", Environment, Problem, "a program that a configured transport needs is not on the search path";
    HELPER_MISSING = "helper-missing", Environment, Note, "`git` is not on the search path, so its credential helpers cannot be asked";
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind.
    pub id: Id,
    /// Its level.
    pub level: Level,
    /// Its area.
    pub area: Area,
    /// What it is about: a file, a bundle, a variable. Not escaped.
    pub subject: String,
    /// What was found, in one line. Others' words in it are escaped.
    pub text: String,
    /// The diagnostic code, where a command would fail with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// A finding of a kind.
    pub(super) fn new(id: Id, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            id,
            level: id.level,
            area: id.area,
            subject: subject.into(),
            text: text.into(),
            code: None,
            remedy: None,
        }
    }

    /// Adds the code, and its help where nothing better is known.
    pub(super) fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self.remedy.get_or_insert_with(|| code.help.to_owned());
        self
    }

    /// Adds what to do.
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}
