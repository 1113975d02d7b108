"""Verifies a signed-note checkpoint and the log below it, with nothing but SHA-256 and ed25519.

usage: verify_checkpoint.py CHECKPOINT PUBLIC_KEY LOG...

The key is an OpenSSH file, the logs are the JSON Lines segments in order. Prints origin, size and root.
"""

import base64
import hashlib
import pathlib
import sys

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key


def sha256(data):
    return hashlib.sha256(data).digest()


def root(leaves):
    """RFC 6962, section 2.1: split at the largest power of two below the count."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + root(leaves[:split]) + root(leaves[split:]))


def main(checkpoint, key, *logs):
    text, signatures = pathlib.Path(checkpoint).read_text().split("\n\n")
    text += "\n"
    origin, size, wanted = text.splitlines()[:3]
    key = load_ssh_public_key(pathlib.Path(key).read_bytes())
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    for line in signatures.splitlines():
        name, signature = line.removeprefix("\u2014 ").split(" ")
        signature = base64.b64decode(signature, validate=True)
        if signature[:4] == sha256(name.encode() + b"\n\x01" + raw)[:4]:
            key.verify(signature[4:], text.encode())
            break
    else:
        sys.exit("no signature by this key")
    lines = b"".join(pathlib.Path(log).read_bytes() for log in logs).splitlines(keepends=True)
    leaves = [sha256(b"\x00" + line.rstrip(b"\n")) for line in lines[: int(size)]]
    if len(leaves) != int(size) or base64.b64encode(root(leaves)).decode() != wanted:
        sys.exit("the log's lines have another root")
    print(origin, size, wanted)


main(*sys.argv[1:])
