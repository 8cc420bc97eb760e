//! Tokens and messages: good once, whole and in their turn, or not at all; by hand, by our client and by MIT's library.

use super::*;

#[test]
fn a_first_token_is_good_once_and_whole() {
    let realm = realm();
    let session = ticket(&realm);
    let first = FirstToken::new(&session, context::USUAL);
    let Answer::Welcome(mut conversation) = begin(socket::connect(realm.admin()), &first) else {
        panic!("the first one is good")
    };
    let Answer::Error(34) = begin(socket::connect(realm.admin()), &first) else {
        panic!("KRB_AP_ERR_REPEAT")
    };
    assert_eq!(conversation.ask(&hello())["realm"], "EXAMPLE.COM");
    // The answer to it is of no use to who has no key: what was said before cannot be said again.
    let mut other = Conversation::begun(realm.admin(), &session);
    let token = conversation.wrap(list().to_string().as_bytes());
    socket::send(&mut other.stream, &token);
    assert!(other.is_ended());

    let whole = FirstToken::new(&session, context::USUAL);
    for at in (0..whole.octets.len()).step_by(7) {
        let mut altered = whole.clone();
        altered.octets[at] ^= 0x20;
        if let Answer::Welcome(mut conversation) = begin(socket::connect(realm.admin()), &altered) {
            // Options, and the type of the service's name, are nobody's secret; then the conversation is the client's own.
            assert_eq!(conversation.ask(&hello())["realm"], "EXAMPLE.COM", "octet {at}");
            break;
        }
    }
    for end in [0, 1, 20, whole.octets.len() / 2, whole.octets.len() - 1] {
        let mut cut = whole.clone();
        cut.octets.truncate(end);
        assert!(!matches!(
            begin(socket::connect(realm.admin()), &cut),
            Answer::Welcome(_)
        ));
    }
    realm.wait_for_log("reason=authenticator-replayed");
    realm.wait_for_log("reason=not-a-first-token");
    well(&realm);
}

#[test]
fn an_authenticator_that_is_late_or_anothers_is_refused() {
    let realm = realm();
    realm.add("bob/admin", PASSWORD);
    let session = ticket(&realm);
    type Alter = fn(&mut ApReq);
    let rows: [(&str, i64, Alter); 6] = [
        ("late", 37, |ap_req| ap_req.ctime -= 600),
        ("early", 37, |ap_req| ap_req.ctime += 600),
        ("another's", 36, |ap_req| ap_req.cname = Name::new("bob/admin")),
        ("another realm's", 36, |ap_req| ap_req.crealm = "EXAMPLE.ORG".into()),
        ("under another key", 31, |ap_req| ap_req.session_key = Key::random()),
        ("for a TGS-REQ", 31, |ap_req| ap_req.usage = 7),
    ];
    for (what, code, alter) in rows {
        let first = FirstToken::altered(&session, context::USUAL, alter);
        let Answer::Error(found) = begin(socket::connect(realm.admin()), &first) else {
            panic!("{what}")
        };
        assert_eq!(found, code, "{what}");
    }
    well(&realm);
}

#[test]
fn a_context_that_lacks_a_protection_is_refused() {
    let realm = realm();
    let session = ticket(&realm);
    // Nobody waits for an answer: there is none.
    let first = FirstToken::new(&session, context::USUAL & !context::MUTUAL);
    assert!(matches!(begin(socket::connect(realm.admin()), &first), Answer::Nothing));
    for (missing, name) in [
        (context::SEQUENCE, "sequence"),
        (context::CONF, "conf"),
        (context::INTEG, "integ"),
    ] {
        let first = FirstToken::new(&session, context::USUAL & !missing);
        let Answer::Welcome(mut conversation) = begin(socket::connect(realm.admin()), &first) else {
            panic!("{name}")
        };
        let (reason, message) = refusal(&conversation.ask(&hello()));
        assert_eq!(reason, "not-permitted");
        assert!(message.contains("in sequence"), "{message}");
        assert!(conversation.is_ended());
        realm.wait_for_log(&format!("without {name}"));
    }
    well(&realm);
}

