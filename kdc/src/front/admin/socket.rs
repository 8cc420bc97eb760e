//! The socket in the state directory, for the daemon's own user and root.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::Uid;
use tessera_common::admin::{self, Reason, Response, write_frame};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

use super::caller::Caller;
use super::conversation::{AdminFront, IDLE, TAKE_IN};
use super::execute::Refused;
use super::line::Counted;
use crate::accounting::{Counts, Opening};
use crate::metrics::{Connections, Gauge};
use crate::net::{ConnectionCounts, Ended};

/// How many administrators may be connected at once.
const MOST_CONNECTED: usize = 128;
/// What the address of a Unix socket has room for, without the NUL at its end.
const LONGEST_PATH: usize = 107;

/// The socket, bound and not served yet. The file is removed when this is dropped.
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
    places: Arc<Semaphore>,
    counts: Arc<ConnectionCounts>,
}

impl AdminSocket {
    /// Binds `admin.sock` in the state directory, in place of one that a daemon left behind. Only the daemon's user, and
    /// root, can connect.
    ///
    /// # Errors
    /// With the path, and what to do.
    pub fn bind(state: &Path) -> Result<Self, String> {
        let path = state.join(admin::SOCKET);
        let octets = path.as_os_str().len();
        if octets > LONGEST_PATH {
            return Err(format!(
                "the path {} has {octets} octets, and a socket's at most {LONGEST_PATH}; choose a shorter [realm] state",
                path.display()
            ));
        }
        if UnixStream::connect(&path).is_ok() {
            return Err(format!(
                "another kdc serves {}: it answers at {}",
                state.display(),
                path.display()
            ));
        }
        let bound = match fs::remove_file(&path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
            _ => UnixListener::bind(&path),
        };
        let failed = |why: io::Error| format!("{}: {why}", path.display());
        let listener = bound.map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Self {
            listener,
            path,
            places: Arc::new(Semaphore::new(MOST_CONNECTED)),
            counts: Arc::default(),
        })
    }

    /// What becomes of its connections, whenever that is asked.
    pub fn connections(&self) -> impl Fn() -> Connections + Clone + Send + Sync + use<> {
        let (places, counts) = (Arc::clone(&self.places), Arc::clone(&self.counts));
        move || {
            let free = places.available_permits();
            let open = Gauge {
                now: MOST_CONNECTED.saturating_sub(free) as u64,
                limit: MOST_CONNECTED as u64,
            };
            counts.read(open, &[Ended::Busy])
        }
    }

    /// Serves until `stop` holds true, on the runtime that this is called in.
    ///
    /// # Errors
    /// When the runtime does not take the socket.
    pub fn serve(self, front: Arc<AdminFront>, mut stop: watch::Receiver<bool>) -> io::Result<JoinHandle<()>> {
        let listener = tokio::net::UnixListener::from_std(self.listener.try_clone()?)?;
        Ok(tokio::spawn(async move {
            // Removes the file at the end.
            let socket = self;
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = stop.wait_for(|stop| *stop) => return,
                };
                let stream = accepted.and_then(|(stream, _)| stream.into_std()).and_then(|stream| {
                    stream.set_nonblocking(false)?;
                    stream.set_read_timeout(Some(IDLE))?;
                    stream.set_write_timeout(Some(TAKE_IN))?;
                    Ok(stream)
                });
                let started = stream.and_then(|stream| front.start(stream, &socket));
                if let Err(why) = started {
                    front
                        .accounting
                        .log()
                        .error(format_args!("an administrator could not be served: {why}"));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }))
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl AdminFront {
    fn start(self: &Arc<Self>, mut stream: UnixStream, socket: &AdminSocket) -> io::Result<()> {
        let Ok(place) = Arc::clone(&socket.places).try_acquire_owned() else {
            socket.counts.ended(Ended::Busy);
            let message = format!("{MOST_CONNECTED} administrators are connected already; try again later");
            let _ = write_frame(&mut stream, &Response::from(Refused::new(Reason::Unavailable, message)));
            return Ok(());
        };
        socket.counts.accepted();
        let front = Arc::clone(self);
        thread::Builder::new().name("admin".into()).spawn(move || {
            let _place: OwnedSemaphorePermit = place;
            front.serve(stream);
        })?;
        Ok(())
    }

    fn serve(&self, stream: UnixStream) {
        let permitted = permitted_uid(&stream);
        let counts = Arc::new(Counts::default());
        let mut line = Counted::new(stream, Arc::clone(&counts));
        if let Ok(uid) = self.welcome(&mut line, admin::SOCKET, permitted) {
            let opening = Opening {
                client: format!("uid {uid}"),
                client_id: None,
                peer: None,
                via: "socket",
                service: admin::SOCKET.to_owned(),
                service_id: None,
            };
            self.in_session(opening, counts, &mut line, &mut || Ok(Caller::Local { uid }));
        }
    }
}

// Only the daemon's own user, and root.
fn permitted_uid(stream: &UnixStream) -> Result<Uid, Refused> {
    let peer = getsockopt(stream, sockopt::PeerCredentials).map_err(|errno| Refused::invalid(errno.to_string()))?;
    let (uid, own) = (Uid::from_raw(peer.uid()), Uid::effective());
    if uid.is_root() || uid == own {
        return Ok(uid);
    }
    Err(Refused::new(
        Reason::NotPermitted,
        format!("uid {uid} may not administer this realm; run principal as root or as uid {own}, as the daemon"),
    ))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "real sockets are waited for")]
mod tests {
    use tessera_common::admin::{PROTOCOL, Welcome, read_frame};

    use super::super::conversation_tests::{connect, greeted, hello, refusal, served};
    use super::*;

    #[test]
    fn so_many_administrators_are_served_and_no_more() {
        let served = served();
        let mut clients: Vec<_> = (0..MOST_CONNECTED).map(|_| greeted(&served)).collect();
        let mut late = connect(&served);
        let (reason, message) = refusal(&mut late);
        assert_eq!(reason, Reason::Unavailable);
        assert_eq!(message, "128 administrators are connected already; try again later");
        clients.pop();
        let room = (0..100).any(|_| {
            thread::sleep(Duration::from_millis(20));
            let mut next = connect(&served);
            write_frame(&mut next, &hello(PROTOCOL)).unwrap();
            read_frame::<Welcome>(&mut next).is_ok_and(|welcome| welcome.is_some())
        });
        assert!(room);
    }

    #[test]
    fn the_socket_is_for_its_owner_and_goes_with_the_daemon() {
        let served = served();
        let path = served.state.path().join(admin::SOCKET);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let second = AdminSocket::bind(served.state.path()).map(|_| ()).unwrap_err();
        assert!(second.starts_with("another kdc serves "), "{second}");
        served.stop.send(true).unwrap();
        served.runtime.block_on(served.task).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_that_a_killed_daemon_left_behind_is_replaced() {
        let state = tempfile::tempdir().unwrap();
        drop(UnixListener::bind(state.path().join(admin::SOCKET)).unwrap());
        AdminSocket::bind(state.path()).unwrap();
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        let state = tempfile::tempdir().unwrap();
        let deep = state.path().join("x".repeat(100));
        fs::create_dir(&deep).unwrap();
        let error = AdminSocket::bind(&deep).map(|_| ()).unwrap_err();
        assert!(
            error.ends_with("octets, and a socket's at most 107; choose a shorter [realm] state"),
            "{error}"
        );
    }
}
