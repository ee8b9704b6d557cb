"""Checks the evidence in this folder: python3 check.py 'VERIFIER KEY'. Needs Python 3.8 and openssl, nothing else."""
import base64, hashlib, json, pathlib, subprocess, sys

here = pathlib.Path(__file__).resolve().parent
sha256 = lambda *parts: hashlib.sha256(b"".join(parts)).digest()

def must(holds, what):
    if not holds:
        sys.exit("WRONG 不符: " + what)

def data(name):
    must((here / name).is_file(), name + " is missing")
    return (here / name).read_bytes()

def climb(leaf, index, size, path):  # from a leaf to the root: RFC 9162, 2.1.3.2
    node, last = sha256(b"\0", leaf), size - 1
    for sibling in map(bytes.fromhex, path):
        must(last > 0, "a path is too long")
        right = index % 2 == 1 or index == last
        node = sha256(b"\1", sibling, node) if right else sha256(b"\1", node, sibling)
        while right and index % 2 == 0 and index:
            index, last = index // 2, last // 2
        index, last = index // 2, last // 2
    return node if last == 0 else None

def proven(event, leaf, body, size, root):  # what the leaf says, once it is in the tree and commits to the body
    said, where = json.loads(leaf), f"of event {event['position']}"
    must(said["position"] == event["position"], "the leaf " + where)
    must(climb(leaf, event["position"] - 1, int(size), event["path"]) == base64.b64decode(root), "the path " + where)
    opened = body is None or sha256(bytes.fromhex(event["nonce"]), body).hex()
    must(opened in (True, said["body"]["sha256"]), "the body " + where)
    return said

def because(value):  # every position on which an answer says that it rests
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return (value.get("because", []) if isinstance(value, dict) else []) + [at for one in inside for at in because(one)]

def check(given):
    for line in data("SHA256SUMS").decode().splitlines():
        digest, name = line.split("  ", 1)
        must(sha256(data(name)).hex() == digest, name + " is not the file that was packed")
    signed, key = data("checkpoint.signed"), data("key.vkey").decode().strip()
    must(given == key, "key.vkey is not the key that you were given; handovers.py leads from an earlier one to it")
    (name, id, public), note = key.split("+", 2), data("checkpoint").decode()
    pem = base64.b64decode("".join(data("key.pem").decode().split("\n")[1:-2]))  # 12 bytes before the key: RFC 8410
    must(pem[12:] == base64.b64decode(public)[1:], "key.pem is not the key of key.vkey")
    line = f"\n— {name} {base64.b64encode(bytes.fromhex(id) + data('checkpoint.sig')).decode()}\n"
    must(note.startswith(signed.decode() + "\n") and line in note, "checkpoint is not what was signed, with its signature")
    openssl = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in checkpoint.signed -sigfile checkpoint.sig"
    verified = subprocess.run(openssl.split(), cwd=here, capture_output=True)
    must(verified.returncode == 0, "checkpoint.sig is not the signature of checkpoint.signed")
    (origin, size, root), proofs, last, shown = signed.decode().split("\n")[:3], json.loads(data("proofs.json")), {}, []
    must("task:" + json.loads(data("task.json"))["task"]["name"][6:] in proofs["tags"], "the task's tag")
    for event in proofs["events"]:
        body = data(event["body"]) if event.get("body") else None
        for tag, previous in proven(event, data(event["leaf"]), body, size, root)["tags"]:
            if tag in proofs["tags"]:
                must(last.get(tag, 0) == previous, f"an event before {event['position']} is left out")
                last[tag] = event["position"]
        shown += [] if body is None else [event["position"]]
    for name in ["answer", "task", "assignments", "agencies", "readings"]:
        for position in because(json.loads(data(name + ".json"))):
            must(int(position) in shown, f"event {position}, on which {name}.json rests, is missing")
    print(f"{len(shown)} events are in {origin} at size {size}, whole and in order 均已核对")

if __name__ == "__main__":
    check(sys.argv[1] if len(sys.argv) > 1 else data("key.vkey").decode().strip())
