"""A client of the administration protocol (docs/admin-protocol.md) on MIT's library: HOST:PORT and requests; prints the
daemon's greeting and each answer, a line each. The ticket is in the default cache."""

import json
import socket
import sys

import gssapi
from gssapi import raw

host, port = sys.argv[1].rsplit(":", 1)
stream = socket.create_connection((host, int(port)), timeout=60)


def send(octets):
    stream.sendall(len(octets).to_bytes(4, "big") + octets)


def exactly(count):
    octets = b""
    while len(octets) < count:
        part = stream.recv(count - len(octets))
        if not part:
            sys.exit("the daemon hung up")
        octets += part
    return octets


def receive():
    return exactly(int.from_bytes(exactly(4), "big"))


flag = raw.RequirementFlag
context = gssapi.SecurityContext(
    name=gssapi.Name("kadmin/admin@EXAMPLE.COM", gssapi.NameType.kerberos_principal),
    mech=gssapi.MechType.kerberos,
    flags=[flag.mutual_authentication, flag.out_of_sequence_detection, flag.confidentiality, flag.integrity],
    usage="initiate",
)
send(context.step())
context.step(receive())
assert context.complete


def ask(message):
    send(context.wrap(message.encode(), True).message)
    answer = context.unwrap(receive())
    assert answer.encrypted
    print(json.dumps(json.loads(answer.message)))


ask(json.dumps({"protocol": 4, "program": "a client on MIT's library"}))
for request in sys.argv[2:]:
    ask(request)
