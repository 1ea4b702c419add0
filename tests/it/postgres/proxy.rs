//! A proxy before a node, which loses what a client sends or is answered.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream, tcp, unix},
    task::JoinHandle,
};

/// What happens to the next commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// It does not arrive, and the connection ends.
    Request,
    /// It arrives, and the connection ends before the answer.
    Answer,
}

/// A proxy. It ends when it is dropped.
pub(super) struct Proxy {
    pub(super) port: u16,
    cut: Arc<Mutex<Option<Cut>>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A proxy before the server with this socket.
    pub(super) async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let cut: Arc<Mutex<Option<Cut>>> = Arc::default();
        let accepting = {
            let cut = Arc::clone(&cut);
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    let server = UnixStream::connect(&socket).await.expect("a server");
                    tokio::spawn(pass(client, server, Arc::clone(&cut)));
                }
            })
        };
        Self { port, cut, accepting }
    }

    /// Cuts the next commit.
    pub(super) fn cut(&self, cut: Cut) {
        *self.cut.lock().expect("no panic") = Some(cut);
    }

    /// Whether no commit has been cut yet.
    pub(super) fn is_armed(&self) -> bool {
        self.cut.lock().expect("no panic").is_some()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A commit as the client sends it.
const COMMIT: &[u8] = b"Q\0\0\0\x0bcommit\0";

async fn pass(client: TcpStream, server: UnixStream, cut: Arc<Mutex<Option<Cut>>>) {
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let is_muted = Arc::new(AtomicBool::new(false));
    let answers = tokio::spawn(answer(from_server, to_client, Arc::clone(&is_muted)));
    let mut bytes = vec![0; 1 << 20];
    while let Ok(read) = from_client.read(&mut bytes).await {
        let sent = &bytes[..read];
        if read == 0 {
            break;
        }
        let is_commit = sent.windows(COMMIT.len()).any(|window| window == COMMIT);
        let cut = if is_commit { cut.lock().expect("no panic").take() } else { None };
        if cut == Some(Cut::Answer) {
            is_muted.store(true, Ordering::SeqCst);
            to_server.write_all(sent).await.expect("sent");
            // The server ends the session after the commit, and then the client's ends.
            return;
        }
        if cut == Some(Cut::Request) || to_server.write_all(sent).await.is_err() {
            break;
        }
    }
    answers.abort();
}

/// Passes answers on, or drops them.
async fn answer(
    mut from_server: unix::OwnedReadHalf,
    mut to_client: tcp::OwnedWriteHalf,
    is_muted: Arc<AtomicBool>,
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(read) = from_server.read(&mut bytes).await {
        let is_lost = is_muted.load(Ordering::SeqCst);
        if read == 0 || (!is_lost && to_client.write_all(&bytes[..read]).await.is_err()) {
            return;
        }
    }
}
