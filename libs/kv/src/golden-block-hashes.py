"""Writes golden-block-hashes.json: python3 libs/kv/src/golden-block-hashes.py > libs/kv/src/golden-block-hashes.json

A second implementation of the block hash, so that the vectors do not come from the code that they check.
"""

import hashlib
import json
import struct


def seed(identity):
    data = b""
    for field in ("hydra.kv.prefix.1", identity["modelFingerprint"], identity["adapterVersion"], identity["salt"]):
        text = field.encode()
        data += struct.pack("<I", len(text)) + text
    return hashlib.sha256(data).digest()[:16]


def hash_blocks(token_ids, block_tokens, parent):
    hashes = []
    for start in range(0, len(token_ids) - block_tokens + 1, block_tokens):
        block = struct.pack(f"<{block_tokens}I", *token_ids[start : start + block_tokens])
        parent = hashlib.sha256(parent + block).digest()[:16]
        hashes.append(parent.hex())
    return hashes


def vector(name, fingerprint, adapter, salt, block_tokens, token_ids):
    identity = {"modelFingerprint": fingerprint, "adapterVersion": adapter, "salt": salt}
    return {
        "name": name,
        "identity": identity,
        "seed": seed(identity).hex(),
        "blockTokens": block_tokens,
        "tokenIds": token_ids,
        "hashes": hash_blocks(token_ids, block_tokens, seed(identity)),
    }


print(
    json.dumps(
        [
            vector("no full block", "f" * 64, "", "tenant-1", 16, list(range(15))),
            vector("one block", "f" * 64, "", "tenant-1", 16, list(range(16))),
            vector("two blocks and a rest", "f" * 64, "", "tenant-1", 16, [i * 7919 % 49152 for i in range(40)]),
            vector("an adapter", "f" * 64, "0123abcd", "tenant-1", 16, list(range(32))),
            vector("another tenant", "f" * 64, "0123abcd", "tenant-2", 16, list(range(32))),
            vector("the largest token id", "", "", "", 1, [0, 4294967295]),
            vector("a salt beyond ASCII", "f", "", "Größe ☃", 4, [1, 2, 3, 4, 5, 6, 7, 8]),
        ],
        indent=2,
        ensure_ascii=False,
    )
)
