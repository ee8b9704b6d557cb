"""Checks the evidence in this folder: python3 check.py [VERIFIER KEY]. Needs Python 3.8 and openssl, nothing else."""
import base64, hashlib, json, pathlib, subprocess, sys

here = pathlib.Path(__file__).resolve().parent
sha256 = lambda *parts: hashlib.sha256(b"".join(parts)).digest()

def data(name):
    must((here / name).is_file(), name + " is missing")
    return (here / name).read_bytes()

def must(holds, what):
    if not holds:
        sys.exit("WRONG 不符: " + what)

def climb(leaf, index, size, path):  # RFC 9162, 2.1.3.2
    node, last = sha256(b"\0", leaf), size - 1
    for sibling in path:
        must(last > 0, "a path is too long")
        if index % 2 or index == last:
            node = sha256(b"\1", sibling, node)
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            node = sha256(b"\1", node, sibling)
        index, last = index // 2, last // 2
    return node if last == 0 else None

def because(value):  # every position on which an answer says that it rests
    if isinstance(value, dict):
        yield from value.get("because", [])
        value = list(value.values())
    for item in value if isinstance(value, list) else []:
        yield from because(item)

for line in data("SHA256SUMS").decode().splitlines():
    digest, name = line.split("  ", 1)
    must(hashlib.sha256(data(name)).hexdigest() == digest, name + " is not the file that was packed")

signed, signatures = data("checkpoint").split(b"\n\n", 1)
must(signed + b"\n" == data("checkpoint.signed"), "checkpoint.signed")
name, size, root = signed.decode().split("\n")[:3]
key = data("key.vkey").decode().strip()  # NAME+ID+base64(type 1, then 32 bytes)
der = base64.b64decode("".join(data("key.pem").decode().split("\n")[1:-2]))
public = base64.b64decode(key.split("+", 2)[2])
must(public[:1] == b"\1" and der[-32:] == public[1:], "key.pem is not the key of key.vkey")
if len(sys.argv) > 1:
    must(sys.argv[1] == key, "the checkpoint is not signed with the key that you were given")
signature = base64.b64encode(bytes.fromhex(key.split("+")[1]) + data("checkpoint.sig")).decode()
must(f"— {key.split('+')[0]} {signature}" in signatures.decode().splitlines(), "checkpoint.sig")
openssl = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in checkpoint.signed -sigfile checkpoint.sig"
must(subprocess.run(openssl.split(), cwd=here, capture_output=True).returncode == 0, "the signature")

proofs, last = json.loads(data("proofs.json")), {}
must("task:" + json.loads(data("task.json"))["task"]["name"][6:] in proofs["tags"], "the task's tag")
for event in proofs["events"]:
    leaf, position = data(event["leaf"]), event["position"]
    envelope, path = json.loads(leaf), [bytes.fromhex(hash) for hash in event["path"]]
    must(envelope["position"] == position, f"the leaf of event {position}")
    must(climb(leaf, position - 1, int(size), path) == base64.b64decode(root), f"the path of event {position}")
    if event.get("body"):
        body = sha256(bytes.fromhex(event["nonce"]), data(event["body"])).hex()
        must(envelope["body"]["sha256"] == body, f"the body of event {position}")
    for tag, previous in envelope["tags"]:
        if tag in proofs["tags"]:
            must(last.get(tag, 0) == previous, f"an event before {position} is left out")
            last[tag] = position
shown = {event["position"] for event in proofs["events"] if event.get("body")}
for name_of in ["answer", "task", "assignments", "agencies", "readings"]:
    for position in because(json.loads(data(name_of + ".json"))):
        must(int(position) in shown, f"event {position}, on which {name_of}.json rests, is missing")
print(f"{len(shown)} events are in {name} at size {size}, whole and in order 均已核对")
