//! As much of HTTP/1 (RFC 9112) as it takes to be asked for a page: the head of one request in, one whole response out, and the
//! connection is over.

use crate::metrics::Format;

/// The longest head of a request that is read, in octets.
pub const MAX_HEAD: usize = 8 * 1024;
/// The most fields in it.
const MAX_FIELDS: usize = 64;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// `/metrics`, in this format.
    Metrics(Format),
    /// `/healthz`: whether the process answers.
    Healthz,
    /// `/readyz`: whether it serves.
    Readyz,
}

/// What has come of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Not all of its head.
    Part,
    /// A request for this page.
    Asked {
        /// Which.
        page: Page,
        /// HEAD: all but the page itself.
        only_head: bool,
    },
    /// Something that is refused.
    Refused(Status),
}

/// How a response begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Here it is.
    Ok,
    /// Not HTTP/1, or not as it should be.
    BadRequest,
    /// There is no such page.
    NotFound,
    /// A page can only be got.
    MethodNotAllowed,
    /// The request took too long to come.
    RequestTimeout,
    /// The head is longer than is read.
    HeadTooLarge,
    /// Not now.
    Unavailable,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::RequestTimeout => "408 Request Timeout",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
        }
    }

    /// A sentence for whoever is refused.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Ok => "ok\n",
            Self::BadRequest => "this is no request of HTTP/1.1\n",
            Self::NotFound => "there are /metrics, /healthz and /readyz\n",
            Self::MethodNotAllowed => "only GET and HEAD are answered\n",
            Self::RequestTimeout => "the request did not come in time\n",
            Self::HeadTooLarge => "the head of the request is longer than 8192 octets, or has more than 64 fields\n",
            Self::Unavailable => "not now\n",
        }
    }
}

/// Looks at what has come of a request. What follows its head is nobody's business: there is one request a connection.
#[must_use]
pub fn head(octets: &[u8]) -> Head {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(octets) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => {}
        Ok(httparse::Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => {
            return Head::Refused(Status::HeadTooLarge);
        }
        Ok(httparse::Status::Partial) if octets.len() < MAX_HEAD => return Head::Part,
        Ok(httparse::Status::Partial) => return Head::Refused(Status::HeadTooLarge),
        Err(_) => return Head::Refused(Status::BadRequest),
    }
    let named = |name: &'static str| {
        let fields = request.headers.iter();
        fields
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value)
    };
    // RFC 9112 §3.2: exactly one Host, but for clients of HTTP/1.0.
    let hosts = named("host").count();
    if hosts > 1 || hosts == 0 && request.version == Some(1) {
        return Head::Refused(Status::BadRequest);
    }
    let only_head = match request.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return Head::Refused(Status::MethodNotAllowed),
    };
    let page = match path(request.path.unwrap_or_default()) {
        "/metrics" => Page::Metrics(preferred(named("accept"))),
        "/healthz" => Page::Healthz,
        "/readyz" => Page::Readyz,
        _ => return Head::Refused(Status::NotFound),
    };
    Head::Asked { page, only_head }
}

// RFC 9112 §3.2.2: whoever takes this for a proxy names scheme and host, too.
fn path(target: &str) -> &str {
    let target = match target.split_at_checked("http://".len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http://") => {
            rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
        }
        _ => target,
    };
    target.split(['?', '#']).next().unwrap_or_default()
}

// OpenMetrics only for who likes it at least as well as the other (RFC 9110 §12.5.1).
fn preferred<'a>(accepted: impl Iterator<Item = &'a [u8]>) -> Format {
    let (mut open, mut plain) = (0, 0);
    for range in accepted
        .filter_map(|value| core::str::from_utf8(value).ok())
        .flat_map(|value| value.split(','))
    {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let (mut quality, mut version) = (1000, "1.0.0");
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            if name.eq_ignore_ascii_case("q") {
                quality = thousandths(value);
            } else if name.eq_ignore_ascii_case("version") {
                version = value.trim_matches('"');
            }
        }
        if media.eq_ignore_ascii_case("application/openmetrics-text") && version == "1.0.0" {
            open = open.max(quality);
        } else if ["text/plain", "text/*"]
            .iter()
            .any(|text| media.eq_ignore_ascii_case(text))
        {
            plain = plain.max(quality);
        }
    }
    if open > 0 && open >= plain {
        Format::OpenMetrics
    } else {
        Format::Prometheus
    }
}

// RFC 9110 §12.4.2: 0 to 1, with up to three digits behind the point. Anything else is no wish at all.
fn thousandths(quality: &str) -> u32 {
    let (whole, part) = quality.split_once('.').unwrap_or((quality, ""));
    let digits = format!("{part:0<3}");
    match (whole, digits.len(), digits.parse::<u32>()) {
        ("1", 3, Ok(0)) => 1000,
        ("0", 3, Ok(thousandths)) => thousandths,
        _ => 0,
    }
}

