"""Checks the evidence in this folder: python3 check.py [VERIFIER KEY]. Needs Python 3.8 and openssl, nothing else."""
import base64, hashlib, json, pathlib, subprocess, sys, tempfile

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

def proven(event, leaf, body, size, root):  # the leaf, once it is in that tree and commits to that body
    envelope, path = json.loads(leaf), [bytes.fromhex(hash) for hash in event["path"]]
    where = f"of event {event['position']}"
    must(envelope["position"] == event["position"], "the leaf " + where)
    must(climb(leaf, event["position"] - 1, int(size), path) == base64.b64decode(root), "the path " + where)
    if body is not None:
        must(envelope["body"]["sha256"] == sha256(bytes.fromhex(event["nonce"]), body).hex(), "the body " + where)
    return envelope

def signs(key, note):  # whether the key's signature is under the note; a key is NAME+ID+base64(type 1, then 32 bytes)
    (name, id, public), (text, lines) = key.split("+", 2), note.split(b"\n\n", 1)
    der, start = bytes.fromhex("302a300506032b6570032100") + base64.b64decode(public)[1:], f"— {name} "  # RFC 8410
    found = [base64.b64decode(line[len(start):]) for line in lines.decode().splitlines() if line.startswith(start)]
    return any(one[:4].hex() == id and verifies(der, text + b"\n", one[4:]) for one in found)

def verifies(*parts):
    with tempfile.TemporaryDirectory() as place:
        for name, part in zip(["key", "text", "signature"], parts):
            pathlib.Path(place, name).write_bytes(part)
        openssl = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile signature"
        return subprocess.run(openssl.split(), cwd=place, capture_output=True).returncode == 0

def because(value):  # every position on which an answer says that it rests
    if isinstance(value, dict):
        yield from value.get("because", [])
        value = list(value.values())
    for item in value if isinstance(value, list) else []:
        yield from because(item)

for line in data("SHA256SUMS").decode().splitlines():
    digest, name = line.split("  ", 1)
    must(hashlib.sha256(data(name)).hexdigest() == digest, name + " is not the file that was packed")

note, key = data("checkpoint"), data("key.vkey").decode().strip()
origin, size, root = note.decode().split("\n")[:3]
must(signs(key, note), "the checkpoint is not signed with key.vkey")
der = base64.b64decode("".join(data("key.pem").decode().split("\n")[1:-2]))
must(der[12:] == base64.b64decode(key.split("+", 2)[2])[1:], "key.pem is not the key of key.vkey")
must(data("checkpoint.signed") == note.split(b"\n\n")[0] + b"\n", "checkpoint.signed is not what was signed")
must(verifies(der, data("checkpoint.signed"), data("checkpoint.sig")), "checkpoint.sig is not its signature")

trusted = [sys.argv[1] if len(sys.argv) > 1 else key]
for handover in json.loads(data("handovers.json")):  # from the key that you were given to the one of now
    note = handover["checkpoint"].encode()
    about, at, top = note.decode().split("\n")[:3]
    if about != origin or not any(signs(one, note) for one in trusted):
        continue
    for event in handover["events"]:
        envelope = proven(event, event["leaf"].encode(), event["body"].encode(), at, top)
        told = json.loads(event["body"])["event"]
        must(envelope["type"] == told["type"] and told["data"]["origin"] == origin, "a handover of another tree")
        if told["type"] == "log.key_announced.v1":
            trusted.append(told["data"]["key"])
        elif told["type"] == "log.key_retired.v1" and int(at) < int(size):
            trusted = [one for one in trusted if one != told["data"]["key"]]
must(key in trusted, "the key that you were given has neither signed the checkpoint nor handed over to one that has")

proofs, last = json.loads(data("proofs.json")), {}
must("task:" + json.loads(data("task.json"))["task"]["name"][6:] in proofs["tags"], "the task's tag")
for event in proofs["events"]:
    position, body = event["position"], data(event["body"]) if event.get("body") else None
    envelope = proven(event, data(event["leaf"]), body, size, root)
    for tag, previous in envelope["tags"]:
        if tag in proofs["tags"]:
            must(last.get(tag, 0) == previous, f"an event before {position} is left out")
            last[tag] = position
shown = {event["position"] for event in proofs["events"] if event.get("body")}
for name_of in ["answer", "task", "assignments", "agencies", "readings"]:
    for position in because(json.loads(data(name_of + ".json"))):
        must(int(position) in shown, f"event {position}, on which {name_of}.json rests, is missing")
print(f"{len(shown)} events are in {origin} at size {size}, whole and in order 均已核对")
