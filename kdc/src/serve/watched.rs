//! What the fronts show of themselves to who watches the daemon.

use std::sync::Arc;

use tokio::task::{AbortHandle, JoinHandle};

use super::Listening;
use crate::front::admin::AdminFront;
use crate::front::metrics::Watched;
use crate::metrics::Connections;
use crate::net::UdpWorkers;

impl Listening {
    pub(super) fn watched(&self, name: &'static str) -> Watched {
        let datagrams = self.datagrams.iter().map(UdpWorkers::threads);
        let threads: Vec<_> = datagrams.chain([self.connections.threads()]).cloned().collect();
        Watched {
            name,
            up: Box::new(move || threads.iter().all(|threads| threads.all_run())),
            connections: Box::new(self.connections.connections()),
        }
    }
}

/// The administrators' socket.
pub(super) fn socket(
    accepting: &JoinHandle<()>,
    connections: impl Fn() -> Connections + Send + Sync + 'static,
) -> Watched {
    let accepting = accepting.abort_handle();
    Watched {
        name: "socket",
        up: Box::new(move || !accepting.is_finished()),
        connections: Box::new(connections),
    }
}

/// Administration from afar, if there is such.
pub(super) fn afar(accepting: &[JoinHandle<()>], administration: &Arc<AdminFront>) -> Option<Watched> {
    let accepting: Vec<_> = accepting.iter().map(JoinHandle::abort_handle).collect();
    let administration = Arc::clone(administration);
    (!accepting.is_empty()).then(|| Watched {
        name: "admin",
        up: Box::new(move || !accepting.iter().any(AbortHandle::is_finished)),
        connections: Box::new(move || administration.connected.connections()),
    })
}

/// How many administrators are connected, over the socket and from afar.
pub(super) fn administrators(
    socket: impl Fn() -> Connections + Send + Sync + 'static,
    administration: &Arc<AdminFront>,
) -> Box<dyn Fn() -> [u64; 2] + Send + Sync> {
    let administration = Arc::clone(administration);
    Box::new(move || {
        let [_, admitted] = administration.connected.load();
        [socket().open.now, admitted.now]
    })
}
