//! Codes of the area `log`.

use super::{Code, Kind};

codes! {
    LOG_TRUNCATED = "E-LOG-001", Untrusted, "the log is shorter than its signed checkpoint",
        "Records that were signed are gone: lines were removed from the end, the file was deleted, or an older copy was restored. Keep the directory as evidence and compare it with a backup or an anchored checkpoint.";
    LOG_CHANGED = "E-LOG-002", Untrusted, "a record is not the one that was signed",
        "A line was edited, or the file mixed with another log's. `ordain log verify` names the first line that differs. Keep the directory as evidence.";
    LOG_SEQUENCE = "E-LOG-003", Untrusted, "records are missing, repeated or out of order",
        "Each record carries its place in `seq`; at the named line another one stands. A line was removed, inserted or moved.";
    LOG_LINE_MALFORMED = "E-LOG-004", Untrusted, "a line of the log is not a record",
        "The named line is not a JSON object with `v`, `seq` and `salt`, or it is too long. Nothing but `ordain` may write to the log.";
    LOG_CHECKPOINT_MISSING = "E-LOG-005", Untrusted, "the log has records and no checkpoint",
        "A checkpoint is signed before the first decision is logged, so the file `checkpoint` was deleted. Restore it from a backup; without it nothing shows that records are missing.";
    LOG_CHECKPOINT_MALFORMED = "E-LOG-006", Untrusted, "the checkpoint cannot be read",
        "The file `checkpoint` is not a signed note of the form that C2SP tlog-checkpoint describes. It is replaced in one step, so a crash does not do this.";
    LOG_CHECKPOINT_UNTRUSTED = "E-LOG-007", Untrusted, "the checkpoint is not signed by a trusted key",
        "Another key signed the log's checkpoint, or its signature does not match. If the log's key was changed, name the earlier verifier key under `log.earlier_keys` in `ordain.yaml`.";
    LOG_RECORD_TOO_LARGE = "E-LOG-008", Invalid, "a record is longer than 65535 bytes",
        "The decision cannot be recorded, so in `enforce` the answer is deny. It names every rule that matched: let fewer rules match one request, or shorten what names who asks and for what.";
    LOG_RECORD_SHAPE = "E-LOG-009", Internal, "a record has a shape that the log cannot hold",
        "A record must be a JSON object without the members `v`, `seq` and `salt`. This is a fault of the program: please report it.";
    LOG_WRITE = "E-LOG-010", Internal, "the log cannot be read or written",
        "The file system refused, often because the disk is full or the directory is not writable. Records count once the log says that they are written: where a batch is not known to be, the answer in `enforce` is deny, and `ordain log verify` tells what there is. Where the checkpoint alone failed, everything is recorded, and the next run signs it.";
    LOG_KEY = "E-LOG-011", Invalid, "a log name or verifier key is not valid",
        "A name has no spaces and no `+`; a verifier key has the form `name+id+key`, as `ordain log key` prints it.";
    LOG_TORN = "E-LOG-012", Finding, "the last line of the log is unfinished",
        "A process was stopped while it wrote. The line was never acknowledged; the next writer cuts it off, keeps its bytes in `torn-*`, and says so.";
    LOG_INDEX_DAMAGED = "E-LOG-013", Finding, "an index file of the log is damaged",
        "A tile or `frontier` differs from the records, which agree with the signed checkpoint. The records are sound; the index file is not.";
    LOG_KEY_MISSING = "E-LOG-014", Invalid, "this machine has no key for the log",
        "The key is made by the first `ordain eval` and kept in the state directory. If it was lost, the log goes on under a new \
         one once `log.earlier_keys` in `ordain.yaml` names the verifier key of the old one.";
    LOG_NONE = "E-LOG-015", Untrusted, "there is no log",
        "The directory holds no trace of one. Check the path, or `log.path` in `ordain.yaml`; the first `ordain eval` makes it. If there was one, \
         it was deleted or moved away: compare with a backup or an anchored checkpoint.";
}
