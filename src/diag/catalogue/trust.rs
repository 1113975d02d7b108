//! Codes of the area `trust`: keys, envelopes, trust roots, statements, verification.

use super::{Code, Kind};

codes! {
    ENVELOPE_MISSING = "E-TRUST-001", Untrusted, "the bundle has no signature envelope",
        "`bundle.dsse.json` is missing. Nothing makes a signature optional: ask the bundle's publisher to run `ordain bundle sign`.";
}
