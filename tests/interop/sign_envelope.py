"""Makes a DSSE envelope with securesystemslib, under the keyids that the library chooses itself.

usage: sign_envelope.py PAYLOAD PAYLOAD_TYPE PRIVATE_KEY...

Private keys are OpenSSH files without passphrase. Prints the envelope.
"""

import json
import pathlib
import sys

from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner


def main(payload, payload_type, *keys):
    envelope = Envelope(pathlib.Path(payload).read_bytes(), payload_type, {})
    for key in keys:
        envelope.sign(CryptoSigner(load_ssh_private_key(pathlib.Path(key).read_bytes(), None)))
    json.dump(envelope.to_dict(), sys.stdout)


main(*sys.argv[1:])