/// A whole response. The connection ends behind it.
#[must_use]
pub fn response(status: Status, media_type: &str, body: &str, only_head: bool) -> Vec<u8> {
    let more = if status == Status::MethodNotAllowed {
        "Allow: GET, HEAD\r\n"
    } else {
        ""
    };
    let body_sent = if only_head { "" } else { body };
    format!(
        "HTTP/1.1 {}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\n{more}Connection: close\r\n\r\n{body_sent}",
        status.line(),
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const METRICS: Head = Head::Asked {
        page: Page::Metrics(Format::Prometheus),
        only_head: false,
    };

    fn asked(request: &str) -> Head {
        head(request.as_bytes())
    }

    #[test]
    fn what_is_asked_for_is_understood_and_all_else_is_refused() {
        let healthz = Head::Asked {
            page: Page::Healthz,
            only_head: true,
        };
        let readyz = Head::Asked {
            page: Page::Readyz,
            only_head: false,
        };
        for (request, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", METRICS),
            ("GET /metrics?name=up HTTP/1.1\r\nHost: x\r\n\r\n", METRICS),
            ("GET /metrics HTTP/1.0\r\n\r\n", METRICS),
            (
                "GET http://kdc:9188/metrics HTTP/1.1\r\nHost: kdc:9188\r\n\r\n",
                METRICS,
            ),
            (
                "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
                METRICS,
            ),
            ("HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\n", healthz),
            ("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", readyz),
            ("", Head::Part),
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n", Head::Part),
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", Head::Refused(Status::NotFound)),
            (
                "GET http://kdc HTTP/1.1\r\nHost: x\r\n\r\n",
                Head::Refused(Status::NotFound),
            ),
            (
                "GET /metrics/ HTTP/1.1\r\nHost: x\r\n\r\n",
                Head::Refused(Status::NotFound),
            ),
            (
                "GET /../metrics HTTP/1.1\r\nHost: x\r\n\r\n",
                Head::Refused(Status::NotFound),
            ),
            (
                "POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
                Head::Refused(Status::MethodNotAllowed),
            ),
            (
                "get /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
                Head::Refused(Status::MethodNotAllowed),
            ),
            ("GET /metrics HTTP/1.1\r\n\r\n", Head::Refused(Status::BadRequest)),
            (
                "GET /metrics HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
                Head::Refused(Status::BadRequest),
            ),
            (
                "GET /metrics HTTP/1.1\r\nHost : x\r\n\r\n",
                Head::Refused(Status::BadRequest),
            ),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Head::Refused(Status::BadRequest)),
            ("\u{16}\u{3}\u{1}\u{2}", Head::Refused(Status::BadRequest)),
        ] {
            assert_eq!(asked(request), expected, "{request:?}");
        }
    }

    #[test]
    fn a_head_has_a_longest_length_and_a_greatest_number_of_fields() {
        let with = |field: String| format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{field}\r\n");
        let longest = MAX_HEAD - with("A: \r\n".into()).len();
        assert_eq!(asked(&with(format!("A: {}\r\n", "a".repeat(longest)))), METRICS);
        let too_large = Head::Refused(Status::HeadTooLarge);
        assert_eq!(asked(&with(format!("A: {}\r\n", "a".repeat(longest + 1)))), too_large);
        assert_eq!(asked(&"a".repeat(MAX_HEAD)), too_large);
        assert_eq!(asked(&with("A: a\r\n".repeat(MAX_FIELDS - 1))), METRICS);
        assert_eq!(asked(&with("A: a\r\n".repeat(MAX_FIELDS))), too_large);
    }

    #[test]
    fn openmetrics_is_for_who_likes_it_as_well() {
        use Format::{OpenMetrics, Prometheus};
        for (accept, format) in [
            ("", Prometheus),
            ("*/*", Prometheus),
            ("text/plain", Prometheus),
            ("application/openmetrics-text", OpenMetrics),
            ("application/openmetrics-text; version=\"1.0.0\"", OpenMetrics),
            ("application/openmetrics-text; version=0.0.1", Prometheus),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.4,*/*;q=0.1",
                OpenMetrics,
            ),
            (
                "text/plain;q=0.6, Application/OpenMetrics-Text;version=1.0.0;q=0.5",
                Prometheus,
            ),
            ("application/openmetrics-text;q=0", Prometheus),
            ("application/openmetrics-text;q=0.0001", Prometheus),
            ("application/openmetrics-text;q=1.5", Prometheus),
        ] {
            let request = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n");
            let page = Page::Metrics(format);
            assert_eq!(asked(&request), Head::Asked { page, only_head: false }, "{accept}");
        }
    }

    #[test]
    fn the_answer_to_head_has_the_length_and_not_the_page() {
        let whole = String::from_utf8(response(Status::Ok, "text/plain", "page", false)).unwrap();
        let head = String::from_utf8(response(Status::Ok, "text/plain", "page", true)).unwrap();
        assert!(
            whole.starts_with("HTTP/1.1 200 OK\r\n") && whole.ends_with("\r\n\r\npage"),
            "{whole}"
        );
        assert_eq!(whole.strip_suffix("page"), Some(head.as_str()));
        assert!(head.contains("Content-Length: 4\r\n"), "{head}");
        let refused = response(Status::MethodNotAllowed, "text/plain", "", false);
        assert!(String::from_utf8(refused).unwrap().contains("Allow: GET, HEAD\r\n"));
    }

    proptest! {
        #[test]
        fn no_octets_are_too_odd_and_more_of_them_change_no_verdict(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let whole = head(&octets);
            for end in 0..octets.len() {
                let part = head(octets.get(..end).unwrap_or_default());
                prop_assert!(part == Head::Part || part == whole, "{part:?} at {end}, then {whole:?}");
            }
        }
    }
}