#[test]
fn what_is_altered_repeated_reordered_or_only_signed_ends_the_conversation() {
    let realm = realm();
    let session = ticket(&realm);
    let message = list().to_string();
    let message = message.as_bytes();
    type Step = Box<dyn Fn(&mut Conversation) -> Vec<Vec<u8>>>;
    let altered = |at: usize| -> Step {
        Box::new(move |conversation| {
            let mut token = conversation.wrap(list().to_string().as_bytes());
            let at = at.min(token.len() - 1);
            token[at] ^= 1;
            vec![token]
        })
    };
    let mut rows: Vec<(String, usize, Step)> = [0, 1, 2, 3, 4, 6, 8, 15, 16, 40, usize::MAX]
        .into_iter()
        .map(|at| (format!("octet {at}"), 0, altered(at)))
        .collect();
    let of = move |conversation: &mut Conversation| conversation.wrap(list().to_string().as_bytes());
    rows.push((
        "repeated".into(),
        1,
        Box::new(move |conversation| vec![of(conversation); 2]),
    ));
    rows.push((
        "reordered".into(),
        0,
        Box::new(move |conversation| {
            let first = of(conversation);
            vec![of(conversation), first]
        }),
    ));
    rows.push((
        "left out".into(),
        0,
        Box::new(move |conversation| {
            conversation.send += 1;
            vec![of(conversation)]
        }),
    ));
    rows.push((
        "only signed".into(),
        0,
        Box::new(|conversation| vec![conversation.sign(list().to_string().as_bytes())]),
    ));
    rows.push((
        "in the clear".into(),
        0,
        Box::new(|_| vec![list().to_string().into_bytes()]),
    ));
    rows.push(("nothing".into(), 0, Box::new(|_| vec![Vec::new()])));
    rows.push((
        "a header alone".into(),
        0,
        Box::new(|conversation| vec![conversation.wrap(b"")[..16].to_vec()]),
    ));
    rows.push((
        "turned back".into(),
        0,
        Box::new(|conversation| {
            // The daemon's own last token.
            conversation.send(&list());
            vec![socket::receive(&mut conversation.stream).unwrap()]
        }),
    ));
    assert!(!message.is_empty());
    for (what, answers, step) in rows {
        let mut conversation = Conversation::open(realm.admin(), &session);
        for token in step(&mut conversation) {
            let length = u32::try_from(token.len()).unwrap().to_be_bytes();
            let _ = conversation.stream.write_all(&[&length[..], &token].concat());
        }
        for _ in 0..answers {
            let (reason, _) = refusal(&conversation.receive().unwrap());
            assert_eq!(reason, "not-permitted", "{what}");
        }
        assert!(conversation.is_ended(), "{what}");
    }
    realm.wait_for_log("is ended: not a sealed message of this conversation");
    realm.wait_for_log("is ended: a message that is signed and not sealed");
    well(&realm);
}

#[test]
fn a_good_token_with_nonsense_in_it_is_told_so_and_ends_the_conversation() {
    let realm = realm();
    let session = ticket(&realm);
    for nonsense in [
        &b""[..],
        b"{",
        b"null",
        b"\"stop\"",
        b"{\"show\":{\"name\":\"a\",\"all\":true}}",
        b"\xff\xff",
        &[b'['; 100_000],
    ] {
        let mut conversation = Conversation::open(realm.admin(), &session);
        let token = conversation.wrap(nonsense);
        socket::send(&mut conversation.stream, &token);
        let (reason, message) = refusal(&conversation.receive().unwrap());
        assert_eq!(reason, "invalid");
        assert!(message.starts_with("not a message of this protocol: "), "{message}");
        assert!(conversation.is_ended());
    }
    // Lengths that are not taken, before and after the context is there.
    let mut conversation = Conversation::open(realm.admin(), &session);
    conversation.stream.write_all(&u32::MAX.to_be_bytes()).unwrap();
    let (reason, message) = refusal(&conversation.receive().unwrap());
    assert_eq!(
        (reason.as_str(), message.contains("at most")),
        ("invalid", true),
        "{message}"
    );
    let mut stream = socket::connect(realm.admin());
    stream.write_all(&65_537_u32.to_be_bytes()).unwrap();
    assert_eq!(socket::receive(&mut stream), None);
    realm.wait_for_log("result=dropped reason=token-too-long");
    // Other versions.
    let mut conversation = Conversation::begun(realm.admin(), &session);
    let long = json!({"protocol": 1, "program": "x".repeat(1_000_000)});
    assert_eq!(refusal(&conversation.ask(&long)).0, "invalid");
    let mut conversation = Conversation::open(realm.admin(), &session);
    conversation.ask(&json!({"show": {"name": "x".repeat(1_000_000)}}));
    // Nobody fills the log with it.
    realm.wait_for_log("request=show");
    assert!(realm.log().lines().all(|line| line.len() < 4_000));
    let mut conversation = Conversation::begun(realm.admin(), &session);
    let (reason, message) = refusal(&conversation.ask(&json!({"protocol": 1, "program": "an old one"})));
    assert_eq!(reason, "invalid");
    assert!(
        message.starts_with("an old one speaks version 1 of the administration protocol"),
        "{message}"
    );
    well(&realm);
}

