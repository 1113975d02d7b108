//! Codes of the area `trust`: keys, envelopes, trust roots, statements, verification.

use super::{Code, Kind};

codes! {
    ENVELOPE_MISSING = "E-TRUST-001", Untrusted, "the bundle has no signature envelope",
        "`bundle.dsse.json` is missing. Nothing makes a signature optional: ask the bundle's publisher to run `ordain bundle sign`.";
    ENVELOPE_TOO_LARGE = "E-TRUST-002", Untrusted, "the envelope is too large",
        "An envelope or trust root beyond 16 MiB is not read. A bundle of that many files should be split.";
    ENVELOPE_JSON = "E-TRUST-003", Untrusted, "the envelope is not strict JSON",
        "The envelope must be I-JSON: no duplicate keys, byte order mark, trailing bytes or numbers beyond 2^53. Sign the bundle again.";
    ENVELOPE_SHAPE = "E-TRUST-004", Untrusted, "the envelope does not have DSSE's shape",
        "An envelope has the members `payload`, `payloadType` and `signatures` (DSSE v1.0.2). Sign the bundle again.";
    ENVELOPE_BASE64 = "E-TRUST-005", Untrusted, "the envelope holds base64 that is not canonical",
        "`payload` and each `sig` are standard or URL-safe base64 with canonical padding, without white space. Sign the bundle again.";
    ENVELOPE_NO_SIGNATURES = "E-TRUST-006", Untrusted, "the envelope has no signatures",
        "An empty list of signatures is no signature. Sign the bundle with `ordain bundle sign`.";
    ENVELOPE_TOO_MANY_SIGNATURES = "E-TRUST-007", Untrusted, "the envelope has too many signatures",
        "At most 64 signatures are read, since each costs time. Remove the ones that no role needs.";
    ENVELOPE_SIGNATURE_LENGTH = "E-TRUST-008", Untrusted, "a signature has the wrong length",
        "An ed25519 signature has 64 bytes. Sign the bundle again with an ed25519 key.";
    THRESHOLD = "E-TRUST-009", Untrusted, "too few signatures",
        "The role that publishes needs more of its members to sign this very revision. Ask one of the missing members to run `ordain bundle sign`, then pull again. A signature by a revoked key, by a stranger, or twice by one person does not count.";
    NO_PUBLISHER = "E-TRUST-010", Untrusted, "the trust root has no publisher",
        "No role of the trust root may sign bundles. Make a root with a publisher: `ordain trust init --namespace …` or `ordain trust rotate --publisher …`.";
    PAYLOAD_TYPE = "E-TRUST-011", Untrusted, "the signed payload is of another type",
        "The signatures are valid, but for something that is no bundle statement. Someone may have moved an envelope from elsewhere.";
    STATEMENT_JSON = "E-TRUST-012", Untrusted, "the statement is not strict JSON",
        "The signed statement must be I-JSON. The signer's tool made something that two readers could read differently.";
    STATEMENT_SHAPE = "E-TRUST-013", Untrusted, "the statement does not have the right shape",
        "See docs/bundle-format.md for the members of a statement. A program of another version may have made it.";
    STATEMENT_TYPE = "E-TRUST-014", Untrusted, "the statement is of another type",
        "Only in-toto Statements v1 are read.";
    STATEMENT_PREDICATE_TYPE = "E-TRUST-015", Untrusted, "the statement's predicate is of another type",
        "The statement is in-toto's, but not about a policy bundle. Someone may have moved it from elsewhere.";
    STATEMENT_SUBJECTS = "E-TRUST-016", Untrusted, "the statement's subjects are out of order or repeated",
        "Subjects are sorted by the bytes of their names, unique, and never the envelope itself. Sign the bundle again.";
    WRONG_BUNDLE = "E-TRUST-017", Untrusted, "the statement is about another bundle",
        "The signatures are valid, but for a bundle of another name. Compare the name in `ordain.yaml` with the URL and path.";
    WRONG_NAMESPACE = "E-TRUST-018", Untrusted, "the signers do not speak for the namespace",
        "A signer speaks only for what the trust root delegates to them. The role that owns the namespace must sign.";
    WRONG_EPOCH = "E-TRUST-019", Untrusted, "the statement is of another epoch",
        "The trust root raised the role's epoch, so older statements no longer count. Sign a revision of the new epoch, `ordain bundle sign --epoch N`, or update the trust root.";
    ROLLBACK = "E-TRUST-020", Untrusted, "an older revision than one accepted before",
        "Policy never goes back. The repository or its mirror may serve old content; if the step back is meant, its signers sign the older contents as a new revision: `ordain bundle sign --rollback-to EPOCH.REVISION`.";
    EQUIVOCATION = "E-TRUST-021", Untrusted, "two statements under one revision",
        "The signers signed two different contents under one revision, or a key was stolen. Both digests are named; ask the signers, and sign a new revision.";
    FUTURE_DATED = "E-TRUST-022", Untrusted, "the statement is issued in the future",
        "More than five minutes ahead of this machine's clock. Compare the clocks.";
    EXPIRED = "E-TRUST-023", Untrusted, "the statement has expired",
        "Its signers must renew it: `ordain bundle sign --renew --expires 90d`.";
    TOO_OLD = "E-TRUST-024", Untrusted, "the statement is older than `max_age`",
        "The consumer's `max_age` is shorter than the signer's expiry. Pull again, or ask for a newer revision.";
    REVOKED = "E-TRUST-025", Untrusted, "the revision is revoked",
        "The trust root revokes this statement or its revision. Pull a newer one.";
    UNLISTED_FILE = "E-TRUST-026", Untrusted, "a file that nobody signed",
        "Every file of the bundle's directory must be in the signed statement. Remove the file, or sign the bundle again.";
    MISSING_FILE = "E-TRUST-027", Untrusted, "a signed file is missing",
        "The directory lacks a file of the statement. Restore it, or sign the bundle again.";
    FILE_DIGEST = "E-TRUST-028", Untrusted, "a file's content is not what was signed",
        "The bytes differ from the signed digest. Restore the file, or sign the bundle again. Line-ending conversion is a common cause: keep `* -text` in `.gitattributes`.";
    MANIFEST = "E-TRUST-029", Invalid, "the manifest is not valid",
        "`bundle.yaml` has `apiVersion: ordain/v1`, `kind: Bundle`, `name`, `version`, `namespace` and, if wanted, `description`.";
    MANIFEST_MISSING = "E-TRUST-030", Untrusted, "the bundle has no manifest",
        "Every bundle has a `bundle.yaml` at its top. Check the `path` in `ordain.yaml`; `ordain bundle new` makes one.";
    MANIFEST_DIFFERS = "E-TRUST-031", Untrusted, "the manifest and the signed statement differ",
        "The statement repeats the manifest's name, version and namespace. Sign the bundle again.";
    KEY_FORMAT = "E-TRUST-032", Invalid, "not a public key",
        "Give an OpenSSH line (`ssh-ed25519 AAAA…`) or a PEM `PUBLIC KEY`.";
    KEY_ALGORITHM = "E-TRUST-033", Invalid, "a key of another algorithm",
        "Only ed25519 keys are accepted: no RSA, ECDSA, DSA or FIDO (`sk-…`) key, and no certificate. Make one with `ordain key generate`.";
    KEY_WEAK = "E-TRUST-034", Untrusted, "a weak key",
        "A point of low order: anyone can forge signatures under it. Someone may have planted it.";
    KEY_NOT_A_POINT = "E-TRUST-035", Invalid, "not a point of the curve",
        "The 32 bytes are not the canonical encoding of an ed25519 public key.";
    PRIVATE_KEY_FORMAT = "E-TRUST-036", Invalid, "not a private key",
        "Give an OpenSSH or PKCS#8 PEM private key, as `ordain key generate`, `ssh-keygen -t ed25519` or `openssl genpkey -algorithm ed25519` write it.";
    PASSPHRASE = "E-TRUST-037", Invalid, "the passphrase is missing or wrong",
        "Run the command on a terminal to be asked, set `ORDAIN_KEY_PASSPHRASE`, or name a program that asks in `ORDAIN_ASKPASS`. A key that ssh-agent holds needs none: `--key agent:…`.";
    RANDOM = "E-TRUST-038", Internal, "no random bytes",
        "The operating system gave no random bytes.";
    SIGN_EXPIRY = "E-TRUST-039", Invalid, "a new revision needs an expiry",
        "Every statement expires. Give `--expires 90d`, or as long as you want old content to count.";
    SIGN_REVISION = "E-TRUST-040", Invalid, "the revision does not grow",
        "A revision is above the last one. Leave `--revision` out to get the next.";
    ROOT_MISSING = "E-TRUST-041", Untrusted, "there is no trust root",
        "The trust directory has no `1.root.json`. Get it from whoever runs the trust root, or make one with `ordain trust init`.";
    ROOT_FINGERPRINT = "E-TRUST-042", Untrusted, "the trust root is not the pinned one",
        "The fingerprint in `ordain.yaml` or on the command line is of another root. Ask its owners, by another way than the repository, which one is right.";
    ROOT_JSON = "E-TRUST-043", Untrusted, "the trust root is not strict JSON",
        "The signed document must be I-JSON.";
    ROOT_SHAPE = "E-TRUST-044", Untrusted, "the trust root does not have the right shape",
        "See docs/bundle-format.md for its members.";
    ROOT_PAYLOAD_TYPE = "E-TRUST-045", Untrusted, "the trust root is a payload of another type",
        "The file is an envelope of something else.";
    ROOT_VERSION = "E-TRUST-046", Untrusted, "the trust roots do not follow one another",
        "Versions step by exactly one, each in its own file, `1.root.json`, `2.root.json` and so on.";
    ROOT_UNSIGNED = "E-TRUST-047", Untrusted, "the trust root lacks signatures",
        "A root needs the signatures of its own `root` role and of the one before it. Let the missing members run `ordain trust sign`.";
    ROOT_EXPIRED = "E-TRUST-048", Untrusted, "the trust root has expired",
        "Its owners must publish the next version.";
    ROOT_ROLLBACK = "E-TRUST-049", Untrusted, "an older trust root than this machine has seen",
        "Later roots have gone missing. Restore them in the trust directory, or pull with the network allowed and their repository named as `trust.git`.";
    ROOT_RULES = "E-TRUST-050", Untrusted, "the trust root breaks a rule",
        "Roles name principals that have keys, there is a `root` role, publishers list their namespace, the numbers stay within bounds, and no role goes back to an earlier epoch.";
    ROOT_SHARED_KEY = "E-TRUST-051", Untrusted, "one key stands twice in the trust root",
        "A key belongs to one principal, once: shared, it would count as two people.";
    ROOT_THRESHOLD = "E-TRUST-052", Untrusted, "a threshold that cannot be met",
        "A threshold is at least 1 and at most the number of members.";
    ROOT_OVERLAP = "E-TRUST-053", Untrusted, "two publishers share a namespace",
        "A namespace belongs to one publisher. Delegate a deeper one instead.";
    REQUIRES_MISSING = "E-TRUST-054", Untrusted, "a required bundle is not configured",
        "A bundle was written against another one that `ordain.yaml` does not list. Add it.";
    REQUIRES_UNMET = "E-TRUST-055", Untrusted, "a required bundle is too old",
        "A bundle was written against a newer revision of another one than is there. Pull again; if it stays, the other bundle's publisher is behind.";
    REQUIRES_CYCLE = "E-TRUST-056", Untrusted, "bundles require one another in a circle",
        "Their publishers must break the circle.";
    KEY_VARIABLE = "E-TRUST-057", Invalid, "no key in the environment variable",
        "`--key env:NAME` reads a private key from the variable NAME, which is not set, or is empty. Under CI, check that the job may see the secret.";
    AGENT_MISSING = "E-TRUST-058", Invalid, "there is no ssh-agent",
        "`--key agent:…` asks the agent at `SSH_AUTH_SOCK`. Start one (`eval \"$(ssh-agent)\"`), add the key with `ssh-add`, and run the command there.";
    AGENT_KEY = "E-TRUST-059", Invalid, "ssh-agent does not hold the key",
        "`ssh-add -l` and `ordain key list --agent` print what the agent holds; `ssh-add FILE` adds a key. Where several keys have one comment, name the key by its fingerprint. FIDO keys (`sk-…`) cannot sign bundles: they sign a counter of their own along with the bytes.";
    AGENT_ANSWER = "E-TRUST-060", Unavailable, "ssh-agent gave no usable answer",
        "It refused, was silent, or answered something that is no SSH agent's answer. A key added with `ssh-add -c` waits for a confirmation; `ORDAIN_KEY_TIMEOUT` says how long to wait.";
    SIGNER_PROGRAM = "E-TRUST-061", Unavailable, "the external signer failed",
        "The program of `--key command:…` could not be started, failed, took too long or answered too much. docs/keys.md says what it is asked and what it must answer.";
    SIGNATURE_WRONG = "E-TRUST-062", Untrusted, "what came back is no signature by the key",
        "Every signature is checked before it is kept. The agent or the signer holds another key than it says, signs something else, or is broken.";
    ASKPASS = "E-TRUST-063", Invalid, "the askpass program gave no passphrase",
        "`ORDAIN_ASKPASS`, or `SSH_ASKPASS` where there is no terminal, names a program that prints the passphrase. It could not be started, failed, took too long, or was cancelled.";
    SSHSIG_FORMAT = "E-TRUST-064", Untrusted, "not an SSH signature",
        "Give the armored file that `ordain bundle ssh-sign` or `ssh-keygen -Y sign` wrote.";
    SSHSIG_NAMESPACE = "E-TRUST-065", Untrusted, "the SSH signature is for another namespace",
        "A signature for one purpose counts for no other. A bundle's statement is signed in the namespace `bundle@ordain.dev`.";
    SSHSIG_MISMATCH = "E-TRUST-066", Untrusted, "the SSH signature does not fit",
        "The bytes are not those that were signed, or the signature was changed. Compare the digests, and get both files again.";
    SSHSIG_SIGNER = "E-TRUST-067", Untrusted, "the SSH signature is by nobody who may sign",
        "The key is nobody's in the trust root, or its owner is not a member of the role that speaks for the namespace.";
    SSHSIG_REVOKED = "E-TRUST-068", Untrusted, "the SSH signature is by a revoked key",
        "A revoked key's signatures do not count, whatever date they claim. Another member must sign.";
    SSHSIG_KEY = "E-TRUST-069", Untrusted, "the SSH signature is by a key that is not accepted",
        "Only ed25519 keys count: no RSA, ECDSA, DSA, FIDO (`sk-…`) or certificate.";
    SIGN_CHANGED = "E-TRUST-070", Invalid, "the files are not those of the statement",
        "The bundle changed after its last revision was signed. Run `ordain bundle sign` first, so that the statement says what the files are.";
    SIGN_ROLLBACK = "E-TRUST-080", Invalid, "the files are not those of the older revision",
        "`--rollback-to` signs the contents of an older revision again. Restore its files, all of them and no others, keep the newest `bundle.dsse.json`, \
         and give the older envelope with `--rollback-from` where this machine's store does not hold it.";
    ROOT_EQUIVOCATION = "E-TRUST-081", Untrusted, "two trust roots of one version",
        "Root N is one document for everyone. Someone signed two, or serves another than was walked before: both digests are named. Ask the root's owners which one is theirs.";
    CONFIRM_MISMATCH = "E-TRUST-082", Untrusted, "the fingerprint is not that of the trust root in use",
        "The root that this machine was shown is not the one whose fingerprint you were told by another way. Nothing is decided with it any more. \
         Find out who is wrong; then run `ordain trust confirm` with the right fingerprint.";
    GIT_EVIDENCE_MISSING = "E-TRUST-090", Untrusted, "the bundle comes without its Git objects",
        "Its role requires a Git signature, which lies in the commit or tag: verify the bundle from its repository, not from a directory. A bundle that was kept by an older version is fetched again.";
    GIT_UNSIGNED = "E-TRUST-091", Untrusted, "the commit or tag is not signed",
        "Its role requires a Git signature. Publishers commit with `git commit -S` or tag with `git tag -s`, both with `gpg.format=ssh`; where the tag's is required, consumers name it in `ref`.";
    GIT_SIGNATURE_KIND = "E-TRUST-092", Untrusted, "a Git signature of another kind",
        "Only SSH signatures by plain ed25519 keys count: no OpenPGP, no X.509, no certificates, no security keys. Set `gpg.format=ssh` and sign again.";
    GIT_SIGNATURE_INVALID = "E-TRUST-093", Untrusted, "the Git signature is not valid",
        "The commit or tag is not what was signed: it may have been amended, or its signature taken from another one. Sign it again.";
    GIT_SIGNER = "E-TRUST-094", Untrusted, "the Git signature is of the wrong key",
        "It counts when it is made by a member of the role, with a key of the trust root that is not revoked, whatever date it carries.";
    GIT_TAG_MOVED = "E-TRUST-095", Untrusted, "the tag object belongs to another ref or commit",
        "A signed tag counts under its own name, and for the commit it points at. Someone may have pointed a ref at another tag; tag the commit itself, under this name.";
    GIT_OBJECT = "E-TRUST-096", Untrusted, "the Git objects do not fit the bundle",
        "The commit or tag does not read as Git writes it, carries two signatures, or leads to other files than these. Fetch again; if it stays, someone made it by hand.";
    ROOT_EDIT = "E-TRUST-110", Invalid, "the change to the trust root cannot be made",
        "It names what is not there, or contradicts itself. `ordain trust show` prints the last root with its principals, keys and roles.";
    ROOT_EDIT_EXPIRED = "E-TRUST-111", Invalid, "the next trust root would be expired",
        "The expiry that would be kept is past. Give a new one with `--expires 1y`.";
    ROOT_UNCHANGED = "E-TRUST-112", Invalid, "the next trust root would say the same",
        "No change was asked for, or it is in force already. To extend the expiry alone, give `--renew`.";
    ROOT_STILL_NEEDED = "E-TRUST-113", Invalid, "a principal is still needed",
        "Without them a role could not reach its threshold. Name other members for the role, or a lower threshold, in the same command.";
    ROOT_UNREACHABLE = "E-TRUST-114", Invalid, "a role could no longer reach its threshold",
        "Too few of its members would have a key that is not revoked. Revoke the key and give its owner a new one in one rotation: `ordain trust rotate --revoke-key … --principal NAME=NEW.pub --expires …`.";
    ROOT_STRANGER = "E-TRUST-115", Invalid, "the key's signature would not count",
        "It belongs to nobody in this trust root and the one before it, or it is revoked. `ordain trust show` prints whose keys count; the root before must lie beside the one to sign.";
    ROOT_OTHER_PAYLOAD = "E-TRUST-116", Untrusted, "signatures over another trust root",
        "Signatures are merged only where both files hold the same payload. Two people may have made the same version with different changes: agree on one of them, and sign that.";
    ALLOWED_SIGNERS = "E-TRUST-118", Invalid, "the allowed_signers file cannot be used",
        "See ssh-keygen(1), ALLOWED SIGNERS: each line is `principals [options] ssh-ed25519 AAAA…`. Principals must be names, or addresses that begin with one.";
    SIGN_COSIGN = "E-TRUST-119", Invalid, "the statement to co-sign says something else",
        "The files are as the existing `bundle.dsse.json` says, so its statement would be co-signed as it is. Leave out what it contradicts, or begin a new revision with `--renew`.";
    SIGN_UNASKED = "E-TRUST-120", Invalid, "a revision so high must be asked for",
        "The existing `bundle.dsse.json` is not verified before it is signed, and whoever put it there may want the revisions used up. Look where it comes from (`git log`, `ordain bundle verify`); if the number is meant, give it with `--revision`.";
    ROOT_DIRECTORY_STALE = "E-TRUST-121", Invalid, "the directory of trust roots is behind",
        "This machine has verified a later root than the directory holds. The next root built on the directory would be a second one of its version, which nobody accepts. Bring the directory up to date first.";
}
