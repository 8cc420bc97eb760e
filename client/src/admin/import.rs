//! Many principals from a file with one JSON object on each line.

use core::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tessera_common::admin::{
    Dialogue, ImportRecord, MAX_BATCH, MAX_FRAME, NewKeys, NewPrincipal, RefusedImport, Request, Response,
};
use zeroize::Zeroizing;

use super::AdminError;
use super::connection::Connection;
use super::progress::Progress;

/// The longest line, in octets.
const LONGEST_LINE: usize = 64 << 10;
/// Of a batch's lines together; as messages they are a little longer.
const BATCH_OCTETS: usize = MAX_FRAME / 2;
/// Passwords in a batch: a second's work for the daemon, so that the bar moves.
const BATCH_PASSWORDS: usize = 50;

/// What became of all lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) added: usize,
    pub(super) refused: usize,
}

/// Some lines that belong together only by their place in the file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Batch {
    // The number of each principal's line, in the same order.
    lines: Vec<usize>,
    principals: Vec<NewPrincipal>,
    // Lines that are no principals, and why.
    wrong: Vec<(usize, String)>,
    octets: usize,
    passwords: usize,
    // Octets of the file up to the end of this batch.
    read: u64,
}

/// Sends every line of `file` (`-`: of the standard input), and complains of each that is refused.
pub(super) fn run<S: Dialogue>(daemon: &mut Connection<S>, file: &Path) -> Result<Summary, AdminError> {
    let failed = |why| AdminError::ImportFile {
        file: file.to_owned(),
        why,
    };
    let (lines, whole): (Box<dyn BufRead + Send>, _) = if file == Path::new("-") {
        (Box::new(BufReader::new(io::stdin())), None)
    } else {
        let open = File::open(file).map_err(failed)?;
        let length = open.metadata().map_err(failed)?.len();
        (
            Box::new(BufReader::new(open)),
            Some(length).filter(|length| *length > 0),
        )
    };
    let mut progress = Progress::of(whole);
    // The next batch is read while the daemon works on one.
    let (sender, batches) = sync_channel(1);
    let reader = thread::spawn(move || read(lines, &sender));
    let mut summary = Summary::default();
    send(daemon, &batches, &mut summary, file, &mut progress)?;
    match reader.join() {
        Ok(Ok(())) => Ok(summary),
        Ok(Err((line, why))) => Err(AdminError::ImportStopped {
            line,
            added: summary.added,
            why: Box::new(failed(why)),
        }),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn send<S: Dialogue>(
    daemon: &mut Connection<S>,
    batches: &Receiver<Batch>,
    summary: &mut Summary,
    file: &Path,
    progress: &mut Progress,
) -> Result<(), AdminError> {
    for batch in batches {
        let mut refused = batch.wrong;
        if let Some(first) = batch.lines.first() {
            let principals = batch.principals;
            let answer = match daemon.ask(&Request::Import { principals }) {
                Ok(Response::Imported { added, refused }) => Ok((added, refused)),
                Ok(_) => Err(AdminError::Unexpected),
                Err(why) => Err(why),
            };
            let (added, by_daemon) = answer.map_err(|why| {
                refused.retain(|(line, _)| line < first);
                complain(progress, file, &refused);
                AdminError::ImportStopped {
                    line: *first,
                    added: summary.added,
                    why: Box::new(why),
                }
            })?;
            summary.added += added;
            for RefusedImport { at, message } in by_daemon {
                let line = batch.lines.get(at).ok_or(AdminError::Unexpected)?;
                refused.push((*line, message));
            }
            refused.sort_by_key(|(line, _)| *line);
        }
        summary.refused += refused.len();
        complain(progress, file, &refused);
        let Summary { added, refused } = summary;
        progress.show(batch.read, &format!("{added} added, {refused} refused"));
    }
    Ok(())
}

fn complain(progress: &mut Progress, file: &Path, refused: &[(usize, String)]) {
    let file = if file == Path::new("-") {
        Path::new("stdin")
    } else {
        file
    }
    .display();
    for (line, why) in refused {
        progress.complain(&format!("{file}:{line}: {why}"));
    }
}

// Until the lines end, fail, or nobody wants them any more. A failure has the number of the line.
fn read(mut lines: impl BufRead, batches: &SyncSender<Batch>) -> Result<(), (usize, io::Error)> {
    let mut batch = Batch::default();
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST_LINE + 2));
    let mut number = 0;
    loop {
        number += 1;
        let failed = |why| (number, why);
        line.clear();
        let room = u64::try_from(LONGEST_LINE + 1).unwrap_or(u64::MAX);
        let octets = (&mut lines).take(room).read_until(b'\n', &mut line).map_err(failed)?;
        if octets == 0 {
            break;
        }
        batch.read += u64::try_from(octets).unwrap_or_default();
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() > LONGEST_LINE {
            batch.read += skip_line(&mut lines).map_err(failed)?;
            batch.wrong.push((number, format!("longer than {LONGEST_LINE} octets")));
            continue;
        }
        batch.add(number, &line);
        if batch.is_full() {
            let read = batch.read;
            if batches.send(core::mem::take(&mut batch)).is_err() {
                return Ok(());
            }
            batch.read = read;
        }
    }
    // Nobody who wants it no more is an error here: that was one there.
    let _ = batches.send(batch);
    Ok(())
}