/// Passes what comes, and keeps it: each message of each direction may be altered.
struct Tap {
    address: SocketAddr,
    seen: Arc<std::sync::Mutex<Vec<u8>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

impl Tap {
    fn to(target: SocketAddr, alter: impl Fn(Way, usize, &mut Vec<u8>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, alter) = (Arc::new(std::sync::Mutex::new(Vec::new())), Arc::new(alter));
        let keep = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(target).unwrap();
                for (way, mut from, mut to) in [
                    (Way::There, client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (Way::Back, server, client),
                ] {
                    let (alter, keep) = (Arc::clone(&alter), Arc::clone(&keep));
                    thread::spawn(move || {
                        for n in 0.. {
                            let Some(mut message) = whole(&mut from) else {
                                break;
                            };
                            keep.lock().unwrap().extend_from_slice(&message);
                            alter(way, n, &mut message);
                            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
                            if to.write_all(&[&length[..], &message].concat()).is_err() {
                                break;
                            }
                        }
                        let _ = to.shutdown(std::net::Shutdown::Both);
                        let _ = from.shutdown(std::net::Shutdown::Both);
                    });
                }
            }
        });
        Self { address, seen }
    }
}

fn whole(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length).ok()?;
    let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap().min(8 << 20)];
    from.read_exact(&mut message).ok()?;
    Some(message)
}

#[test]
fn our_client_believes_nothing_that_was_altered_on_the_way() {
    let realm = realm();
    let desk = realm.workstation();
    let through = |tap: &Tap| {
        let tool = at(tap.address, &desk, "-p alice/admin add mallory --password-file");
        let file = desk.path("new-password");
        std::fs::write(&file, "queen-of-hearts\n").unwrap();
        tool.arg(file).stdin(format!("{PASSWORD}\n")).run()
    };
    let honest = Tap::to(realm.admin(), |_, _, _| {});
    through(&honest).refused_with(NO_RIGHT);
    for secret in ["queen-of-hearts", PASSWORD, "mallory", "no right"] {
        let seen = honest.seen.lock().unwrap();
        assert!(
            !seen.windows(secret.len()).any(|part| part == secret.as_bytes()),
            "{secret}"
        );
    }
    // The daemon's proof, its greeting and its answer; and what goes there.
    for (way, which, says) in [
        (Way::Back, 0, "did not prove to be kadmin/admin@EXAMPLE.COM"),
        (Way::Back, 1, "not a sealed message"),
        (Way::Back, 2, "not a sealed message"),
        (Way::There, 0, "does not take the ticket"),
        (Way::There, 1, "hung up"),
        (Way::There, 2, "hung up"),
    ] {
        let tap = Tap::to(realm.admin(), move |is, n, message| {
            if is == way && n == which {
                let last = message.len() - 1;
                message[last] ^= 1;
            }
        });
        through(&tap).refused_with(says);
    }
    well(&realm);
}

#[test]
#[ignore = "needs Python's gssapi and MIT's tools"]
fn mits_library_seals_a_conversation_as_ours_does() {
    let realm = realm();
    let desk = realm.workstation();
    desk.mit("kinit -S kadmin/admin alice/admin")
        .stdin(format!("{PASSWORD}\n"))
        .run()
        .ok();
    let said = desk
        .python("remote/client.py")
        .arg(realm.admin().to_string())
        .arg(list().to_string())
        .arg(json!({"show": {"name": "x".repeat(100_000)}}).to_string())
        .run()
        .ok();
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["realm"], "EXAMPLE.COM");
    let refusals: Vec<String> = lines[1..].iter().map(|line| refusal(line).0).collect();
    assert_eq!(refusals, ["not-permitted", "invalid"], "no name is so long: {said}");
}
