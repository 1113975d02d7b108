//! Codes of the area `config`: usage, configuration, lockfile, files of the user.

use super::{Code, Kind};

codes! {
    USAGE = "E-CONFIG-001", Invalid, "the command line or environment is not valid",
        "See `ordain help` for the command's arguments.";
    CONFIG_MISSING = "E-CONFIG-002", Invalid, "there is no configuration",
        "Write `ordain.yaml` (docs/cli.md shows one), or name a file with `--config`.";
    CONFIG_UNREADABLE = "E-CONFIG-003", Invalid, "the configuration cannot be read",
        "Check that the file is there and that you may read it.";
    CONFIG_INVALID = "E-CONFIG-004", Invalid, "the configuration is not valid",
        "docs/cli.md lists the members of `ordain.yaml`.";
    LOCK_IO = "E-CONFIG-005", Internal, "the lockfile cannot be read or written",
        "Check the permissions of `ordain.lock` and its directory. The old lockfile stands.";
    LOCK_INVALID = "E-CONFIG-006", Invalid, "the lockfile is not valid",
        "`ordain.lock` holds a merge conflict or was edited by hand. Resolve it, or delete it and run `ordain bundle pull`; \
         this machine's high-water marks still keep policy from going back.";
    LOCK_MISSING = "E-CONFIG-007", Invalid, "`--locked` and there is no lockfile entry",
        "Run `ordain bundle pull` without `--locked`, and commit `ordain.lock`. Under `CI`, `--locked` is the default.";
    LOCK_CHANGED = "E-CONFIG-008", Untrusted, "the lockfile would change",
        "`--locked` allows only what `ordain.lock` says. Run `ordain bundle pull` without `--locked`, review and commit the change.";
    FILE_UNREADABLE = "E-CONFIG-009", Invalid, "a file cannot be read",
        "Check the name, and that you may read it.";
    FILE_UNWRITABLE = "E-CONFIG-010", Internal, "a file cannot be written",
        "Check the directory's permissions and the free space.";
    FILE_EXISTS = "E-CONFIG-011", Invalid, "the file is there already",
        "Nothing was overwritten. Choose another name, or move the file away.";
    OUTPUT = "E-CONFIG-012", Internal, "the output cannot be written",
        "Check the free space of where standard output goes.";
    HOME = "E-CONFIG-013", Invalid, "there is no home directory",
        "Set `HOME`, or `ORDAIN_CACHE_DIR` and `ORDAIN_STATE_DIR`, to absolute paths.";
    STATE_CLOCK = "E-CONFIG-014", Untrusted, "the clock went backwards",
        "This machine has seen a later time. Set the clock right; expiry cannot be checked with a clock that goes back.";
    FINGERPRINT_NEEDED = "E-CONFIG-015", Invalid, "the trust root's fingerprint is needed",
        "Without a fingerprint from a second channel, whoever wrote the trust root could be anyone. Write it as `fingerprint` under `trust` in \
         `ordain.yaml`, give `--fingerprint`, or run `ordain trust confirm sha256:…`. On a terminal, `ordain bundle pull --tofu` trusts the \
         first root it is shown until someone confirms it. `ordain trust show --fingerprint` prints the one of a root you made yourself.";
    INTERRUPTED = "E-CONFIG-016", Internal, "interrupted",
        "Nothing was changed. Run the command again.";
    UNSIGNED = "E-CONFIG-017", Untrusted, "an unsigned policy under CI",
        "A directory that nobody signed is for authors who try policy out; it never enforces under CI.";
    FIRST_USE_REFUSED = "E-CONFIG-030", Untrusted, "trust on first use where nobody looks",
        "`--tofu` takes the first trust root it is shown, so a person must see which one: it is refused under CI and without a terminal. \
         Write the fingerprint into `ordain.yaml`, or run `ordain trust confirm sha256:…` first.";
    UNCONFIRMED = "E-CONFIG-031", Finding, "the trust root is unconfirmed",
        "It was trusted on first use. Ask its owners for the fingerprint by another way than its repository, and run `ordain trust confirm sha256:…` with it.";
}
