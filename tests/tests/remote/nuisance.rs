//! The slow, the many, those who hang up and those who talk nonsense.

use super::*;

#[test]
fn the_slow_the_silent_and_the_many_keep_nobody_on_this_machine_out() {
    let realm = realm();
    let session = ticket(&realm);
    let from = |last: u8| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let own = SocketAddr::from((Ipv4Addr::new(127, 0, 1, last), 0));
        socket.bind(&own.into()).unwrap();
        socket.connect(&realm.admin().into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    };
    let start = Instant::now();
    // Four of one address are let in and waited for; a fifth is not.
    let mut held: Vec<_> = (0..4).map(|_| from(1)).collect();
    let mut fifth = from(1);
    assert_eq!(fifth.read(&mut [0]).unwrap_or(0), 0, "the fifth of one address");
    realm.wait_for_log("result=dropped reason=busy");
    Conversation::open(realm.admin(), &session);
    // Half a token, an octet at a time, a whole one that is garbage, and nothing at all.
    held[0].write_all(&[0, 0, 1, 0, 0x60]).unwrap();
    held[1].write_all(&[0, 0]).unwrap();
    socket::send(&mut held[2], &random::<200>());
    assert_eq!(held[2].read(&mut [0]).unwrap(), 0);
    // And all the others that fit, from as many addresses.
    held.extend((2..=8).flat_map(|last| (0..4).map(move |_| last)).map(from));
    let mut late = from(9);
    assert!(late.read(&mut [0]).is_ok_and(|octets| octets == 0) || late.take_error().is_ok());
    realm.principal("list").run().ok();
    // However they drip: it takes ten seconds, and no more.
    while start.elapsed() < Duration::from_secs(9) {
        let _ = held[0].write_all(&[0]);
        thread::sleep(Duration::from_millis(500));
    }
    for stream in &mut held {
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert!(
        start.elapsed() < Duration::from_secs(50),
        "they were waited for too long"
    );
    realm.wait_for_log("result=dropped reason=too-slow");
    Conversation::open(realm.admin(), &session);
    well(&realm);
}

#[test]
fn whoever_proves_who_it_is_and_does_not_greet_in_time_is_counted_as_too_slow() {
    let realm = builder().watched().start();
    realm.add("alice/admin", PASSWORD);
    let mut silent = Conversation::begun(realm.admin(), &ticket(&realm));
    silent.stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert!(silent.is_ended());
    let page = Exposition::parse(&http::get(realm.metrics(), "/metrics").body);
    let slow = page.sum(
        "tessera_connections_dropped_total",
        &[("listener", "admin"), ("reason", "too-slow")],
    );
    assert!((slow - 1.0).abs() < f64::EPSILON, "{slow}");
    Conversation::open(realm.admin(), &ticket(&realm));
}

#[test]
fn one_administrator_does_not_take_all_places() {
    let realm = realm();
    let session = ticket(&realm);
    let mut open: Vec<_> = (0..8).map(|_| Conversation::open(realm.admin(), &session)).collect();
    let mut ninth = Conversation::open(realm.admin(), &session);
    let (reason, message) = refusal(&ninth.receive().unwrap());
    assert_eq!(reason, "unavailable", "{message}");
    assert!(ninth.is_ended());
    realm.add("bob/admin", PASSWORD);
    let mut bob = Conversation::open(realm.admin(), &ticket_for(&realm, "bob/admin", "kadmin/admin"));
    assert_eq!(refusal(&bob.ask(&list())).0, "not-permitted");
    for conversation in &mut open {
        assert_eq!(refusal(&conversation.ask(&list())).0, "not-permitted");
    }
    drop(open);
    let room = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(20));
        let mut next = Conversation::open(realm.admin(), &session);
        next.send(&list());
        next.receive()
            .is_some_and(|answer| refusal(&answer).0 == "not-permitted")
    });
    assert!(room);
}

#[test]
fn garbage_from_afar_hurts_nobody() {
    let realm = realm();
    let good = FirstToken::new(&ticket(&realm), context::USUAL);
    for n in 0..120_usize {
        let noise = random::<256>();
        let packet = match n % 8 {
            0 => vec![0xff; 8],
            1 => [&[0, 0, 0, 10][..], b"{\"proto"].concat(),
            2 => [&[0, 0, 0, 2][..], b"{}"].concat(),
            3 => noise.to_vec(),
            4 => [&[0, 0, 0, 200][..], &noise[..200]].concat(),
            5 => [&[0, 0, 0, 60][..], &framed(&noise[..40])].concat(),
            6 => [&[0, 0, 0, 0][..], &good.octets].concat(),
            _ => Vec::new(),
        };
        let mut stream = socket::connect(realm.admin());
        let _ = stream.write_all(&packet);
        if n % 3 == 0 {
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
    well(&realm);
}

#[test]
fn a_change_whose_connection_dies_is_done_whole_and_logged() {
    let realm = Realm::start();
    let stream = UnixStream::connect(realm.state().join("admin.sock")).unwrap();
    let say = |mut stream: &UnixStream, message: Value| {
        let text = message.to_string();
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length[..], text.as_bytes()].concat()).unwrap();
    };
    say(&stream, hello());
    // The greeting comes back before anything else is said; a connection that dies before is none.
    let mut welcome = stream.try_clone().unwrap();
    let mut length = [0; 4];
    welcome.read_exact(&mut length).unwrap();
    let mut greeting = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    welcome.read_exact(&mut greeting).unwrap();
    // It costs half a second to make these keys, and nobody waits for them.
    let many: Vec<Value> = (0..40)
        .map(|n| json!({"name": format!("user-{n}"), "keys": {"password": "wonderland"}}))
        .collect();
    say(&stream, json!({"import": {"principals": many}}));
    drop((stream, welcome));
    realm.wait_for_log("request=import count=40 result=done answered=no");
    let listed = realm.principal("list user-*").run().ok();
    assert_eq!(listed.matches("user-").count(), 40, "{listed}");
    // One that was never sent whole was never asked for.
    let mut stream = UnixStream::connect(realm.state().join("admin.sock")).unwrap();
    let half = b"{\"add\":{\"name\":\"half\"";
    let hello = hello().to_string();
    let length = u32::try_from(hello.len()).unwrap().to_be_bytes();
    stream
        .write_all(&[&length[..], hello.as_bytes(), &[0, 0, 0, 60], half].concat())
        .unwrap();
    drop(stream);
    realm.wait_for_log("an administrator from admin.sock is ended: the connection failed");
    assert!(!realm.principal("list").run().ok().contains("half"));
}

