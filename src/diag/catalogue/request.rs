//! Codes of the area `request`: one request, and the files that hold many.

use super::{Code, Kind};

codes! {
    REQUEST_JSON = "E-REQUEST-001", Invalid, "the request is not strict JSON",
        "Two readers must never see two requests in one text, so duplicate keys, integers beyond 2^53 − 1, lone surrogates, nesting beyond 64 levels and bytes after the end are refused. Write such numbers as strings.";
    REQUEST_TOO_LARGE = "E-REQUEST-002", Invalid, "the request is larger than the limit",
        "A request may hold 1 MiB unless configured otherwise. Send a digest or a path instead of the content itself.";
    REQUEST_NOT_AN_OBJECT = "E-REQUEST-003", Invalid, "the request is not a JSON object",
        "Give one object for each request: `{\"subject\": …, \"action\": …, \"resource\": …, \"context\": …}`, or one of the two short forms.";
    REQUEST_UNRECOGNISED = "E-REQUEST-004", Invalid, "the request has none of the known forms",
        "A request has `subject`, `action` and `resource` (OpenID AuthZEN), or `operation`, `client` and `server` (an MCP configuration operation), or `tool` and `caller` (an administrative tool call).";
    REQUEST_MIXED = "E-REQUEST-005", Invalid, "the request mixes two forms",
        "Which members would win is anyone's guess, so none do. Send one form; what a short form cannot say, say in the AuthZEN form.";
    REQUEST_UNKNOWN_MEMBER = "E-REQUEST-006", Invalid, "the request has a member that its form does not define",
        "A member that no rule can see is a rule passed by. Correct its spelling, or put it under `properties` or `context`.";
    REQUEST_MISSING_MEMBER = "E-REQUEST-007", Invalid, "the request lacks a member",
        "Add the member that the message names.";
    REQUEST_WRONG_TYPE = "E-REQUEST-008", Invalid, "a member of the request has the wrong type",
        "Give the type that the message names; `null` is not the same as leaving a member out.";
    REQUEST_EMPTY = "E-REQUEST-009", Invalid, "a name in the request is empty",
        "Types, ids and names hold at least one character that is not white space.";
    REQUEST_KEY_COLLISION = "E-REQUEST-010", Invalid, "two keys of the request are one after Unicode normalisation",
        "Texts are compared in normalisation form C, in which the two keys are equal. Keep one of them.";
    REQUEST_UNKNOWN_OPERATION = "E-REQUEST-011", Invalid, "the request names an unknown configuration operation",
        "The operations are `configure_server`, `remove_server`, `restore` and `apply_stack`. Anything else is a tool call or takes the AuthZEN form.";
    INPUT_UNREADABLE = "E-REQUEST-012", Invalid, "the requests cannot be read",
        "The operating system refused; the message says why.";
    INPUT_BYTE_ORDER_MARK = "E-REQUEST-013", Invalid, "the requests begin with a byte order mark",
        "Save the file as UTF-8 without a byte order mark.";
    INPUT_CUT_OFF = "E-REQUEST-014", Invalid, "a request is cut off",
        "The request that begins on the named line is never closed. In JSON Lines each request stands whole on its own line.";
    INPUT_BROKEN_ARRAY = "E-REQUEST-015", Invalid, "the array of requests is broken",
        "Where one element of an array ends is known only while its brackets and commas are right, so reading stops there. JSON Lines do not have this weakness.";
    INPUT_TRAILING_BYTES = "E-REQUEST-016", Invalid, "bytes follow the array of requests",
        "A file holds one array, or JSON Lines. Remove what follows the closing bracket.";
    INPUT_EMPTY = "E-REQUEST-017", Invalid, "there is no request",
        "The input is empty or blank, most likely since the program that should have written it failed. An empty batch is written `[]`.";
    REQUEST_HIDDEN = "E-REQUEST-019", Invalid, "a name in the request holds a character that hides what it is",
        "Types, ids and names hold no control characters, none that cannot be seen, and none that change the direction of writing: two names that look \
         the same to whoever approves must not be two to the rules. Send the name without it. What stands under `properties` and `context` may hold anything.";
}
