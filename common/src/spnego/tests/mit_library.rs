//! Negotiations with MIT's library, which Python's `gssapi` speaks for. It finds its ticket and its key in files that are
//! made here; no KDC is needed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::super::accept::Offer as Received;
use super::fixture::{Along, Offer, Proof, acceptor, resp_of};
use crate::ap;
use crate::ap::tests::fixture::{Counter, Forgetful, Issue};
use crate::gss::{self, Context, Protection};
use crate::spnego::{InitiateStep, Mech, MechTypeList, NegState, NegToken, NegTokenInit, NegTokenResp, Step};
use crate::time::{KerberosTime, Timestamp};

use Mech::{Kerberos, MicrosoftKerberos, NegoEx, Ntlm};

#[allow(clippy::disallowed_methods, reason = "MIT's library lives in the present")]
fn present() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Timestamp {
        time: KerberosTime(since.as_secs().try_into().unwrap()),
        usec: since.subsec_micros(),
    }
}

fn issue(now: Timestamp) -> Issue {
    Issue {
        authtime: KerberosTime(now.time.0 - 600),
        starttime: Some(KerberosTime(now.time.0 - 300)),
        endtime: KerberosTime(now.time.0 + 36_000),
        ..Issue::default()
    }
}

/// MIT's end of a context.
struct Mit {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    complete: bool,
    _files: tempfile::TempDir,
}

impl Mit {
    fn start(role: &str, mech: &str, proof: Proof, issue: &Issue) -> Self {
        let files = tempfile::tempdir().unwrap();
        let path = |name: &str| files.path().join(name);
        let (cache, keytab) = issue.files();
        std::fs::write(path("ccache"), cache).unwrap();
        std::fs::write(path("keytab"), keytab).unwrap();
        std::fs::write(
            path("krb5.conf"),
            "[libdefaults]\n default_realm = EXAMPLE.COM\n dns_lookup_kdc = false\n rdns = false\n \
             dns_canonicalize_hostname = false\n",
        )
        .unwrap();
        let mut child = Command::new("/usr/bin/python3")
            .args(["-c", include_str!("mit_peer.py"), role, mech])
            .arg(if proof == Proof::Mutual { "mutual" } else { "one-way" })
            .env("KRB5_CONFIG", path("krb5.conf"))
            .env("KRB5CCNAME", format!("FILE:{}", path("ccache").display()))
            .env("KRB5_KTNAME", path("keytab"))
            .env("KRB5RCACHENAME", "none:")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            complete: false,
            _files: files,
        }
    }

    fn ask(&mut self, verb: &str, parts: &[&[u8]]) -> Result<Vec<u8>, String> {
        let hex = |part: &&[u8]| match part {
            [] => "-".to_owned(),
            part => part.iter().map(|octet| format!("{octet:02x}")).collect(),
        };
        let parts: Vec<String> = parts.iter().map(hex).collect();
        writeln!(self.stdin, "{verb} {}", parts.join(" ")).unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["ok", octets, complete] = words[..] else {
            return Err(line);
        };
        self.complete = complete == "1";
        let pairs = octets.as_bytes().chunks(2).filter(|pair| *pair != b"-");
        Ok(pairs
            .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect())
    }

    /// Takes a token, or begins, and gives the answer if there is one.
    #[track_caller]
    fn step(&mut self, token: &[u8]) -> Option<Vec<u8>> {
        let answer = self.ask("step", &[token]).unwrap();
        Some(answer).filter(|answer| !answer.is_empty())
    }

    /// What one wraps the other unwraps, both ways.
    #[track_caller]
    fn works_with(&mut self, context: &mut Context, now: Timestamp) {
        assert!(self.complete);
        let token = context
            .wrap(b"from here", Protection::Confidential, now.time, &mut Counter(41))
            .unwrap();
        assert_eq!(self.ask("unwrap", &[&token]).unwrap(), b"from here");
        let token = self.ask("wrap", &[b"from there"]).unwrap();
        let opened = context.unwrap(&token, now.time).unwrap();
        assert_eq!(opened.data.as_slice(), b"from there");
    }
}

