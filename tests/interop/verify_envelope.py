"""Verifies a DSSE envelope with securesystemslib.

usage: verify_envelope.py ENVELOPE THRESHOLD PUBLIC_KEY...

Public keys are OpenSSH files. Prints the payload; ends with 1 and a line on stderr when the threshold is not met.
"""

import base64
import hashlib
import json
import pathlib
import sys

from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey


def public_key(path):
    """The key under its OpenSSH fingerprint: the library compares keyids before it tries a key."""
    line = pathlib.Path(path).read_bytes()
    blob = base64.b64decode(line.split()[1])
    keyid = "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return SSlibKey.from_crypto(load_ssh_public_key(line), keyid=keyid)


def main(envelope, threshold, *keys):
    envelope = Envelope.from_dict(json.loads(pathlib.Path(envelope).read_bytes()))
    try:
        envelope.verify([public_key(key) for key in keys], int(threshold))
    except VerificationError as error:
        sys.exit(str(error))
    sys.stdout.write(envelope.payload.decode())


main(*sys.argv[1:])
