"""A context of Python's gssapi package, which has MIT's library behind it."""

import gssapi
from gssapi import raw

Error = gssapi.exceptions.GSSError

SPNEGO = raw.OID.from_int_seq("1.3.6.1.5.5.2")
FLAGS = {
    "deleg": raw.RequirementFlag.delegate_to_peer,
    "mutual": raw.RequirementFlag.mutual_authentication,
    "replay": raw.RequirementFlag.replay_detection,
    "sequence": raw.RequirementFlag.out_of_sequence_detection,
    "conf": raw.RequirementFlag.confidentiality,
    "integ": raw.RequirementFlag.integrity,
    "channel-bound": raw.RequirementFlag.channel_bound,
}


class Context:
    def __init__(self, what, initiates):
        name = gssapi.Name(what["service"], gssapi.NameType.hostbased_service)
        bindings = None
        if what.get("bindings") is not None:
            bindings = raw.ChannelBindings(application_data=what["bindings"].encode())
        if initiates:
            self.context = gssapi.SecurityContext(
                name=name,
                flags=raw.IntEnumFlagSet(raw.RequirementFlag, [FLAGS[flag] for flag in what["flags"]]),
                mech=SPNEGO if what.get("spnego") else gssapi.MechType.kerberos,
                channel_bindings=bindings,
                usage="initiate",
            )
        else:
            credentials = gssapi.Credentials(name=name, usage="accept", store={"keytab": what["keytab"]})
            self.context = gssapi.SecurityContext(creds=credentials, channel_bindings=bindings, usage="accept")

    @property
    def complete(self):
        return self.context.complete

    def step(self, token=None):
        return self.context.step(token) or b""

    def lifetime(self):
        return self.context.lifetime

    def initiator(self):
        return str(self.context.initiator_name)

    def flags(self):
        return [name for name, flag in FLAGS.items() if flag in self.context.actual_flags]

    def keep_delegated(self, cache):
        """Gives whose they are, if any came along."""
        credentials = self.context.delegated_creds
        if credentials is None:
            return None
        credentials.store(store={"ccache": cache}, usage="initiate", overwrite=True)
        return str(credentials.name)

    def wrap(self, message, encrypt):
        wrapped = self.context.wrap(message, encrypt)
        if wrapped.encrypted != encrypt:
            raise ValueError("not wrapped as it was to be")
        return wrapped.message

    def wrap_rotated(self, message, encrypt):
        """With what follows the data before it, as Windows sends it."""
        iov = raw.IOV(raw.IOVBufferType.header, message, raw.IOVBufferType.padding, std_layout=False)
        raw.wrap_iov(self.context, iov, confidential=encrypt)
        return b"".join(buffer.value for buffer in iov if buffer.value)

    def unwrap(self, token):
        plain = self.context.unwrap(token)
        return plain.message, plain.encrypted

    def mic(self, message):
        return self.context.get_signature(message)

    def verify_mic(self, message, token):
        self.context.verify_signature(message, token)
