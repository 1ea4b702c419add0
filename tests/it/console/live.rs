//! The log as it grows: what is recorded arrives once and in order, also after a connection was lost.

use std::time::Duration;

use regex::Regex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use userpool::transport::Endpoint;

use super::{Console, Sample};
use crate::support::{TestServer, create, named};

/// How long an event may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// A stream of a browser, and what it has received.
struct Events {
    socket: TcpStream,
    text: String,
}

impl Events {
    async fn open(address: &str, path: &str, headers: &str) -> Self {
        let mut socket = TcpStream::connect(address).await.expect("a connection");
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}{headers}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.expect("written");
        Self { socket, text: String::new() }
    }

    async fn of(console: &Console, path: &str) -> Self {
        Self::open(&console.address, path, &format!("\r\ncookie: {}", console.cookie)).await
    }

    /// Reads until this was received.
    async fn until(&mut self, expected: &str) {
        while !self.text.contains(expected) {
            assert!(self.read().await, "ended without {expected:?}: {}", self.text);
        }
    }

    /// Reads to the end.
    async fn into_text(mut self) -> String {
        while self.read().await {}
        self.text
    }

    async fn read(&mut self) -> bool {
        let mut bytes = vec![0; 16 * 1024];
        let read = timeout(LIMIT, self.socket.read(&mut bytes)).await.expect("in time");
        let received = bytes.get(..read.expect("readable")).expect("the part that was read");
        self.text.push_str(&String::from_utf8_lossy(received));
        !received.is_empty()
    }

    /// The positions of the rows, in their order.
    fn rows(&self) -> Vec<i64> {
        let row = Regex::new("event: row\nid: ([0-9]+)\n").expect("a pattern");
        row.captures_iter(&self.text).map(|found| found[1].parse().expect("a number")).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_as_a_row_when_it_is_recorded() {
    let Sample { server, pool, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let page = console.get("/log").await;
    let address = page.body.split("data-stream=\"").nth(1).expect("the address of a stream");
    let address = address.split('"').next().expect("an end").replace("&amp;", "&");
    let mut events = Events::of(&console, &address).await;
    events.until("retry: 1000").await;
    assert!(events.text.to_lowercase().contains("content-type: text/event-stream"));
    let mut client = server.client().await;
    let created = [create(&mut client, "one").await, create(&mut client, "two").await];
    events.until(&created[1]).await;
    assert_eq!(events.rows(), [12, 13]);
    // The row is that of the page.
    let page = console.get("/log").await.body;
    let row = page.split("<tr id=\"p13\"").nth(1).expect("the row");
    let row = row.split("</tr>").next().expect("an end");
    events.until(&format!("<tr id=\"p13\"{row}</tr>")).await;
    // An older page, and one that ends before now, do not follow.
    for path in ["/log?until=2017-12-11", "/log?live=off"] {
        assert!(!console.get(path).await.body.contains("data-stream"), "{path}");
    }
    assert!(!events.text.contains(pool.as_str()), "an old event: {}", events.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_stream_goes_on_without_a_gap() {
    let Sample { server, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let mut events = Events::of(&console, "/log/live?after=0").await;
    events.until("id: 11\n").await;
    assert_eq!(events.rows(), (1..=11).collect::<Vec<_>>());
    drop(events);
    create(&mut server.client().await, "meanwhile").await;
    // The browser says where it was; the address still says where it began.
    let headers = format!("\r\ncookie: {}\r\nlast-event-id: 9", console.cookie);
    let mut again = Events::open(&console.address, "/log/live?after=0", &headers).await;
    again.until("event: position\nid: 12\n").await;
    assert_eq!(again.rows(), [10, 11, 12]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_the_filter_of_its_page() {
    let Sample { server, other, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let path = format!("/log/live?after=0&pool={other}&type=domain-created&since=1h");
    let mut events = Events::of(&console, &path).await;
    // Its position is also behind events that it does not show.
    events.until("event: position\nid: 11\n").await;
    assert_eq!(events.rows(), [7]);
    assert_eq!(events.text.matches("<script").count(), 0, "{}", events.text);
    for (path, status) in [
        ("/log/live?after=x", 400),
        ("/log/live?after=-1", 400),
        ("/log/live?after=99", 404),
        ("/log/live?after=1&log=00000000000000000000000000000000", 400),
        ("/log/live?type=x", 400),
    ] {
        assert_eq!(console.get(path).await.status, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_far_behind_is_told_so() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for number in 0..201 {
        client.create_user_pool(named(&format!("pool-{number}"))).await.expect("created");
    }
    let console = Console::of(&server).await;
    let mut events = Events::of(&console, "/log/live?after=0").await;
    events.until("event: position\nid: 201\n").await;
    assert!(events.text.contains("event: behind\n"), "{}", events.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_ends_its_streams() {
    let server = TestServer::with(|config| {
        config.console_listen = Some(Endpoint::Tcp("127.0.0.1:0".to_owned()));
    })
    .await;
    let url = server.console_url.clone().expect("a console");
    let address = url.strip_prefix("http://").expect("an address");
    let mut events = Events::open(address, "/log/live?after=0", "").await;
    create(&mut server.client().await, "people").await;
    events.until("event: row\nid: 1\n").await;
    let ended = tokio::spawn(events.into_text());
    timeout(LIMIT, server.stop()).await.expect("in time");
    // A whole answer: the browser connects again at once.
    assert!(ended.await.expect("no panic").ends_with("0\r\n\r\n"));
}
