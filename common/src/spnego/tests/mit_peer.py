# One end of a context in MIT's library: mit_peer.py initiate|accept spnego|krb5 mutual|one-way
# A line on standard input asks for something, a line on standard output answers: "ok HEX COMPLETE" or "error TEXT".
import sys
import gssapi
import gssapi.raw
from gssapi import RequirementFlag as Flag

MECHS = {"spnego": gssapi.OID.from_int_seq("1.3.6.1.5.5.2"), "krb5": gssapi.OID.from_int_seq("1.2.840.113554.1.2.2")}
role, mech, proof = sys.argv[1:4]
mech = MECHS[mech]
if role == "initiate":
    flags = Flag.integrity | Flag.confidentiality | Flag.replay_detection | Flag.out_of_sequence_detection
    if proof == "mutual":
        flags |= Flag.mutual_authentication
    name = gssapi.Name("host/www@EXAMPLE.COM", gssapi.NameType.kerberos_principal)
    context = gssapi.SecurityContext(name=name, mech=mech, flags=flags, usage="initiate")
else:
    context = gssapi.SecurityContext(creds=gssapi.Credentials(usage="accept", mechs=[mech]), usage="accept")


def act(verb, *data):
    data = [None if part == "-" else bytes.fromhex(part) for part in data]
    if verb == "step":
        return context.step(*data)
    if verb == "wrap":
        return context.wrap(data[0], True).message
    if verb == "unwrap":
        return context.unwrap(data[0]).message
    if verb == "mic":
        return context.get_signature(data[0])
    if verb == "verify":
        context.verify_signature(data[0], data[1])
        return None
    if verb == "initiator":
        return bytes(context.initiator_name)
    raise ValueError(verb)


for line in sys.stdin:
    try:
        octets = act(*line.split())
        print("ok", octets.hex() if octets else "-", int(context.complete), flush=True)
    except Exception as error:
        print("error", " ".join(str(error).split()), flush=True)
