//! MIT's library at the other end of a context, in both roles. The tickets, the cache and the keytab are made here.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::SystemTime;

use tempfile::TempDir;

use crate::ap::tests::fixture::{Counter, Issue, principal};
use crate::ap::{self, MemoryReplayCache, Role};
use crate::crypto::EncType;
use crate::flags::TicketFlags;
use crate::gss::{
    Acceptor, BindingPolicy, ChannelBindings, Context, ContextError, ContextFlags, Initiator, PrfKey, Protection,
    Refusal,
};
use crate::time::{KerberosTime, Timestamp};

const ALL: u32 = 2 | 4 | 8 | 16 | 32;
const GSS_S_BAD_BINDINGS: &str = "error 00040000";

/// A process with MIT's library, that does as it is told.
struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    _directory: TempDir,
}

impl Peer {
    /// With alice's ticket in its cache and the service's key in its keytab.
    fn new(issue: &Issue) -> Self {
        Self::configured(issue, "")
    }

    /// With a line of its own in krb5.conf.
    fn configured(issue: &Issue, setting: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        build(&path("peer"));
        let (cache, keytab) = issue.files();
        std::fs::write(path("cache"), cache).unwrap();
        std::fs::write(path("keytab"), keytab).unwrap();
        let settings = format!("[libdefaults]\ndefault_realm = EXAMPLE.COM\ndns_lookup_kdc = false\n{setting}\n");
        std::fs::write(path("krb5.conf"), settings).unwrap();
        let mut child = Command::new(path("peer"))
            .env("KRB5_CONFIG", path("krb5.conf"))
            .env("KRB5CCNAME", path("cache"))
            .env("KRB5_KTNAME", path("keytab"))
            .env("KRB5RCACHENAME", "none:")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            to: child.stdin.take().unwrap(),
            from: BufReader::new(child.stdout.take().unwrap()),
            child,
            _directory: directory,
        }
    }

    fn tell(&mut self, command: &str) -> String {
        writeln!(self.to, "{command}").unwrap();
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        answer.trim().into()
    }

    fn octets(&mut self, command: &str) -> Vec<u8> {
        let answer = self.tell(command);
        unhex(&answer).unwrap_or_else(|| panic!("{command}: {answer}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn build(program: &Path) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/gss/tests/mit_peer.c");
    let built = Command::new("cc")
        .args(["-O1", "-o"])
        .arg(program)
        .arg(source)
        .arg("-l:libgssapi_krb5.so.2")
        .status();
    assert!(built.unwrap().success());
}

fn hex(octets: &[u8]) -> String {
    if octets.is_empty() {
        return "-".into();
    }
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text == "-" {
        return Some(Vec::new());
    }
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok())
        .collect()
}

#[allow(clippy::disallowed_methods, reason = "the other program reads the clock, too")]
fn now() -> Timestamp {
    Timestamp::from_unix(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap())
}

/// As the fixture's tickets, but good now.
fn issue(etype: EncType) -> Issue {
    let now = now().time.0;
    Issue {
        authtime: KerberosTime(now - 600),
        starttime: Some(KerberosTime(now - 300)),
        endtime: KerberosTime(now + 36_000),
        ..Issue::with(etype, etype)
    }
}

fn acceptor() -> Acceptor {
    Acceptor::new(ap::Acceptor::for_any_service())
}