impl Drop for Mit {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn accept(token: &[u8], issue: &Issue, now: Timestamp) -> Step {
    let keys = issue.keys();
    acceptor()
        .accept(token, &keys[..], &Forgetful, None, now, &mut Counter(21))
        .unwrap()
}

#[test]
#[ignore = "needs MIT's tools"]
fn mits_initiator_negotiates_with_our_acceptor() {
    for proof in Proof::BOTH {
        let now = present();
        let issue = issue(now);
        let mut mit = Mit::start("initiate", "spnego", proof, &issue);
        let Step::Done { token, mut accepted } = accept(&mit.step(&[]).unwrap(), &issue, now) else {
            panic!("it sends its token along");
        };
        assert_eq!(accepted.peer().client(), &issue.client);
        assert_eq!(mit.step(&token.unwrap()), None);
        mit.works_with(accepted.context_mut(), now);
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn mits_initiator_exchanges_mics_with_our_acceptor() {
    let now = present();
    let issue = issue(now);
    let mut mit = Mit::start("initiate", "spnego", Proof::Mutual, &issue);
    let token = mit.step(&[]).unwrap();
    let Ok(NegToken::Init(init)) = NegToken::decode(&token) else {
        panic!("an offer is first");
    };
    // As if something had been liked better.
    let keys = issue.keys();
    let accepted = gss::Acceptor::new(ap::Acceptor::for_any_service())
        .accept(
            init.mech_token.unwrap(),
            &keys[..],
            &Forgetful,
            None,
            now,
            &mut Counter(21),
        )
        .unwrap();
    let received = Received {
        mech_types: init.mech_types,
        mic_due: true,
    };
    let Ok(Step::Continue { token, state }) = received.conclude(accepted, Some(Kerberos), None, now) else {
        panic!("its MIC is due");
    };
    assert!(resp_of(&token).mech_list_mic.is_some());
    let answer = mit.step(&token).unwrap();
    assert!(resp_of(&answer).mech_list_mic.is_some());
    let step = state.step(&answer, &keys[..], &Forgetful, None, now, &mut Counter(22));
    let Ok(Step::Done {
        token: None,
        mut accepted,
    }) = step
    else {
        panic!("{step:?}");
    };
    mit.works_with(accepted.context_mut(), now);
}

#[test]
#[ignore = "needs MIT's tools"]
fn our_initiator_negotiates_with_mits_acceptor() {
    let rows = [
        (&[Kerberos, MicrosoftKerberos][..], Along::Kerberos, false),
        (&[MicrosoftKerberos], Along::Kerberos, false),
        (&[Kerberos], Along::Nothing, false),
        // With MICs from both ends.
        (&[Ntlm, Kerberos], Along::Ntlm, true),
        (&[NegoEx, Ntlm, MicrosoftKerberos, Kerberos], Along::Nothing, true),
    ];
    for (mechs, along, mics) in rows {
        for proof in Proof::BOTH {
            let now = present();
            let issue = issue(now);
            let mut mit = Mit::start("accept", "spnego", proof, &issue);
            let offer = Offer::of(mechs, along, proof);
            let credential = issue.credential();
            let (token, mut negotiating) = offer.start_at(&credential, now);
            let mut answer = mit.step(&token);
            let mut exchanged = 0;
            let mut context = loop {
                let arrived = answer.unwrap();
                exchanged += usize::from(resp_of(&arrived).mech_list_mic.is_some());
                let (token, state) = match negotiating.step(&arrived, now.time).unwrap() {
                    InitiateStep::Continue { token, state } => (Some(token), Ok(state)),
                    InitiateStep::Done { token, context } => (token, Err(context)),
                };
                answer = token.and_then(|token| {
                    exchanged += usize::from(resp_of(&token).mech_list_mic.is_some());
                    mit.step(&token)
                });
                match state {
                    Ok(state) => negotiating = state,
                    Err(context) => break context,
                }
            };
            assert_eq!(answer, None);
            assert_eq!(exchanged, if mics { 2 } else { 0 }, "{offer:?}");
            let initiator = mit.ask("initiator", &[]).unwrap();
            assert_eq!(initiator, issue.client.to_string().as_bytes());
            mit.works_with(&mut context, now);
        }
    }
}

// As a client that likes another mechanism better: the offer is made here, what Kerberos does for it is MIT's.
#[test]
#[ignore = "needs MIT's tools"]
fn mics_that_mits_mechanism_makes_are_those_that_are_due() {
    let now = present();
    let issue = issue(now);
    let keys = issue.keys();
    for proof in Proof::BOTH {
        let mut mit = Mit::start("initiate", "krb5", proof, &issue);
        let list = MechTypeList::new(NegoEx, &[Ntlm, Kerberos]);
        let offer = NegTokenInit {
            mech_types: list.clone(),
            mech_token: Some(b"NEGOEXTS"),
            hints: None,
            mech_list_mic: None,
        };
        let Step::Continue { token, state } = accept(&offer.encode(), &issue, now) else {
            panic!("another mechanism is liked better");
        };
        assert_eq!(resp_of(&token).neg_state, Some(NegState::RequestMic));
        let krb5 = mit.step(&[]).unwrap();
        let own = (proof == Proof::OneWay).then(|| mit.ask("mic", &[list.octets()]).unwrap());
        let answer = NegTokenResp {
            neg_state: Some(NegState::AcceptIncomplete),
            response_token: Some(&krb5),
            mech_list_mic: own.as_deref(),
            ..NegTokenResp::default()
        };
        let step = state.step(&answer.encode(), &keys[..], &Forgetful, None, now, &mut Counter(22));
        let mut accepted = match step.unwrap() {
            Step::Done { token, accepted } => {
                let token = token.unwrap();
                let theirs = resp_of(&token).mech_list_mic.unwrap();
                mit.ask("verify", &[list.octets(), theirs]).unwrap();
                accepted
            }
            Step::Continue { token, state } => {
                let answered = resp_of(&token);
                assert_eq!(mit.step(answered.response_token.unwrap()), None);
                mit.ask("verify", &[list.octets(), answered.mech_list_mic.unwrap()])
                    .unwrap();
                let own = mit.ask("mic", &[list.octets()]).unwrap();
                let last = NegTokenResp {
                    mech_list_mic: Some(&own),
                    ..NegTokenResp::default()
                };
                let step = state.step(&last.encode(), &keys[..], &Forgetful, None, now, &mut Counter(23));
                let Ok(Step::Done { token: None, accepted }) = step else {
                    panic!("{step:?}");
                };
                accepted
            }
        };
        mit.works_with(accepted.context_mut(), now);
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn mits_initiator_need_not_negotiate() {
    for proof in Proof::BOTH {
        let now = present();
        let issue = issue(now);
        let mut mit = Mit::start("initiate", "krb5", proof, &issue);
        let Step::Done { token, mut accepted } = accept(&mit.step(&[]).unwrap(), &issue, now) else {
            panic!("there is nothing to negotiate");
        };
        assert_eq!(token.is_some(), proof == Proof::Mutual);
        if let Some(token) = token {
            assert_eq!(mit.step(&token), None);
        }
        mit.works_with(accepted.context_mut(), now);
    }
}
