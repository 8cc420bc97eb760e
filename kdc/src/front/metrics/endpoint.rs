//! The listener and its connections: one request each, bounded in number, size and time. What is slow here is slow for who asks
//! here, and for nobody else.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

use super::MetricsFront;
use super::http::{Head, MAX_HEAD, Page, Status, head, response};
use super::places::{MOST, Place, Places, Taken};
use crate::metrics::{Connections, Format, Gauge};
use crate::net::{BindError, ConnectionCounts, Ended, HandedOver, TcpSocket};

/// How much is read after the answer.
const LINGER_OCTETS: usize = 64 * 1024;
/// How long it is waited when no connection can be accepted.
const REST: Duration = Duration::from_millis(100);

/// How long what may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// A request, from the connection to the end of its head.
    request: Duration,
    /// Of that, so much for certain, however many others come.
    grace: Duration,
    /// Whoever asked to take in the answer.
    answer: Duration,
    /// What is still read then: a connection that is closed with something unread is reset, and that overtakes the answer.
    linger: Duration,
    /// A page to be as good as a new one: so the worst that asking can do is bounded.
    fresh: Duration,
}

const LIMITS: Limits = Limits {
    request: Duration::from_secs(5),
    grace: Duration::from_millis(250),
    answer: Duration::from_secs(10),
    linger: Duration::from_secs(1),
    fresh: Duration::from_millis(100),
};

/// For what reasons a connection is ended before its time.
const REASONS: [Ended; 4] = [Ended::Evicted, Ended::Idle, Ended::TooSlow, Ended::Unread];

const TEXT: &str = "text/plain; charset=utf-8";

/// A listener, bound and not served yet.
pub struct MetricsListener(TcpSocket);

impl MetricsListener {
    /// Takes the one that was handed over, or binds it; port 0 takes any free one.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn open(address: SocketAddr, handed: &mut HandedOver) -> Result<Self, BindError> {
        TcpSocket::open(address, handed).map(Self)
    }

    /// The address, with the port that was bound.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Serves all of these until the runtime that this is called in ends: who asks while the daemon stops hears that it does.
    ///
    /// # Errors
    /// When the runtime does not take a listener.
    pub fn serve(listeners: Vec<Self>, front: &Arc<MetricsFront>) -> io::Result<Vec<JoinHandle<()>>> {
        let desk = Arc::new(Desk::new(Arc::clone(front), LIMITS));
        let listeners = listeners.into_iter().map(|listener| {
            let listener = TcpListener::from_std(listener.0.into())?;
            let desk = Arc::clone(&desk);
            Ok(tokio::spawn(async move {
                loop {
                    let stream = match listener.accept().await {
                        Ok((stream, _)) => stream,
                        Err(why) => {
                            desk.front
                                .accounting
                                .log()
                                .error(format_args!("accepting for metrics: {why}"));
                            sleep(REST).await;
                            continue;
                        }
                    };
                    desk.begin(stream).await;
                }
            }))
        });
        listeners.collect()
    }
}

/// Who answers.
trait Pages: Send + Sync + 'static {
    fn metrics(&self, own: Connections, format: Format) -> String;
    fn readiness(&self) -> Result<String, String>;
    fn counts(&self) -> &ConnectionCounts;
}

impl Pages for MetricsFront {
    fn metrics(&self, own: Connections, format: Format) -> String {
        self.page(own, format)
    }

    fn readiness(&self) -> Result<String, String> {
        Self::readiness(self)
    }

    fn counts(&self) -> &ConnectionCounts {
        &self.counts
    }
}

struct Desk<P> {
    limits: Limits,
    front: Arc<P>,
    places: Arc<Places>,
    /// The last page.
    last: Mutex<Option<(Instant, Format, Arc<str>)>>,
}

impl<P: Pages> Desk<P> {
    fn new(front: Arc<P>, limits: Limits) -> Self {
        Self {
            limits,
            front,
            places: Arc::new(Places::new(limits.grace)),
            last: Mutex::default(),
        }
    }

    async fn begin(self: &Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let (place, taken) = self.places.take().await;
        let counts = self.front.counts();
        counts.accepted();
        if taken == Taken::FromAnother {
            counts.ended(Ended::Evicted);
        }
        let (desk, number) = (Arc::clone(self), place.number());
        let task = tokio::spawn(async move { desk.converse(stream, place).await });
        self.places.ends(number, task.abort_handle());
    }