// What is left of a line that is too long, its end included.
fn skip_line(lines: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let some = lines.fill_buf()?;
        let end = some.iter().position(|octet| *octet == b'\n');
        let octets = end.map_or(some.len(), |end| end + 1);
        lines.consume(octets);
        skipped += u64::try_from(octets).unwrap_or_default();
        if end.is_some() || octets == 0 {
            return Ok(skipped);
        }
    }
}

impl Batch {
    fn add(&mut self, number: usize, line: &[u8]) {
        let wrong = |why: &dyn Display| Some((number, why.to_string()));
        let refused = match core::str::from_utf8(line) {
            Ok(text) if text.trim_ascii().is_empty() => None,
            Ok(text) => match ImportRecord::parse(text) {
                Ok(principal) => {
                    self.passwords += usize::from(matches!(principal.keys, NewKeys::Password(_)));
                    self.octets += line.len();
                    self.lines.push(number);
                    self.principals.push(principal);
                    None
                }
                Err(why) => wrong(&why),
            },
            Err(_) => wrong(&"not UTF-8"),
        };
        self.wrong.extend(refused);
    }

    fn is_full(&self) -> bool {
        self.lines.len() + self.wrong.len() >= MAX_BATCH
            || self.octets >= BATCH_OCTETS
            || self.passwords >= BATCH_PASSWORDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(text: &[u8]) -> Vec<Batch> {
        let (sender, receiver) = sync_channel(1000);
        read(text, &sender).unwrap();
        drop(sender);
        receiver.iter().collect()
    }

    #[test]
    fn lines_keep_their_numbers() {
        let text = b"{\"name\":\"a\",\"random-key\":true}\n\n  \nnonsense\n{\"name\":\"b\",\"random-key\":true}\r\n\xff\n{\"name\":\"c\",\"random-key\":true}";
        let [batch] = &batches(text)[..] else { panic!() };
        assert_eq!(batch.lines, [1, 5, 7]);
        let names: Vec<_> = batch.principals.iter().map(|new| new.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let wrong: Vec<_> = batch.wrong.iter().map(|(line, _)| *line).collect();
        assert_eq!(wrong, [4, 6]);
        assert_eq!(batch.read, u64::try_from(text.len()).unwrap());
    }

    #[test]
    fn a_batch_is_never_more_than_the_daemon_takes() {
        let random = "{\"name\":\"a\",\"random-key\":true}\n".repeat(2 * MAX_BATCH + 1);
        let sizes: Vec<_> = batches(random.as_bytes())
            .iter()
            .map(|batch| batch.lines.len())
            .collect();
        assert_eq!(sizes, [MAX_BATCH, MAX_BATCH, 1]);

        let password = "{\"name\":\"a\",\"password\":\"x\"}\n".repeat(BATCH_PASSWORDS + 1);
        let sizes: Vec<_> = batches(password.as_bytes())
            .iter()
            .map(|batch| batch.lines.len())
            .collect();
        assert_eq!(sizes, [BATCH_PASSWORDS, 1]);

        // The escape makes a message longer than any line is: six octets of JSON for one.
        let long = format!("{{\"name\":\"{}\",\"random-key\":true}}\n", "\u{1}".repeat(10)).repeat(3);
        assert_eq!(
            batches(long.as_bytes())
                .iter()
                .map(|batch| batch.wrong.len())
                .sum::<usize>(),
            3
        );
        let long = format!("{{\"name\":\"{}\",\"random-key\":true}}\n", "x".repeat(60_000)).repeat(200);
        for batch in batches(long.as_bytes()) {
            let message = serde_json::to_vec(&Request::Import {
                principals: batch.principals,
            })
            .unwrap();
            assert!(message.len() <= MAX_FRAME, "{}", message.len());
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_to_its_end() {
        let text = format!(
            "{}\n{{\"name\":\"b\",\"random-key\":true}}\n",
            "x".repeat(3 * LONGEST_LINE)
        );
        let [batch] = &batches(text.as_bytes())[..] else {
            panic!()
        };
        assert_eq!(batch.lines, [2]);
        assert_eq!(batch.wrong, [(1, "longer than 65536 octets".to_owned())]);
        assert_eq!(batch.read, u64::try_from(text.len()).unwrap());
    }
}
