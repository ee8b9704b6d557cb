"""Follows the handovers of keys: python3 handovers.py 'EARLIER VERIFIER KEY' prints the key of now, for check.py."""
import base64, json, pathlib, subprocess, sys, tempfile

sys.dont_write_bytecode = True
from check import data, must, proven

def verifies(*parts):
    with tempfile.TemporaryDirectory() as place:
        for name, part in zip(["key", "text", "signature"], parts):
            pathlib.Path(place, name).write_bytes(part)
        openssl = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile signature"
        return subprocess.run(openssl.split(), cwd=place, capture_output=True).returncode == 0

def signs(key, note):  # whether the key's signature is under the note; a key is NAME+ID+base64(type 1, then 32 bytes)
    (name, id, public), (text, lines) = key.split("+", 2), note.split(b"\n\n", 1)
    der, start = bytes.fromhex("302a300506032b6570032100") + base64.b64decode(public)[1:], f"— {name} "  # RFC 8410
    found = [base64.b64decode(line[len(start):]) for line in lines.decode().splitlines() if line.startswith(start)]
    return any(one[:4].hex() == id and verifies(der, text + b"\n", one[4:]) for one in found)

now, (origin, size) = data("key.vkey").decode().strip(), data("checkpoint").decode().split("\n")[:2]
must(signs(now, data("checkpoint")), "the checkpoint is not signed with key.vkey")
trusted = [sys.argv[1] if len(sys.argv) > 1 else now]
for handover in json.loads(data("handovers.json")):
    about, at, top = handover["checkpoint"].split("\n")[:3]
    if about != origin or not any(signs(key, handover["checkpoint"].encode()) for key in trusted):
        continue
    for event in handover["events"]:
        said = proven(event, event["leaf"].encode(), event["body"].encode(), at, top)
        told = json.loads(event["body"])["event"]
        must(said["type"] == told["type"] and told["data"]["origin"] == origin, "a handover of another tree")
        if told["type"] == "log.key_announced.v1":
            trusted.append(told["data"]["key"])
        elif told["type"] == "log.key_retired.v1" and int(at) < int(size):
            trusted = [key for key in trusted if key != told["data"]["key"]]
must(now in trusted, "the key that you were given has neither signed the checkpoint nor handed over to one that has")
print(now)
