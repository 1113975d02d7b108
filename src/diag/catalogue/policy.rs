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
    POLICY_FILE_NAME = "E-POLICY-001", Invalid, "a policy file has another ending than `.yaml`",
        "Only `policies/**/*.yaml` is read, and a policy that silently does not apply is a hole. Rename the file.";
    POLICY_KIND = "E-POLICY-002", Invalid, "the document is not a policy of a version that is known",
        "Files under `policies/` begin with `apiVersion: ordain/v1` and `kind: Policy` or `kind: Catalog`.";
    POLICY_UNSUPPORTED = "E-POLICY-003", Invalid, "the policy uses what this version does not support",
        "A rule is never read without one of its conditions, so the file is refused. Remove the field, or use a newer version.";
    POLICY_UNKNOWN_FIELD = "E-POLICY-004", Invalid, "an unknown field",
        "A misspelt field would silently not apply. The hint lists the fields that are known in that place.";
    POLICY_MISSING_FIELD = "E-POLICY-005", Invalid, "a field is missing",
        "Add the field that the message names.";
    POLICY_TYPE = "E-POLICY-006", Invalid, "a field has the wrong type or an unknown word",
        "The message says what was expected in that place.";
    POLICY_TEXT = "E-POLICY-007", Invalid, "a text is empty or cannot be shown",
        "Reasons and other texts reach terminals and logs, so control, invisible and direction-changing characters are refused.";
    POLICY_LIMIT = "E-POLICY-008", Invalid, "a part of the policy is too large",
        "Policies have caps on rules, lists, conditions and lengths. The message names the cap.";
    POLICY_NAMESPACE = "E-POLICY-009", Invalid, "a scope outside the bundle's namespace",
        "A bundle may define only scopes of its namespace: a signer speaks only for what was delegated to them.";
    POLICY_SCOPE_TWICE = "E-POLICY-010", Invalid, "a scope is defined twice",
        "One scope is one policy and at most one catalogue of one bundle. Join the two, or give one of them another scope.";
    POLICY_RULE_TWICE = "E-POLICY-011", Invalid, "a rule id stands twice in one scope",
        "Overrides and decisions name rules by `scope#id`, so an id is unique in its scope.";
    POLICY_OVERRIDE_TWICE = "E-POLICY-012", Invalid, "a scope overrides one rule twice",
        "Join the two overrides: one scope makes one change to a rule.";
    POLICY_OVERRIDE = "E-POLICY-013", Invalid, "an override that means nothing",
        "An override names a rule of another scope and gives `effect`, `mode`, `precedence` or `reason`, or `disable: true` alone.";
    POLICY_EXTENDS = "E-POLICY-014", Invalid, "a scope extends itself",
        "`extends` names packs: other scopes whose rules this scope takes over.";
    POLICY_MODE = "E-POLICY-015", Invalid, "a rule's mode is above its scope's",
        "A rule may carry a lower mode than its scope, to roll it out. To bind more, raise the scope's mode.";
    POLICY_MATCH = "E-POLICY-016", Invalid, "a condition that cannot be read",
        "A `match` maps paths of the request to a value, a list of values or a mapping of operators. The message says what is wrong.";
    POLICY_OPERATOR = "E-POLICY-017", Invalid, "an unknown operator",
        "The hint lists the operators.";
    POLICY_WINDOW = "E-POLICY-018", Invalid, "a `valid` that names no time",
        "`valid` holds `from`, `until` or both, each a moment such as `2026-12-20T00:00:00Z`; `until` is the first moment at which the rule no longer counts.";
    POLICY_REGEX = "E-POLICY-020", Invalid, "a regular expression that cannot be used",
        "The expression breaks the grammar, or its compiled form is too large. There is no look-around and no back-reference: matching takes linear time, whatever the request holds.";
    POLICY_OPERAND = "E-POLICY-021", Invalid, "an operand that names nothing",
        "`cidr` wants networks without host bits, `semver` requirements whose every part says how it compares, `time_of_day` two different times, `weekday` days, and both an IANA time zone. The message says which of them is none.";
    POLICY_WAIVERS = "E-POLICY-022", Invalid, "terms for waivers that mean nothing",
        "`waivers` stands in a root scope's policy and gives `require`, `max_duration` or both: what every loosening override of the organisation must carry, and how long it may still last.";
    RESOLVE_WAIVER = "E-POLICY-023", Invalid, "a waiver without what the root scope demands",
        "The root scope's policy says with `waivers` what an override that loosens must carry, and for how long at most it may still last. Add what the message names.";
    CONDITION_SYNTAX = "E-POLICY-024", Invalid, "a `when` that is not CEL",
        "A `when` is an expression in CEL, such as `context.replicas > 3 && subject.id in data.release_managers`. Texts stand in quotes.";
    CONDITION_LIMIT = "E-POLICY-025", Invalid, "a `when` that is too large",
        "Conditions have caps on length, depth and nested comprehensions, so that judging one is quick and never runs out of stack. Split the rule, or move lists to `data/`.";
    CONDITION_NAME = "E-POLICY-026", Invalid, "a `when` uses a name that is unknown or taken",
        "A condition sees `subject`, `action`, `resource`, `context`, `data` and `risk`, and the variables of its own comprehensions, which need names of their own.";
    CONDITION_FUNCTION = "E-POLICY-027", Invalid, "a `when` calls what does not exist",
        "The policy manual lists the functions, with their arguments and whether they stand behind a dot.";
    CONDITION_TYPE = "E-POLICY-028", Invalid, "types in a `when` that never fit",
        "The condition would fail on every request, or could never hold: it is no boolean, or it joins or compares what is not alike.";
    CONDITION_ARGUMENT = "E-POLICY-029", Invalid, "an argument in a `when` that its function cannot use",
        "Patterns, networks, version requirements and time zones are checked when the policy is read. Patterns of `matches` are literals, so that they are compiled once.";
    RESOLVE_BUNDLE_TWICE = "E-POLICY-030", Invalid, "two bundles have one name",
        "Decisions and errors name bundles, so each name stands for one.";
    RESOLVE_SCOPE_TWICE = "E-POLICY-031", Invalid, "two bundles define one scope",
        "One scope is defined by exactly one bundle, or the answer would hang on their order.";
    RESOLVE_NO_ROOT = "E-POLICY-032", Invalid, "no bundle defines the root scope",
        "Without the root of the organisation's tree there is no policy. Add the bundle that defines it, or correct the scope.";
    RESOLVE_NO_PACK = "E-POLICY-033", Invalid, "no bundle defines a pack",
        "A scope extends a pack that no bundle defines; resolving without it would drop its rules.";
    RESOLVE_CYCLE = "E-POLICY-034", Invalid, "scopes extend each other in a circle",
        "A pack cannot be above and below the same scope. Remove one of the `extends` that the message lists.";
    RESOLVE_NO_RULE = "E-POLICY-035", Invalid, "an override names a rule that does not exist",
        "The rule was renamed or removed, or its name is misspelt. Correct or remove the override.";
    RESOLVE_NOT_ABOVE = "E-POLICY-036", Invalid, "an override of a rule that is not inherited",
        "A scope may override rules of its ancestors and of the packs that it extends, and no others.";
    RESOLVE_NOT_PERMITTED = "E-POLICY-037", Invalid, "an override that the rule's author does not permit",
        "A rule says with `override` what descendants may do: `none`, `tighten` (a stricter effect or a raised mode) or `any`.";
    RESOLVE_NO_REASON = "E-POLICY-038", Invalid, "a loosening without a reason",
        "An override that asks for less than what it inherits says why. Add `reason`.";
    RESOLVE_LIMIT = "E-POLICY-039", Invalid, "the effective policy is too large",
        "Too many scopes take part. Extend fewer packs.";
    RESOLVE_DELEGATED = "E-POLICY-040", Untrusted, "a scope that belongs to other signers",
        "The trust root delegates a namespace around this scope to a publisher of its own, and only a bundle that they sign may \
         define it.";
    COMMAND_EMPTY = "E-POLICY-041", Invalid, "a command pattern that says nothing",
        "A `command:` pattern without `program`, flags, arguments, files or pipes would fit every command. Say what makes the command dangerous.";
    COMMAND_FLAG = "E-POLICY-042", Invalid, "a flag that no program of the pattern has",
        "Flags are written as on a command line (`-f`, `--force`, `-delete`) or by a name that the policy manual lists for the pattern's programs, such as `recursive`.";
    COMMAND_PROGRAM = "E-POLICY-043", Invalid, "a `program` that is not a program's name",
        "Programs are matched by their base name, in every directory and behind every wrapper, so a pattern names `rm`, never `/bin/rm` or `sudo rm`.";
    COMMAND_PIPE = "E-POLICY-044", Invalid, "a `pipes_into` that names no interpreter",
        "`pipes_into` is about output that another program runs. Name shells or interpreters, such as `sh`, `bash` or `python*`.";
    POLICY_RESERVED_ID = "E-POLICY-045", Invalid, "a rule id that is kept for catalogues",
        "Ids that begin with `catalog.` are those of the rules that a catalogue is lowered to. Choose another.";
    CATALOG_OPERATION = "E-POLICY-046", Invalid, "an operation that has no name of its own",
        "A catalogue describes each action once, and the ids of its operations and variants become part of rule ids: unique, of lower-case letters, \
         digits, `-`, `_` and `.`, and short enough for a rule id of 64 characters. Join the entries, or give them another `id`.";
    CATALOG_PATTERN = "E-POLICY-047", Invalid, "a dangerous pattern that cannot be read",
        "A pattern has an `id` of its own and either `regex` or `command`. A `regex` is one of the crate `regex` (no look-around, no \
         back-references), of limited size, and does not match the empty text.";
    CATALOG_TABLE = "E-POLICY-048", Invalid, "an answer that is weaker than it may be",
        "A catalogue's `table` may only tighten: each answer is at least the standard's, that to a lower risk, and, with dangerous arguments, \
         that to ordinary ones (`allow < audit < require_approval < deny`).";
    LINT_UNKNOWN_ACTION = "E-POLICY-049", Finding, "a rule about an action that a catalogue does not describe",
        "Where a catalogue refuses the actions that it does not describe, such an action is most often misspelt, and an `allow` of one never \
         permits. Correct the action, describe the operation, or set `unknown_operation: abstain`.";
    LINT_WEAKER_DANGER = "E-POLICY-054", Finding, "dangerous arguments get a weaker answer than ordinary ones",
        "An override changed the rule about ordinary arguments and not that about dangerous ones, or loosened the latter, so that whoever adds \
         something dangerous is asked for less. Override both.";
    DATA_NAME = "E-POLICY-050", Invalid, "a data file that conditions cannot name",
        "`data/a/b.yaml` or `.json` is `data.a.b` in a condition, so each name is a word of ASCII letters, digits and `_`, and stands for one thing.";
    DATA_JSON = "E-POLICY-051", Invalid, "a data file is not strict JSON",
        "Keys stand once in an object, numbers lie within ±(2^53 − 1), and nothing follows the value.";
    DATA_MISSING = "E-POLICY-052", Invalid, "a `when` reads data that no file defines",
        "A condition sees its own bundle's `data/` only. Add the file that the hint names, or correct the name.";
    DATA_LIMIT = "E-POLICY-053", Invalid, "too much data",
        "All files below `data/` together have caps on their number and bytes: whoever loads the policy reads them all.";
    LINT_SHADOWED = "E-POLICY-060", Finding, "a rule that never decides",
        "A rule of the same scope that is looked at first matches whatever this one matches.";
    LINT_VOID_ALLOW = "E-POLICY-061", Finding, "an allow that another scope's default denies",
        "A scope with `default: deny` has the last word on what may be allowed below it.";
    LINT_NEVER_MATCHES = "E-POLICY-062", Finding, "a rule that can never match",
        "Its conditions contradict each other.";
    LINT_LAPSES_SOON = "E-POLICY-063", Finding, "an override lapses within 30 days",
        "From that moment on, the rule counts as it was written. Renew the override, or prepare.";
    LINT_LAPSED = "E-POLICY-064", Finding, "an override has lapsed",
        "It is as if it were never written. Remove or renew it.";
    LINT_MIN_MODE = "E-POLICY-065", Finding, "`min_mode` is above the scope's own mode",
        "`min_mode` limits how far a consumer may lower modes; it does not raise them.";
    LINT_PAST = "E-POLICY-066", Finding, "a rule whose time is over",
        "Its `valid` ended, so it never counts again. Remove the rule, or give it a new `until`.";
    TEST_FILE_NAME = "E-POLICY-070", Invalid, "a policy test has another ending than `.yaml`",
        "Only `tests/**/*.yaml` is run, and a test that silently does not run proves nothing. Rename the file.";
    TEST_EXPECTS_NOTHING = "E-POLICY-071", Invalid, "a policy test that expects nothing",
        "A case that compares nothing passes whatever is decided. Give at least one field under `expect`, such as `effect`.";
    TEST_TWICE = "E-POLICY-072", Invalid, "two cases of one policy test have one name",
        "Reports name cases by file and name. Give one of the two another name.";
    TEST_REQUEST = "E-POLICY-073", Invalid, "the request of a policy test cannot be read",
        "The case's `request`, with what the file's `request` gives to all cases, is one of the three forms of request. `ordain request normalize` \
         shows how each is read.";
    TEST_NONE = "E-POLICY-074", Invalid, "there is no policy test",
        "`ordain policy test` runs the files `tests/**/*.yaml` of a bundle. That it found none is an error, so that a wrong directory does not pass.";
    TEST_FAILED = "E-POLICY-075", Finding, "a policy test fails",
        "The policy decides otherwise than the case expects. Find out which of the two is wrong: `ordain policy explain` shows how the request is decided.";
    TEST_COVERAGE = "E-POLICY-076", Finding, "too few rules match in any test",
        "`--min-coverage` asks that so many percent of the bundle's rules match in a test at least once. The report lists those that never do.";
    FORMAT_MEANING = "E-POLICY-077", Invalid, "formatting would change what the file says",
        "The formatted text does not read as the same document, or does not come to rest, so the file was left alone. Write the place in a plainer way, and \
         report the text.";
    FORMAT_NEEDED = "E-POLICY-078", Finding, "a file is not formatted",
        "Run `ordain policy fmt`, look at what changed, and sign the bundle again.";
    DIFF_LOOSENS = "E-POLICY-080", Finding, "a change of policy asks for less, or may",
        "`policy diff --fail-on loosening` found changes that let through, or may let through, what was held back before. The report lists them first. \
         Have them approved by whoever answers for the policy, or take them back.";
    DIFF_CHANGES = "E-POLICY-081", Finding, "the two states of policy differ",
        "`policy diff --fail-on change` found changes. The report lists them, those first that ask for less.";
    IMPACT_LOOSENS = "E-POLICY-082", Finding, "requests get a weaker answer, or may",
        "`policy impact --fail-on loosening` found requests that a change of policy answers more weakly, or of which what is on record does not tell. The \
         report lists the worst first. Have the change approved by whoever answers for the policy, or ask the open ones as whole requests with `--requests`.";
    IMPACT_FLIPS = "E-POLICY-083", Finding, "requests get another answer, or may",
        "`policy impact --fail-on flip` found requests that a change of policy answers otherwise, or of which what is on record does not tell.";
    BENCH_NO_REQUEST = "E-POLICY-090", Invalid, "there is no request to measure with",
        "`ordain bench` takes requests as `ordain eval` does, or policy tests. Without either it takes those of the bundle's own policy tests, and it has \
         none. Name a file of requests, best of some that were really asked.";
}