    async fn converse(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, place: Place) {
        let mut received = Vec::new();
        let asked = match timeout(self.limits.request, read_head(&mut stream, &mut received)).await {
            Ok(Ok(head)) => head,
            // Whoever asks has gone.
            Ok(Err(_)) => return,
            Err(_) if received.is_empty() => {
                self.front.counts().ended(Ended::Idle);
                return;
            }
            Err(_) => {
                self.front.counts().ended(Ended::TooSlow);
                Head::Refused(Status::RequestTimeout)
            }
        };
        if !place.keep() {
            return;
        }
        let answer = self.answer(asked).await;
        match timeout(self.limits.answer, send(&mut stream, &answer)).await {
            Ok(Ok(())) => drop(timeout(self.limits.linger, drain(&mut stream)).await),
            Ok(Err(_)) => {}
            Err(_) => self.front.counts().ended(Ended::Unread),
        }
    }

    async fn answer(&self, asked: Head) -> Vec<u8> {
        let (page, only_head) = match asked {
            Head::Asked { page, only_head } => (page, only_head),
            Head::Refused(status) => return response(status, TEXT, status.sentence(), false),
            Head::Part => return response(Status::BadRequest, TEXT, Status::BadRequest.sentence(), false),
        };
        match page {
            Page::Healthz => response(Status::Ok, TEXT, Status::Ok.sentence(), only_head),
            Page::Readyz => match self.front.readiness() {
                Ok(how) => response(Status::Ok, TEXT, &how, only_head),
                Err(why) => response(Status::Unavailable, TEXT, &why, only_head),
            },
            Page::Metrics(format) => match self.metrics(format).await {
                Some(page) => response(Status::Ok, format.media_type(), &page, only_head),
                None => response(Status::Unavailable, TEXT, Status::Unavailable.sentence(), only_head),
            },
        }
    }

    // Made by one at a time, on a thread that may wait.
    async fn metrics(&self, format: Format) -> Option<Arc<str>> {
        let mut last = self.last.lock().await;
        if let Some((made, of, page)) = &*last
            && *of == format
            && made.elapsed() < self.limits.fresh
        {
            return Some(Arc::clone(page));
        }
        let (front, taken) = (Arc::clone(&self.front), self.places.taken());
        let made = Instant::now();
        let page = spawn_blocking(move || {
            let open = Gauge {
                now: taken as u64,
                limit: MOST as u64,
            };
            let own = front.counts().read(open, &REASONS);
            front.metrics(own, format)
        });
        let page: Arc<str> = page.await.ok()?.into();
        *last = Some((made, format, Arc::clone(&page)));
        Some(page)
    }
}

// Until the head is whole, or cannot become so.
async fn read_head(stream: &mut (impl AsyncRead + Unpin), received: &mut Vec<u8>) -> io::Result<Head> {
    let mut octets = [0; 1024];
    loop {
        let room = octets.len().min(MAX_HEAD + 1 - received.len().min(MAX_HEAD));
        let read = stream.read(octets.get_mut(..room).unwrap_or_default()).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        received.extend_from_slice(octets.get(..read).unwrap_or_default());
        let head = head(received);
        if head != Head::Part {
            return Ok(head);
        }
    }
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer).await?;
    stream.shutdown().await
}