/// A million bad requests, most of them over the socket, where nothing but the request costs anything; the daemon is no
/// larger afterwards.
#[test]
fn a_million_bad_requests_leave_no_trace_in_memory() {
    const OVER_SOCKET: usize = 980_000;
    const OVER_NETWORK: usize = 20_000;
    const SEALED: usize = 20_000;
    const GROWTH_KB: usize = 24 << 10;
    let realm = realm();
    let session = ticket(&realm);
    // Enough of each that whatever is kept once is there.
    over_socket(&realm, 20_000);
    sealed(&realm, &session, 1_000);
    garbage(&realm, 500);
    let before = resident_kb(&realm);
    thread::scope(|scope| {
        scope.spawn(|| over_socket(&realm, OVER_SOCKET));
        scope.spawn(|| garbage(&realm, OVER_NETWORK));
        scope.spawn(|| sealed(&realm, &session, SEALED));
    });
    let after = resident_kb(&realm);
    println!("resident: {before} kB before, {after} kB after");
    assert!(after < before + GROWTH_KB, "{before} kB before, {after} kB after");
    realm.principal("list").run().ok();
    Conversation::open(realm.admin(), &session);
}

fn resident_kb(realm: &Realm) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", realm.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Requests that are refused, one connection for all of a kind, many under way at a time.
fn over_socket(realm: &Realm, count: usize) {
    const AT_A_TIME: usize = 500;
    let rows = [
        json!({"show": {"name": "nobody"}}),
        json!({"lock": {"name": "no\\xbody/here"}}),
        json!({"add": {"name": "alice/admin", "keys": "random"}}),
        json!({"set": {"name": "nobody", "settings": {"max-life": "1h"}}}),
        json!({"rename": {"name": "krbtgt/EXAMPLE.COM", "to": "x"}}),
        json!({"keytab": {"names": ["nobody", "nobody"], "rotate": true}}),
        json!({"add-rule": {"name": "!", "parts": {}}}),
    ];
    let mut stream = UnixStream::connect(realm.state().join("admin.sock")).unwrap();
    let packet = |message: &Value| {
        let text = message.to_string();
        [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
    };
    stream.write_all(&packet(&hello())).unwrap();
    let mut read = std::io::BufReader::with_capacity(1 << 20, stream.try_clone().unwrap());
    let mut answer = move || {
        let mut length = [0; 4];
        read.read_exact(&mut length).unwrap();
        let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        read.read_exact(&mut message).unwrap();
        message
    };
    assert!(answer().starts_with(b"{\"protocol\""));
    let batch: Vec<u8> = rows.iter().cycle().take(AT_A_TIME).flat_map(packet).collect();
    for _ in 0..count / AT_A_TIME {
        stream.write_all(&batch).unwrap();
        for _ in 0..AT_A_TIME {
            assert!(answer().starts_with(b"{\"refused\""));
        }
    }
}

/// Connections that send what is no first token.
fn garbage(realm: &Realm, count: usize) {
    for n in 0..count {
        let noise = random::<64>();
        let Ok(mut stream) = TcpStream::connect(realm.admin()) else {
            continue;
        };
        let packet = match n % 4 {
            0 => [&[0, 0, 0, 64][..], &noise].concat(),
            1 => [&[0, 0, 0, 55][..], &framed(&noise[..40])].concat(),
            2 => noise.to_vec(),
            _ => Vec::new(),
        };
        let _ = stream.write_all(&packet);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read(&mut [0; 256]);
    }
}

/// Sealed requests of somebody who has no right; every hundredth is nonsense, and ends its conversation.
fn sealed(realm: &Realm, session: &Session, count: usize) {
    for _ in 0..count / 100 {
        let mut conversation = Conversation::open(realm.admin(), session);
        for _ in 0..99 {
            conversation.send(&list());
        }
        let nonsense = conversation.wrap(b"{\"nonsense\":1}");
        socket::send(&mut conversation.stream, &nonsense);
        for _ in 0..99 {
            assert_eq!(refusal(&conversation.receive().unwrap()).0, "not-permitted");
        }
        assert_eq!(refusal(&conversation.receive().unwrap()).0, "invalid");
    }
}