/// Messages of every kind and of several lengths in both directions, the same octets for the application, and a message out
/// of its turn.
fn converse(peer: &mut Peer, ours: &mut Context) {
    let now = now().time;
    let mut random = Counter(9);
    for len in [0, 1, 15, 16, 17, 100, 5000] {
        let data: Vec<u8> = (0..len).map(|n: u32| n.to_le_bytes()[0]).collect();
        for (conf, protection) in [(1, Protection::Confidential), (0, Protection::Integrity)] {
            let token = ours.wrap(&data, protection, now, &mut random).unwrap();
            assert_eq!(
                peer.tell(&format!("unwrap {}", hex(&token))),
                format!("{conf} {}", hex(&data))
            );
            for kind in ["wrap", "rotated"] {
                let token = peer.octets(&format!("{kind} {conf} {}", hex(&data)));
                let rotation = u16::from_be_bytes([token[6], token[7]]);
                assert_eq!(rotation != 0, kind == "rotated", "{kind} {rotation}");
                let unwrapped = ours.unwrap(&token, now).unwrap();
                assert_eq!(
                    (unwrapped.data.as_slice(), unwrapped.protection),
                    (&data[..], protection)
                );
            }
            for most in [0, 30, 60, 61, 76, 100, 65_536] {
                let theirs = peer.tell(&format!("limit {conf} {most}"));
                // MIT's is less by what it would not need, near 0.
                let limit = ours.wrap_size_limit(protection, most);
                assert!(
                    theirs == limit.to_string() || limit < 16 && theirs == "0",
                    "{theirs} {limit} {most}"
                );
            }
        }
        let mic = ours.mic(&data, now).unwrap();
        assert_eq!(peer.tell(&format!("verify {} {}", hex(&data), hex(&mic))), "ok");
        let mic = peer.octets(&format!("mic {}", hex(&data)));
        ours.verify_mic(&data, &mic, now).unwrap();
        for (number, key) in [(0, PrfKey::Full), (1, PrfKey::Partial)] {
            let theirs = peer.octets(&format!("prf {number} 100 {}", hex(&data)));
            assert_eq!(ours.prf(key, &data, 100).as_slice(), theirs, "{key:?}");
        }
    }
    let first = peer.octets("wrap 1 01");
    let second = peer.octets("wrap 1 02");
    assert!(matches!(ours.unwrap(&second, now), Err(ContextError::Sequence(_))));
    assert!(ours.unwrap(&first, now).is_ok());
    assert!(ours.unwrap(&second, now).is_ok());
    assert!(matches!(ours.unwrap(&second, now), Err(ContextError::Sequence(_))));
    let token = ours.wrap(b"a", Protection::Integrity, now, &mut random).unwrap();
    let command = format!("unwrap {}", hex(&token));
    peer.tell(&command);
    // GSS_S_DUPLICATE_TOKEN.
    assert!(peer.tell(&command).starts_with("error 00000002"));
}

