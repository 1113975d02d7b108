//! `git daemon` on a port that the system picks, started for each connection as `inetd` would.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::fixture;

/// Listens until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Serves the repositories below `base`.
    pub(crate) fn start(base: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&stop);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let stream = OwnedFd::from(stream.unwrap());
                let mut daemon = fixture::git();
                daemon.args(["daemon", "--inetd", "--export-all"]);
                daemon.arg(format!("--base-path={}", base.display()));
                daemon.stdin(Stdio::from(stream.try_clone().unwrap()));
                daemon.stdout(Stdio::from(stream)).stderr(Stdio::null());
                let mut child = daemon.spawn().unwrap();
                // The command holds the connection open as long as it lives.
                drop(daemon);
                std::thread::spawn(move || child.wait());
            }
        });
        Self { address, stop }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread, which then ends.
        let _ = std::net::TcpStream::connect(self.address);
    }
}
