"""One GET with Negotiate by Python's gssapi, as one JSON object tells it to; says in another what came of it."""

import base64
import hashlib
import http.client
import json
import ssl
import sys

import gssapi
from gssapi import raw

SPNEGO = raw.OID.from_int_seq("1.3.6.1.5.5.2")


def connect(what):
    if not what.get("tls"):
        return http.client.HTTPConnection("127.0.0.1", what["port"])
    trust = ssl.create_default_context(cafile=what["tls"])
    connection = http.client.HTTPSConnection("localhost", what["port"], context=trust)
    connection.connect()
    return connection


def bindings(what, connection):
    """RFC 5929, tls-server-end-point, for a certificate that is signed with this hash."""
    kind = what.get("bindings")
    if kind is None:
        return None
    certificate = connection.sock.getpeercert(binary_form=True)
    digest = hashlib.new(what.get("hash", "sha256"), certificate).digest()
    if kind == "wrong":
        digest = digest[::-1]
    return raw.ChannelBindings(application_data=b"tls-server-end-point:" + digest)


def main():
    what = json.loads(sys.argv[1])
    connection = connect(what)
    context = gssapi.SecurityContext(
        name=gssapi.Name(what["service"], gssapi.NameType.hostbased_service),
        mech=gssapi.MechType.kerberos if what.get("krb5") else SPNEGO,
        flags=raw.RequirementFlag.mutual_authentication,
        channel_bindings=bindings(what, connection),
        usage="initiate",
    )
    token = base64.b64encode(context.step()).decode()
    if what.get("only-token"):
        print(token)
        return
    connection.request("GET", "/", headers={"Authorization": f"Negotiate {token}"})
    response = connection.getresponse()
    said = {"status": response.status, "body": response.read().decode()}
    answer = response.headers.get("WWW-Authenticate", "")
    if answer.startswith("Negotiate "):
        try:
            context.step(base64.b64decode(answer.split()[1]))
            said["complete"] = context.complete
        except gssapi.exceptions.GSSError as error:
            said["complete"] = f"{type(error).__name__} {error}"
    print(json.dumps(said))


main()
