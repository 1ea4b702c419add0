"""Verifies an export by the description in docs/reference/log-format.md, with Python alone.

usage: verify_export.py EXPORT [POSITION:HASH]
Prints the head and exits with 0, or names the first wrong position and exits
with 1."""

import base64
import hashlib
import json
import sys


def refuse(position, why):
    print(f"position {position}: {why}")
    sys.exit(1)


def number(record, start, end):
    return int.from_bytes(record[start:end], "big")


anchors = dict([sys.argv[2].split(":")]) if len(sys.argv) > 2 else {}
position, previous, to_come = 0, bytes(32), 0
with open(sys.argv[1], encoding="utf-8") as export:
    for line in export:
        if position == 0 and line.startswith('{"userpoolExport":2,'):
            after = json.loads(line)["after"]
            position, previous = int(after["position"]), bytes.fromhex(after["hash"])
            if anchors.get(str(position), previous.hex()) != previous.hex():
                refuse(position, "not the given hash")
            continue
        position += 1
        try:
            record = base64.b64decode(json.loads(line)["record"], validate=True)
        except (ValueError, KeyError):
            refuse(position, "no record")
        if len(record) < 49 + 32:
            refuse(position, "too short")
        if hashlib.sha256(record[:-32]).digest() != record[-32:]:
            refuse(position, "wrong hash")
        if record[:32] != previous:
            refuse(position, "does not continue the chain")
        if record[32] != 1 or number(record, 33, 41) != position:
            refuse(position, "wrong layout or position")
        previous = record[-32:]
        to_come = number(record, 45, 49) - number(record, 41, 45) - 1
        if anchors.get(str(position), previous.hex()) != previous.hex():
            refuse(position, "not the given hash")
if to_come != 0:
    refuse(position + 1, "ends inside a batch")
if any(int(at) > position for at in anchors):
    refuse(position + 1, "ends before the given position")
print(f"{position}:{previous.hex()}")
