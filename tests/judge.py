"""A verifier of the audit tree that shares no code with it: PyPI's tlog-scales reads the folder of the tree.

    judge.py FOLDER VKEY [KEPT CHECKPOINT]...

Ends well if the checkpoint is signed by the key, its root is that of the tiles, every leaf is in the tree, and the
tree continues every checkpoint that was kept.
"""

import hashlib
import sys
from pathlib import Path

from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint


def judge(folder: str, vkey: str, kept: list[str]) -> None:
    key = Vkey.from_string(vkey)
    tree = TilesReader(LocalBackend(Path(folder)))
    newest = tree.get_checkpoint()
    newest.verify(key)
    if tree.calculate_root_hash() != newest.root_hash:
        raise ValueError("the root of the tiles is not the one that was signed")
    for index in range(newest.size):
        leaf = hashlib.sha256(b"\x00" + tree.get_entry(index)).digest()
        tree.get_inclusion_proof(index, newest.size).check(leaf, newest.root_hash)
    for path in kept:
        earlier = Checkpoint.from_text(Path(path).read_text())
        earlier.verify(key)
        if earlier.size > newest.size:
            raise ValueError(f"{earlier.size} leaves were signed, there are {newest.size}")
        proof = tree.get_consistency_proof(earlier.size, newest.size)
        proof.check(earlier.root_hash, newest.root_hash)
    print(f"accepted {newest.size} leaves, {len(kept)} kept checkpoints")


try:
    judge(sys.argv[1], sys.argv[2], sys.argv[3:])
except Exception as error:
    sys.exit(f"refused: {type(error).__name__}: {error}")
