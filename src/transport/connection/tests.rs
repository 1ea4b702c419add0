//! No flushed byte is held forever. These tests are here and not in `tests/it`
//! because they need a socket that stalls between any two steps, and a task that
//! records whether it was woken.

use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::Wake,
};

use http::{HeaderMap, Request, Response};
use tokio::{io::duplex, task::JoinSet, time::timeout};

use super::*;
use crate::{
    auth::PeerAddress,
    telemetry::metrics::ServerMetrics,
    transport::fair_limit::{FairLimit, User},
};

/// What can happen between an owner, a connection and its socket.
#[derive(Debug, Clone, Copy)]
enum Step {
    Write(usize),
    Flush,
    Read,
    Stall,
    Resume,
    ClientEnds,
}

const STEPS: [Step; 7] = [
    Step::Write(10),
    Step::Write(40_000),
    Step::Flush,
    Step::Read,
    Step::Stall,
    Step::Resume,
    Step::ClientEnds,
];
/// How many steps happen before the last flush.
const LENGTH: u32 = 4;

/// What an owner does when its task is woken. Both shut down at the end of the input.
#[derive(Debug, Clone, Copy)]
enum Owner {
    Reads,
    Flushes,
}

#[tokio::test(start_paused = true)]
async fn flushed_bytes_leave_after_any_steps_without_an_event() {
    let count = STEPS.len().pow(LENGTH);
    for number in 0..count {
        let digits = (0..LENGTH).map(|digit| number / STEPS.len().pow(digit) % STEPS.len());
        let steps: Vec<_> = digits.filter_map(|digit| STEPS.get(digit)).copied().collect();
        for owner in [Owner::Reads, Owner::Flushes] {
            for buffers in [false, true] {
                let mut run = Run::on(buffers);
                for step in &steps {
                    run.step(*step);
                }
                run.step(Step::Flush);
                let turns = run.settle(owner);
                let (written, flushed) = (run.socket.lock().written, run.flushed);
                let case = format!("{owner:?}, buffers: {buffers}, {steps:?}");
                assert!(written >= flushed, "{written} of {flushed} bytes: {case}");
                assert!(turns <= 4, "{turns} turns: {case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn flushed_bytes_leave_when_the_connection_is_dropped() {
    let mut run = Run::on(false);
    run.step(Step::Write(10));
    run.step(Step::Flush);
    assert_eq!(run.socket.lock().written, 0, "the flush was deferred");
    drop(run.connection);
    assert_eq!(run.socket.lock().written, 10);
}

/// Time does not pass, so nothing waits for a timer.
#[tokio::test(start_paused = true)]
async fn h2_answers_all_calls_at_once_through_any_pipe() {
    for (width, length) in [(1, 10), (1, 300), (100, 10_000), (1 << 16, 300), (1 << 16, 50_000)] {
        let calls = timeout(Duration::from_secs(1), answer_calls(width, length)).await;
        assert!(calls.is_ok(), "bytes of {length} are kept from a pipe of {width}");
    }
}

/// Makes calls of an h2 server that are all open at the same time.
async fn answer_calls(width: usize, length: usize) {
    let (near, far) = duplex(width);
    let server = tokio::spawn(async move {
        let mut server = h2::server::handshake(connection(Box::new(near))).await.expect("HTTP/2");
        while let Some(call) = server.accept().await {
            let (_, mut respond) = call.expect("a call");
            tokio::spawn(async move {
                let mut body = respond.send_response(Response::new(()), false).expect("sent");
                body.send_data(vec![0; length].into(), false).expect("sent");
                body.send_trailers(HeaderMap::new()).expect("sent");
            });
        }
    });
    let (calls, client) = h2::client::handshake(far).await.expect("HTTP/2");
    tokio::spawn(client);
    let mut calls = calls.ready().await.expect("ready");
    let mut answers = JoinSet::new();
    for _ in 0..20 {
        let (answer, _) = calls.send_request(Request::new(()), true).expect("sent");
        answers.spawn(async move {
            let mut body = answer.await.expect("an answer").into_body();
            let mut received = 0;
            while let Some(data) = body.data().await {
                let count = data.expect("data").len();
                body.flow_control().release_capacity(count).expect("released");
                received += count;
            }
            assert!(body.trailers().await.expect("trailers").is_some());
            received
        });
    }
    assert_eq!(answers.join_all().await, [length; 20]);
    drop(calls);
    server.await.expect("the connection ends");
}

/// The end of a call may come just before the abort, on a machine that is busy.
#[tokio::test(start_paused = true)]
async fn an_abort_waits_until_what_h2_has_is_written() {
    let (near, far) = duplex(1 << 16);
    let (sender, _, abort) = AbortSignal::new();
    let near = connection_until(abort, Box::new(near));
    let (server, client) = tokio::join!(h2::server::handshake(near), h2::client::handshake(far));
    let (mut server, (mut calls, client)) = (server.expect("HTTP/2"), client.expect("HTTP/2"));
    tokio::spawn(client);
    let (answer, _) = calls.send_request(Request::new(()), true).expect("sent");
    let (_, mut respond) = server.accept().await.expect("open").expect("a call");
    let mut body = respond.send_response(Response::new(()), false).expect("sent");
    body.send_trailers(HeaderMap::new()).expect("sent");
    sender.send_replace(true);
    assert!(server.accept().await.is_some_and(|call| call.is_err()), "it is aborted");
    drop(server);
    let mut body = answer.await.expect("an answer").into_body();
    assert!(body.trailers().await.expect("the end of the call").is_some());
}

fn connection(socket: Box<dyn Socket>) -> Connection {
    let (sender, _, abort) = AbortSignal::new();
    // Aborts nothing as long as the test runs.
    mem::forget(sender);
    connection_until(abort, socket)
}

fn connection_until(abort: AbortSignal, socket: Box<dyn Socket>) -> Connection {
    let permit = FairLimit::new(1).take(User::Unknown, 1).expect("a place");
    let permit = (permit, ServerMetrics::default().connection());
    let peer = Peer::new(PeerAddress::Unix(None), None, 1);
    Connection::new(socket, peer, Wire::Http2, permit, abort, Instant::now() + PREFACE_TIMEOUT)
}

/// A connection, and the task that owns it.
struct Run {
    connection: Connection,
    socket: TestSocket,
    task: Arc<Task>,
    sent: usize,
    /// How many bytes were reported as flushed.
    flushed: usize,
    has_ended: bool,
}

impl Run {
    /// On a socket that buffers, as TLS does.
    fn on(buffers: bool) -> Self {
        let socket = TestSocket::default();
        socket.lock().buffers = buffers;
        let connection = connection(Box::new(socket.clone()));
        Self { connection, socket, task: Arc::default(), sent: 0, flushed: 0, has_ended: false }
    }

    fn step(&mut self, step: Step) {
        let waker = Arc::clone(&self.task).into();
        let cx = &mut Context::from_waker(&waker);
        let connection = Pin::new(&mut self.connection);
        match step {
            Step::Write(length) => {
                if let Poll::Ready(count) = connection.poll_write(cx, &vec![0; length]) {
                    self.sent += count.expect("written");
                }
            }
            Step::Flush => {
                if connection.poll_flush(cx).is_ready() {
                    self.flushed = self.sent;
                }
            }
            Step::Read => {
                let mut bytes = [0; 10];
                self.has_ended |=
                    connection.poll_read(cx, &mut ReadBuf::new(&mut bytes)).is_ready();
            }
            Step::Stall => self.socket.lock().is_stalled = true,
            Step::Resume => {
                let mut socket = self.socket.lock();
                socket.is_stalled = false;
                socket.writer.take().into_iter().for_each(Waker::wake);
            }
            Step::ClientEnds => {
                let mut socket = self.socket.lock();
                socket.has_ended = true;
                socket.reader.take().into_iter().for_each(Waker::wake);
            }
        }
    }

    /// Has the socket take bytes, and runs the task for as long as it is woken.
    fn settle(&mut self, owner: Owner) -> usize {
        self.step(Step::Resume);
        let mut turns = 0;
        while self.task.0.swap(false, Ordering::Relaxed) {
            turns += 1;
            match owner {
                Owner::Reads => self.step(Step::Read),
                Owner::Flushes => self.step(Step::Flush),
            }
            if self.has_ended {
                self.shut_down();
            }
        }
        turns
    }

    fn shut_down(&mut self) {
        let waker = Arc::clone(&self.task).into();
        let cx = &mut Context::from_waker(&waker);
        let _ = Pin::new(&mut self.connection).poll_shutdown(cx);
    }
}

/// Whether a task was woken.
#[derive(Default)]
struct Task(AtomicBool);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A socket that takes bytes unless it is stalled, and never has any to read.
#[derive(Clone, Default)]
struct TestSocket(Arc<Mutex<SocketState>>);

#[derive(Default)]
struct SocketState {
    written: usize,
    buffers: bool,
    buffered: usize,
    is_stalled: bool,
    has_ended: bool,
    writer: Option<Waker>,
    reader: Option<Waker>,
}

impl TestSocket {
    fn lock(&self) -> MutexGuard<'_, SocketState> {
        self.0.lock().expect("a test socket")
    }
}

impl AsyncRead for TestSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut socket = self.lock();
        if socket.has_ended {
            return Poll::Ready(Ok(()));
        }
        socket.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for TestSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut socket = self.lock();
        if socket.is_stalled && (socket.buffered > 0 || !socket.buffers) {
            socket.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        socket.buffered += bytes.len();
        let _ = socket.poll_flush(cx);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_flush(cx).map(Ok)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl SocketState {
    fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.is_stalled && self.buffered > 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.written += mem::take(&mut self.buffered);
        Poll::Ready(())
    }
}