#[test]
#[ignore = "needs MIT's tools"]
fn mits_library_accepts_our_contexts() {
    for etype in EncType::ALL {
        let issue = issue(etype);
        let credential = issue.credential();
        let mut peer = Peer::new(&issue);
        let (token, awaiting) = Initiator::new(&credential).start(now(), &mut Counter(1));
        let answer = peer.tell(&format!("accept - {}", hex(&token)));
        let (reply, rest) = answer.split_once(' ').unwrap();
        // GSS_C_TRANS_FLAG and GSS_C_PROT_READY_FLAG are the library's own.
        assert_eq!(rest, format!("{} alice@EXAMPLE.COM -", ALL | 256 | 128), "{etype}");
        let mut ours = awaiting.finish(&unhex(reply).unwrap()).unwrap();
        assert_eq!(ours.role(), Role::Initiator);
        converse(&mut peer, &mut ours);
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn mits_library_accepts_our_contexts_without_an_answer() {
    for etype in EncType::ALL {
        let issue = issue(etype);
        let credential = issue.credential();
        let mut peer = Peer::new(&issue);
        let (token, mut ours) = Initiator::new(&credential)
            .with(ContextFlags::IDENTIFY)
            .without(ContextFlags::CONF)
            .start_one_way(now(), &mut Counter(1));
        let answer = peer.tell(&format!("accept - {}", hex(&token)));
        assert_eq!(
            answer,
            format!("- {} alice@EXAMPLE.COM -", 4 | 8 | 32 | 256 | 0x2000),
            "{etype}"
        );
        converse(&mut peer, &mut ours);
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn mits_library_gets_the_ticket_that_we_forward() {
    for etype in EncType::ALL {
        let issue = issue(etype);
        let credential = issue.credential();
        let tgt = Issue {
            service: principal("krbtgt/EXAMPLE.COM@EXAMPLE.COM"),
            flags: TicketFlags::FORWARDED | TicketFlags::FORWARDABLE,
            ..self::issue(etype)
        }
        .credential();
        let mut peer = Peer::new(&issue);
        let (token, awaiting) = Initiator::new(&credential)
            .delegating(&tgt)
            .start(now(), &mut Counter(1));
        let answer = peer.tell(&format!("accept - {}", hex(&token)));
        let (reply, rest) = answer.split_once(' ').unwrap();
        assert_eq!(
            rest,
            format!("{} alice@EXAMPLE.COM alice@EXAMPLE.COM", ALL | 1 | 256 | 128),
            "{etype}"
        );
        let ours = awaiting.finish(&unhex(reply).unwrap()).unwrap();
        assert!(ours.flags().contains(ContextFlags::DELEG));
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn mits_library_compares_our_channel_bindings() {
    let issue = issue(EncType::Aes256CtsHmacSha1_96);
    let credential = issue.credential();
    let mut random = Counter(1);
    let mut token = |bindings: Option<&[u8]>| {
        let initiator = Initiator::new(&credential);
        match bindings {
            Some(data) => initiator.with_bindings(ChannelBindings::of_application(data)),
            None => initiator,
        }
        .start(now(), &mut random)
        .0
    };
    for (ours, theirs, bound) in [
        (Some(&b"channel"[..]), "6368616e6e656c", Some(true)),
        (Some(b"another"), "6368616e6e656c", None),
        (None, "6368616e6e656c", Some(false)),
        (Some(b"channel"), "-", Some(false)),
    ] {
        let answer = Peer::new(&issue).tell(&format!("accept {theirs} {}", hex(&token(ours))));
        let Some(bound) = bound else {
            assert!(answer.starts_with(GSS_S_BAD_BINDINGS), "{answer}");
            continue;
        };
        let flags: u32 = answer.split(' ').nth(1).unwrap().parse().unwrap();
        assert_eq!(flags & ContextFlags::CHANNEL_BOUND.0 != 0, bound, "{answer}");
    }
}

/// Our acceptor's context with a peer whose first token asks for these flags.
fn accept_mit(peer: &mut Peer, issue: &Issue, flags: u32) -> Context {
    let token = peer.octets(&format!("init {} {flags} -", issue.service));
    let replays = MemoryReplayCache::new(ap::Acceptor::SKEW);
    let accepted = acceptor().accept(&token, &issue.keys()[..], &replays, None, now(), &mut Counter(4));
    let (reply, context, peer_of_ours, delegated) = accepted.unwrap().into_parts();
    assert_eq!(peer_of_ours.client(), &issue.client);
    assert_eq!(delegated, None);
    assert_eq!(reply.is_some(), flags & 2 != 0);
    if let Some(reply) = reply {
        let answer = peer.tell(&format!("finish {}", hex(&reply)));
        assert_eq!(answer, (flags | 256).to_string());
    }
    context
}

#[test]
#[ignore = "needs MIT's tools"]
fn our_acceptor_takes_contexts_of_mits_library() {
    for etype in EncType::ALL {
        for flags in [ALL, ALL & !2] {
            let issue = issue(etype);
            let mut peer = Peer::new(&issue);
            let mut ours = accept_mit(&mut peer, &issue, flags);
            assert_eq!(ours.flags().0, flags, "{etype}");
            assert_eq!(ours.role(), Role::Acceptor);
            converse(&mut peer, &mut ours);
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn messages_of_mits_library_may_be_lost_reordered_and_repeated_as_it_asks() {
    let issue = issue(EncType::Aes128CtsHmacSha256_128);
    let now = now().time;
    for (flags, repeated) in [(16 | 32 | 4, false), (16 | 32, true)] {
        let mut peer = Peer::new(&issue);
        let mut ours = accept_mit(&mut peer, &issue, flags);
        let tokens: Vec<_> = (0..5).map(|n| peer.octets(&format!("wrap 1 0{n}"))).collect();
        for n in [3, 0, 4, 1] {
            assert_eq!(ours.unwrap(&tokens[n], now).unwrap().data.len(), 1);
            assert_eq!(ours.unwrap(&tokens[n], now).is_ok(), repeated);
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn our_acceptor_compares_the_channel_bindings_of_mits_library() {
    let issue = issue(EncType::Aes256CtsHmacSha384_192);
    let own = Some(ChannelBindings::of_application(b"channel"));
    for (theirs, own, policy, bound) in [
        ("6368616e6e656c", own, BindingPolicy::IfPresent, Ok(true)),
        ("6368616e6e656c", own, BindingPolicy::Require, Ok(true)),
        ("6368616e6e656c", own, BindingPolicy::Ignore, Ok(false)),
        ("6368616e6e656c", None, BindingPolicy::IfPresent, Ok(false)),
        (
            "616e6f74686572",
            own,
            BindingPolicy::IfPresent,
            Err(Refusal::OtherBindings),
        ),
        (
            "616e6f74686572",
            own,
            BindingPolicy::Require,
            Err(Refusal::OtherBindings),
        ),
        ("616e6f74686572", own, BindingPolicy::Ignore, Ok(false)),
        ("-", own, BindingPolicy::IfPresent, Ok(false)),
        ("-", own, BindingPolicy::Require, Err(Refusal::NoBindings)),
    ] {
        let token = Peer::new(&issue).octets(&format!("init {} {ALL} {theirs}", issue.service));
        let replays = MemoryReplayCache::new(ap::Acceptor::SKEW);
        let accepted = acceptor().with_bindings(own, policy).accept(
            &token,
            &issue.keys()[..],
            &replays,
            None,
            now(),
            &mut Counter(4),
        );
        let found = accepted
            .map(|accepted| accepted.context().flags().contains(ContextFlags::CHANNEL_BOUND))
            .map_err(|error| error.refusal().clone());
        assert_eq!(found, bound, "{theirs} {policy:?}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn who_always_sends_channel_bindings_is_not_let_in_without() {
    let issue = issue(EncType::Aes256CtsHmacSha1_96);
    let own = Some(ChannelBindings::of_application(b"channel"));
    let aware = "client_aware_channel_bindings = true";
    for (setting, theirs, own, refusal) in [
        ("", "-", own, None),
        (aware, "-", own, Some(Refusal::NoBindings)),
        (aware, "6368616e6e656c", own, None),
        (aware, "-", None, None),
    ] {
        let token = Peer::configured(&issue, setting).octets(&format!("init {} {ALL} {theirs}", issue.service));
        let replays = MemoryReplayCache::new(ap::Acceptor::SKEW);
        let accepted = acceptor().with_bindings(own, BindingPolicy::IfPresent).accept(
            &token,
            &issue.keys()[..],
            &replays,
            None,
            now(),
            &mut Counter(4),
        );
        assert_eq!(accepted.err().map(|error| error.refusal().clone()), refusal);
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn mits_library_reads_our_error_token() {
    let issue = issue(EncType::Aes256CtsHmacSha1_96);
    let mut peer = Peer::new(&issue);
    let token = peer.octets(&format!("init {} {ALL} -", issue.service));
    let replays = MemoryReplayCache::new(ap::Acceptor::SKEW);
    let late = Timestamp::new(KerberosTime(now().time.0 + 3600), 0);
    let error = acceptor()
        .accept(&token, &issue.keys()[..], &replays, None, late, &mut Counter(4))
        .unwrap_err();
    let answer = peer.tell(&format!("finish {}", hex(&error.reply_token().unwrap())));
    // KRB5KRB_AP_ERR_SKEW is 37 after -1765328384.
    assert_eq!(answer, format!("error 000d0000 {}", 2_529_638_912_u32 + 37));
}
