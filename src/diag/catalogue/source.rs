//! Codes of the area `source`: URLs, fetching, what a bundle's directory may hold, the store, the machine's state.

use super::{Code, Kind};

codes! {
    SOURCE_URL_MALFORMED = "E-SOURCE-001", Invalid, "the URL is malformed",
        "Use `https://host/path`, `ssh://user@host/path`, `user@host:path`, `git://host/path`, `file:///path` or a path.";
    SOURCE_URL_REFUSED = "E-SOURCE-002", Invalid, "the URL could run a command",
        "Remote helpers (`ext::`), unknown schemes, and anything that begins with `-` are refused before a process or socket is opened.";
    SOURCE_URL_CREDENTIALS = "E-SOURCE-003", Invalid, "the URL holds credentials",
        "A URL is written to lockfiles and logs. Remove the user and password from it; use a git credential helper or an environment variable.";
    SOURCE_URL_INSECURE = "E-SOURCE-004", Invalid, "the URL is plain HTTP to another machine",
        "Use https. Plain HTTP reaches loopback addresses only, unless insecure HTTP is allowed explicitly.";
    SOURCE_REF_MALFORMED = "E-SOURCE-005", Invalid, "the ref is malformed",
        "Use a branch, a tag, `refs/heads/…`, `refs/tags/…`, `HEAD`, or a full commit id.";
    SOURCE_REF_NOT_FOUND = "E-SOURCE-006", Unavailable, "the repository has no such ref or commit",
        "Check the spelling with `git ls-remote URL`. Some servers do not serve a commit that no branch or tag points to: name a ref instead.";
    SOURCE_REF_AMBIGUOUS = "E-SOURCE-007", Invalid, "the name is both a tag and a branch",
        "Write it in full, as `refs/tags/NAME` or `refs/heads/NAME`.";
    SOURCE_NOT_A_COMMIT = "E-SOURCE-008", Invalid, "the ref does not lead to a commit",
        "A tag may point to a tree or file. Name a ref that leads to a commit.";
    SOURCE_PATH_NOT_FOUND = "E-SOURCE-009", Invalid, "the commit has no such directory",
        "The `path` of a bundle is a directory within the repository, relative to its root. Check it with `git ls-tree`.";
    SOURCE_UNREACHABLE = "E-SOURCE-010", Unavailable, "the repository cannot be reached",
        "The server could not be reached or refused the request; the message holds what it said. Check the URL, the network and your access.";
    SOURCE_TIMEOUT = "E-SOURCE-011", Unavailable, "the server took too long",
        "The server fell silent or sent too slowly. Try again; raise the limits if the repository is large.";
    SOURCE_AUTHENTICATION = "E-SOURCE-012", Unavailable, "the server wants other credentials",
        "For https use a git credential helper or the environment variable of the documentation; for ssh load a key into `ssh-agent`. Never put credentials into the URL.";
    SOURCE_INCOMPLETE = "E-SOURCE-013", Unavailable, "the server did not send what it promised",
        "An object of the commit is missing or is not what its id says, even after a fresh fetch. The repository on the server is damaged: run `git fsck` there.";
    SOURCE_FETCH_LIMIT = "E-SOURCE-014", Unavailable, "the server sent more than the limit",
        "Fetching stops at a cap on bytes, whatever the server has. Raise the limit if the repository is that large.";
    SOURCE_INTERRUPTED = "E-SOURCE-015", Unavailable, "interrupted",
        "Nothing was changed. Run the command again.";
    SOURCE_OFFLINE = "E-SOURCE-016", Unavailable, "not in the cache, and the network is forbidden",
        "Run the command once without `--offline` or `--frozen`.";
    SOURCE_REDIRECT = "E-SOURCE-017", Unavailable, "the server redirects to another host",
        "Redirects are followed on the same host only. Write the URL that it redirects to, if you trust it.";
    SOURCE_PROGRAM_MISSING = "E-SOURCE-018", Unavailable, "a program is missing",
        "`ssh` serves ssh URLs, `git` serves file URLs. Install it, or use another transport.";
    SOURCE_CACHE = "E-SOURCE-019", Internal, "the cache cannot be used",
        "Check that the cache directory exists, belongs to you, and has space left. It may be deleted at any time.";
    SOURCE_NOT_A_REPOSITORY = "E-SOURCE-020", Invalid, "there is no Git repository at the path",
        "Name the directory of a repository, bare or not. `bundle verify` also takes a plain directory that holds a bundle; `eval` and `policy resolve` try one out with `--unsigned-dir`.";
    SOURCE_CORRUPT = "E-SOURCE-021", Untrusted, "an object of the repository is not what its id says",
        "The repository on this machine is damaged or was tampered with: run `git fsck` in it.";
    SOURCE_SYMLINK = "E-SOURCE-030", Untrusted, "the bundle holds a symbolic link",
        "A bundle holds plain files only. Replace the link by the file that it points to.";
    SOURCE_EXECUTABLE = "E-SOURCE-031", Untrusted, "the bundle holds an executable file",
        "A bundle holds plain files only. Run `chmod -x` on it, and commit.";
    SOURCE_GITLINK = "E-SOURCE-032", Untrusted, "the bundle holds a submodule",
        "A submodule's files are not covered by the signature. Copy them into the bundle.";
    SOURCE_SPECIAL_FILE = "E-SOURCE-033", Untrusted, "the bundle holds a file of another kind",
        "Only plain files and directories, with the modes that Git writes, are accepted.";
    SOURCE_TREE_ORDER = "E-SOURCE-034", Untrusted, "a Git tree is unsorted or names an entry twice",
        "Readers disagree on what such a tree holds. Git does not write it; the commit was made to confuse.";
    SOURCE_NAME_REFUSED = "E-SOURCE-035", Untrusted, "a file name is not safe on every file system",
        "Rename the file: UTF-8 in NFC, no control or bidirectional characters, nothing that Git or Windows reserves.";
    SOURCE_NAME_TWINS = "E-SOURCE-036", Untrusted, "two file names are one on some file systems",
        "Rename one of the files, so that they differ by more than case or normalisation.";
    SOURCE_LIMIT = "E-SOURCE-037", Untrusted, "the bundle passes a limit",
        "Caps on files, bytes, depth and objects hold before anything is trusted. Split the bundle, or raise the limit.";
    SOURCE_DIRECTORY = "E-SOURCE-038", Unavailable, "the directory cannot be read",
        "Check that it exists and that you may read all of it.";
    SOURCE_STORE = "E-SOURCE-040", Internal, "the bundle store cannot be used",
        "Check that the cache directory exists, belongs to you, and has space left. A damaged entry may be deleted; the next pull writes it again.";
    SOURCE_STORE_DAMAGED = "E-SOURCE-041", Untrusted, "an entry of the bundle store is damaged",
        "The stored file is not what was written. Delete it, and pull again.";
    SOURCE_STATE = "E-SOURCE-042", Internal, "the machine's state cannot be used",
        "Check that the state directory exists, belongs to you, and has space left.";
    SOURCE_STATE_UNSAFE = "E-SOURCE-043", Untrusted, "others could change the machine's state",
        "The state is a link, or may be written by others. Run `chmod go-w` on it, or remove the link.";
    SOURCE_STATE_DAMAGED = "E-SOURCE-044", Untrusted, "the machine's state is damaged",
        "The file is not what this program writes. Restore it from a backup; removing it forgets the revisions seen, and so the protection from rollback.";
    SOURCE_ROLLBACK = "E-SOURCE-045", Untrusted, "older than what this machine has seen",
        "Policy never goes back. The source was rolled back, or the state is of another one; a deliberate step back raises the role's epoch in the trust root.";
    TRANSFER_FILE = "E-SOURCE-050", Invalid, "the export cannot be read or written",
        "Check the name, the permissions and the free space. It is a plain file that `ordain bundle export` wrote.";
    TRANSFER_DAMAGED = "E-SOURCE-051", Untrusted, "the export is damaged",
        "It is cut short, was added to, or was not written by `ordain bundle export`. Carry it over again; compare its SHA-256 on both sides.";
    TRANSFER_LIMIT = "E-SOURCE-052", Untrusted, "the export passes a limit",
        "Too large a file, or too many roots or bundles. Export the bundles in several files: `ordain bundle export NAME …`.";
    TRANSFER_LACKS = "E-SOURCE-053", Unavailable, "the export lacks a bundle",
        "A bundle of `ordain.yaml` is neither in the file nor active here. Export it too.";
}
