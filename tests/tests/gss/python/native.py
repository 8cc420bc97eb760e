"""A context of a GSS-API library in C, MIT's or Heimdal's, by ctypes. The acceptor's keytab is where KRB5_KTNAME says."""

import ctypes
from ctypes import POINTER, byref, c_int, c_size_t, c_ssize_t, c_uint32, c_void_p

KRB5 = bytes.fromhex("2a864886f712010202")
SPNEGO = bytes.fromhex("2b0601050502")
HOST_BASED_SERVICE = bytes.fromhex("2a864886f71201020104")
CONTINUE_NEEDED = 1
FLAGS = {"deleg": 1, "mutual": 2, "replay": 4, "sequence": 8, "conf": 16, "integ": 32, "channel-bound": 2048}


class Error(Exception):
    pass


class Buffer(ctypes.Structure):
    _fields_ = [("length", c_size_t), ("value", c_void_p)]

    @classmethod
    def of(cls, octets):
        kept = ctypes.create_string_buffer(octets, len(octets) or 1)
        buffer = cls(len(octets), ctypes.cast(kept, c_void_p))
        buffer.kept = kept
        return buffer

    def octets(self):
        return ctypes.string_at(self.value, self.length) if self.length else b""


class Oid(ctypes.Structure):
    _fields_ = [("length", c_uint32), ("elements", c_void_p)]

    @classmethod
    def of(cls, octets):
        kept = ctypes.create_string_buffer(octets, len(octets))
        oid = cls(len(octets), ctypes.cast(kept, c_void_p))
        oid.kept = kept
        return oid


class Bindings(ctypes.Structure):
    _fields_ = [
        ("initiator_addrtype", c_uint32),
        ("initiator_address", Buffer),
        ("acceptor_addrtype", c_uint32),
        ("acceptor_address", Buffer),
        ("application_data", Buffer),
    ]


class Context:
    def __init__(self, what, initiates):
        self.native = ctypes.CDLL(what["library"])
        self.handle = c_void_p()
        self.complete = False
        self.actual = c_uint32()
        self.peer = c_void_p()
        self.time = c_uint32()
        self.delegated = c_void_p()
        self.bindings = None
        if what.get("bindings") is not None:
            self.bindings = Bindings(application_data=Buffer.of(what["bindings"].encode()))
        self.service = None
        if initiates:
            self.service = c_void_p()
            kind = Oid.of(HOST_BASED_SERVICE)
            self.call("import_name", byref(Buffer.of(what["service"].encode())), byref(kind), byref(self.service))
            self.wanted = sum(FLAGS[flag] for flag in what["flags"])
            self.mechanism = Oid.of(SPNEGO if what.get("spnego") else KRB5)

    def call(self, name, *arguments):
        minor = c_uint32()
        function = getattr(self.native, f"gss_{name}")
        function.restype = c_uint32
        major = function(byref(minor), *arguments)
        if major >> 16:
            raise Error(f"{name}: {major:#x} {self.words(major, 1)} {self.words(minor.value, 2)}")
        return major

    def words(self, code, kind):
        said, minor, more = Buffer(), c_uint32(), c_uint32()
        oid = Oid.of(KRB5)
        self.native.gss_display_status(byref(minor), c_uint32(code), c_int(kind), byref(oid), byref(more), byref(said))
        return said.octets().decode()

    def step(self, token=None):
        given, answer = Buffer.of(token or b""), Buffer()
        bindings = byref(self.bindings) if self.bindings else None
        if self.service is not None:
            major = self.call(
                "init_sec_context", None, byref(self.handle), self.service, byref(self.mechanism), c_uint32(self.wanted),
                c_uint32(0), bindings, byref(given) if token else None, None, byref(answer), byref(self.actual),
                byref(self.time),
            )
        else:
            major = self.call(
                "accept_sec_context", byref(self.handle), None, byref(given), bindings, byref(self.peer), None,
                byref(answer), byref(self.actual), byref(self.time), byref(self.delegated),
            )
        self.complete = not major & CONTINUE_NEEDED
        return answer.octets()

    def lifetime(self):
        return self.time.value

    def initiator(self):
        said = Buffer()
        self.call("display_name", self.peer, byref(said), None)
        return said.octets().decode()

    def flags(self):
        return [name for name, flag in FLAGS.items() if self.actual.value & flag]

    def keep_delegated(self, _):
        return None

    def wrap(self, message, encrypt):
        state, token = c_int(), Buffer()
        self.call("wrap", self.handle, c_int(encrypt), c_uint32(0), byref(Buffer.of(message)), byref(state), byref(token))
        if bool(state.value) != encrypt:
            raise Error("not wrapped as it was to be")
        return token.octets()

    def unwrap(self, token):
        state, message, quality = c_int(), Buffer(), c_uint32()
        major = self.call("unwrap", self.handle, byref(Buffer.of(token)), byref(message), byref(state), byref(quality))
        if major:
            raise Error(f"unwrap: {major:#x}")
        return message.octets(), bool(state.value)

    def mic(self, message):
        token = Buffer()
        self.call("get_mic", self.handle, c_uint32(0), byref(Buffer.of(message)), byref(token))
        return token.octets()

    def verify_mic(self, message, token):
        quality = c_uint32()
        major = self.call("verify_mic", self.handle, byref(Buffer.of(message)), byref(Buffer.of(token)), byref(quality))
        if major:
            raise Error(f"verify_mic: {major:#x}")

    def pseudo_random(self, message, length):
        """RFC 4401, of the full key."""
        octets = Buffer()
        self.call("pseudo_random", self.handle, c_int(0), byref(Buffer.of(message)), c_ssize_t(length), byref(octets))
        return octets.octets()
