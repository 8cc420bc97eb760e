"""Speaks the protocol of MIT's gss-client and gss-server with a library that others wrote, as one JSON object tells it to.

Some messages are more than MIT's samples have. One without SEND_MIC goes back wrapped as it came. DATA|MIC is the sender's
own MIC over the next message. CONTEXT|DATA asks for pseudo-random octets of the context.
"""

import contextlib
import json
import socket
import struct
import sys

NOOP, CONTEXT, DATA, MIC, CONTEXT_NEXT, WRAPPED, ENCRYPTED, SEND_MIC = (1 << bit for bit in range(8))
PSEUDO_RANDOM = 100


class Peer:
    """A connection whose messages are framed by a flags octet and a length."""

    def __init__(self, connection):
        self.stream = connection.makefile("rwb")

    def send(self, kind, token=b""):
        self.stream.write(struct.pack(">BI", kind, len(token)) + token)
        self.stream.flush()

    def receive(self):
        """Gives no kind if the other side has hung up."""
        head = self.stream.read(5)
        if len(head) < 5:
            return None, b""
        kind, length = struct.unpack(">BI", head)
        return kind, self.stream.read(length)


def establish(peer, context, token=None):
    while not context.complete:
        token = context.step(token)
        if token:
            peer.send(CONTEXT, token)
        if not context.complete:
            kind, token = peer.receive()
            if kind is None:
                raise EOFError("the other side hung up")


def initiate(gss, what):
    peer = Peer(socket.create_connection(("127.0.0.1", what["port"])))
    context = gss.Context(what, initiates=True)
    peer.send(NOOP | CONTEXT_NEXT)
    establish(peer, context)
    report = {"flags": context.flags(), "answers": [say(peer, context, step) for step in what["steps"]]}
    if what.get("pseudo-random"):
        peer.send(CONTEXT | DATA, b"input")
        _, octets = peer.receive()
        report["pseudo-random"] = octets == context.pseudo_random(b"input", PSEUDO_RANDOM)
    peer.send(NOOP)
    return report


def say(peer, context, step):
    messages = [message.encode() for message in step["messages"]]
    wrap = context.wrap_rotated if step.get("rotated") else context.wrap
    tokens = [wrap(message, step["encrypt"]) for message in messages]
    if step.get("altered"):
        tokens = [token[:-1] + bytes([token[-1] ^ 1]) for token in tokens]
    if step.get("backwards"):
        tokens.reverse()
        messages.reverse()
    if step.get("twice"):
        tokens, messages = tokens * 2, messages * 2
    kind = DATA | WRAPPED | (ENCRYPTED if step["encrypt"] else 0) | (SEND_MIC if step.get("mic") else 0)
    answers = []
    for token, message in zip(tokens, messages):
        if step.get("sign"):
            peer.send(DATA | MIC, context.mic(message))
        peer.send(kind, token)
        answered, answer = peer.receive()
        if answered is None:
            return answers + [None]
        if answered & MIC:
            context.verify_mic(message, answer)
            answers.append("verified")
        elif answered & WRAPPED:
            plain, encrypted = context.unwrap(answer)
            answers.append(plain.decode() + (" encrypted" if encrypted else " plain"))
    return answers


def accept(gss, what):
    """One context after another, each told of in a line."""
    listener = socket.create_server(("127.0.0.1", what["port"]))
    while True:
        connection, _ = listener.accept()
        try:
            serve(gss, Peer(connection), what)
        except Exception as error:
            print(json.dumps({"error": f"{type(error).__name__} {error}"}), flush=True)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def serve(gss, peer, what):
    kind, _ = peer.receive()
    if kind is None:
        return
    context = gss.Context(what, initiates=False)
    kind, token = peer.receive()
    establish(peer, context, token)
    report = {"initiator": context.initiator(), "flags": context.flags(), "lifetime": context.lifetime()}
    print(json.dumps(report | {"delegated": context.keep_delegated(what["delegated"])}), flush=True)
    mic = None
    while True:
        kind, token = peer.receive()
        if kind is None or kind & NOOP:
            return
        if kind & MIC:
            mic = token
            continue
        plain, encrypted = context.unwrap(token) if kind & WRAPPED else (token, False)
        if bool(kind & ENCRYPTED) != encrypted:
            raise ValueError("not wrapped as it says it is")
        if mic is not None:
            context.verify_mic(plain, mic)
        print(json.dumps({"received": plain.decode(), "encrypted": encrypted, "signed": mic is not None}), flush=True)
        mic = None
        if kind & SEND_MIC:
            peer.send(MIC, context.mic(plain))
        elif kind & WRAPPED:
            answer = context.wrap(plain, encrypted)
            for _ in range(what.get("copies", 1)):
                peer.send(DATA | WRAPPED | (kind & ENCRYPTED), answer)
        else:
            peer.send(NOOP)


def main():
    what = json.loads(sys.argv[1])
    if what.get("library"):
        import native as gss
    else:
        import packaged as gss
    if what["role"] == "accept":
        accept(gss, what)
    try:
        print(json.dumps(initiate(gss, what)))
    except (gss.Error, EOFError) as error:
        sys.exit(f"{type(error).__name__} {error}")


main()