async fn drain(stream: &mut (impl AsyncRead + Unpin)) {
    let mut octets = [0; 4096];
    let mut left = LINGER_OCTETS;
    while let Ok(read @ 1..) = stream.read(&mut octets).await {
        match left.checked_sub(read) {
            Some(less) => left = less,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};
    use tokio::task::yield_now;

    use super::*;

    #[derive(Default)]
    struct Sample {
        counts: ConnectionCounts,
    }

    impl Pages for Sample {
        fn metrics(&self, own: Connections, _: Format) -> String {
            // Longer than what a test's connection holds.
            format!("{} {}", own.open.now, "x".repeat(10_000))
        }

        fn readiness(&self) -> Result<String, String> {
            Err("stopping\n".into())
        }

        fn counts(&self) -> &ConnectionCounts {
            &self.counts
        }
    }

    /// Nothing happens for want of time.
    const LONG: Duration = Duration::from_secs(1000);
    /// It happens soon.
    const SHORT: Duration = Duration::from_millis(20);
    const PATIENT: Limits = Limits {
        request: LONG,
        grace: LONG,
        answer: LONG,
        linger: LONG,
        fresh: Duration::ZERO,
    };

    struct House {
        desk: Arc<Desk<Sample>>,
    }

    impl House {
        fn new(limits: Limits) -> Self {
            let desk = Arc::new(Desk::new(Arc::default(), limits));
            Self { desk }
        }

        async fn connect(&self) -> DuplexStream {
            let (ours, theirs) = duplex(512);
            self.desk.begin(theirs).await;
            ours
        }

        fn dropped(&self, reason: &str) -> u64 {
            let read = self.desk.front.counts.read(Gauge::default(), &REASONS);
            read.dropped.iter().find(|(name, _)| *name == reason).unwrap().1
        }

        async fn until_nobody_is_left(&self) {
            while self.desk.places.taken() > 0 {
                yield_now().await;
            }
        }
    }

    async fn ask(stream: &mut DuplexStream, request: &str) -> String {
        stream.write_all(request.as_bytes()).await.unwrap();
        read_all(stream).await
    }

    async fn read_all(stream: &mut DuplexStream) -> String {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    const METRICS: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

    #[tokio::test]
    async fn each_page_and_each_refusal_ends_the_connection() {
        let house = House::new(PATIENT);
        for (request, status) in [
            (METRICS, "200 OK"),
            ("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK"),
            ("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "503 Service Unavailable"),
            ("GET /secrets HTTP/1.1\r\nHost: x\r\n\r\n", "404 Not Found"),
            (
                "POST /metrics HTTP/1.1\r\nHost: x\r\n\r\nall of this",
                "405 Method Not Allowed",
            ),
            ("\u{16}\u{3}\u{1}\r\n\r\n", "400 Bad Request"),
        ] {
            let mut stream = house.connect().await;
            let answer = ask(&mut stream, request).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
                "{request:?}: {answer}"
            );
        }
        let mut stream = house.connect().await;
        let huge = format!("GET /metrics HTTP/1.1\r\nA: {}", "a".repeat(MAX_HEAD));
        let answer = ask(&mut stream, &huge).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }

    #[tokio::test]
    async fn who_says_nothing_is_hung_up_on_and_who_is_slow_is_told() {
        let house = House::new(Limits {
            request: SHORT,
            ..PATIENT
        });
        let mut silent = house.connect().await;
        assert_eq!(read_all(&mut silent).await, "");
        let mut slow = house.connect().await;
        slow.write_all(b"G").await.unwrap();
        let answer = read_all(&mut slow).await;
        // On a machine that is slow itself, the one octet may come too late, too.
        let late = [house.dropped("idle"), house.dropped("too-slow")];
        assert!(
            answer.starts_with("HTTP/1.1 408 ") && late == [1, 1] || late == [2, 0],
            "{late:?} {answer}"
        );
    }

    #[tokio::test]
    async fn who_does_not_read_loses_its_place() {
        let house = House::new(Limits {
            answer: SHORT,
            ..PATIENT
        });
        let mut deaf = house.connect().await;
        deaf.write_all(METRICS.as_bytes()).await.unwrap();
        house.until_nobody_is_left().await;
        assert_eq!(house.dropped("unread"), 1);
        drop(deaf);
        let mut gone = house.connect().await;
        gone.write_all(METRICS.as_bytes()).await.unwrap();
        drop(gone);
        house.until_nobody_is_left().await;
    }

    #[tokio::test]
    async fn who_goes_on_sending_is_not_listened_to_for_ever() {
        let house = House::new(PATIENT);
        let mut endless = house.connect().await;
        let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        endless.write_all(request.as_bytes()).await.unwrap();
        while endless.write_all(&[0; 4096]).await.is_ok() {}
        house.until_nobody_is_left().await;
    }

    #[tokio::test]
    async fn hundreds_who_ask_are_all_answered_in_turn() {
        let house = House::new(PATIENT);
        let mut tasks = Vec::new();
        for _ in 0..300 {
            let mut stream = house.connect().await;
            tasks.push(tokio::spawn(async move { ask(&mut stream, METRICS).await }));
            assert!(house.desk.places.taken() <= MOST);
        }
        for task in tasks {
            assert!(task.await.unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
        }
        assert_eq!(house.dropped("evicted"), 0);
    }

    #[tokio::test]
    async fn hundreds_who_only_connect_do_not_keep_out_one_who_asks() {
        let house = House::new(Limits {
            grace: Duration::ZERO,
            ..PATIENT
        });
        let mut hogs = Vec::new();
        for _ in 0..300 {
            hogs.push(house.connect().await);
        }
        let mut stream = house.connect().await;
        assert!(ask(&mut stream, METRICS).await.starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(house.dropped("evicted"), 301 - MOST as u64);
        assert!(house.desk.places.taken() <= MOST);
        assert_eq!(read_all(hogs.first_mut().unwrap()).await, "");
    }

    #[tokio::test]
    async fn a_page_is_kept_for_as_long_as_it_is_fresh() {
        for (fresh, same) in [(LONG, true), (Duration::ZERO, false)] {
            let house = House::new(Limits { fresh, ..PATIENT });
            let mut first = house.connect().await;
            let one = ask(&mut first, METRICS).await;
            drop(first);
            house.until_nobody_is_left().await;
            let mut others = [house.connect().await, house.connect().await];
            let [other, _] = &mut others;
            // How many are connected is in it.
            assert_eq!(ask(other, METRICS).await == one, same, "{fresh:?}");
        }
    }
}
