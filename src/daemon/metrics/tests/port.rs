//! The port, against people who mean well and people who don't.

use std::net::SocketAddr;
use std::time::Duration;

use murmurate_client::types::{Converged, ErrorCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::exposition::Exposition;
use crate::daemon::metrics::limits::{CONNECTIONS, HEAD_BYTES};
use crate::daemon::metrics::{Listener, Sheet, Source, table};
use crate::daemon::request::{CoreEnd, CoreMetrics, Request, door};

/// Far beyond what anything here takes; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);
const GET: &str = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A port before a core that has seven links.
struct Port {
    address: SocketAddr,
    serving: AbortHandle,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Port {
    async fn open() -> Self {
        let (core, CoreEnd { mut requests, .. }) = door(Converged::of(Vec::new()));
        tokio::spawn(async move {
            while let Some(request) = requests.recv().await {
                let Request::Metrics { reply } = request else { panic!("{request:?}") };
                let mut sheet = Sheet::default();
                sheet.gauge(&table::LINKS, &[], 7_u64);
                let _ = reply.send(Ok(CoreMetrics { sheet, store_dir: "/nonexistent".into() }));
            }
        });
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.address().unwrap();
        Self { address, serving: tokio::spawn(listener.serve(Source::new(core))).abort_handle() }
    }

    /// All that comes back until the other side closes.
    async fn answer(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that refuses early may close before all is written.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// Waits until it can be read.
    async fn is_read_again(&self) {
        let until_read = async {
            while self.status(GET).await != "200" {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, until_read).await.unwrap();
    }

    async fn status(&self, request: &str) -> String {
        self.answer(request).await.split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn metrics_can_be_read_there_and_nothing_else() {
    let port = Port::open().await;
    let answer = port.answer(GET).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("text/plain; version=0.0.4"), "{head}");
    assert_eq!(Exposition::read(body).value("murmurate_links", &[]), Some(7.0));
    let open = port.answer(&GET.replace("host:", "accept: application/openmetrics-text\r\nhost:")).await;
    assert!(open.contains("application/openmetrics-text; version=1.0.0") && open.ends_with("# EOF\n"));
    for (request, status) in [
        (GET.replace("localhost", "127.0.0.1:9464"), "200"),
        (GET.replace("localhost", "[::1]:9464"), "200"),
        (GET.replace("GET", "POST"), "405"),
        (GET.replace("GET", "DELETE"), "405"),
        (GET.replace("/metrics", "/v1/status"), "404"),
        (GET.replace("/metrics", "/"), "404"),
        (GET.replace("localhost", "evil.example:9464"), "403"),
        (GET.replace("localhost", "localhost.evil.example"), "403"),
        (GET.replace("host:", "origin: http://evil.example\r\nhost:"), "403"),
        (GET.replace("host:", &format!("x: {}\r\nhost:", "y".repeat(2 * HEAD_BYTES))), "431"),
        ("\0\0 nonsense\r\n\r\n".to_owned(), "400"),
    ] {
        assert_eq!(port.status(&request).await, status, "{request:.80}");
    }
}

#[tokio::test]
async fn only_loopback_addresses_are_taken_and_a_taken_port_is_named() {
    for open in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = Listener::bind(open.parse().unwrap()).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::BadSetting);
        assert!(error.what.contains(open) && !error.why.is_empty() && error.try_.contains("127.0.0.1"), "{error}");
    }
    let port = Port::open().await;
    let error = Listener::bind(port.address).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::AlreadyRunning);
}

#[tokio::test]
async fn who_asks_slowly_or_for_too_much_keeps_nobody_from_reading() {
    let port = Port::open().await;
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(port.address).await.unwrap();
        stream.write_all(b"GET /met").await.unwrap();
        silent.push(stream);
    }
    // They are taken in the order in which they came, so this one finds no room.
    assert_ne!(port.status(GET).await, "200");
    // One after the other they are cut off for saying nothing more, and there is room again.
    for stream in &mut silent {
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap();
    }
    port.is_read_again().await;
}

#[tokio::test]
async fn many_at_once_are_all_answered_or_told_that_there_is_no_room() {
    let port = Port::open().await;
    let address = port.address;
    let mut all = JoinSet::new();
    for _ in 0..8 * CONNECTIONS {
        all.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let _ = stream.write_all(GET.as_bytes()).await;
            let mut answer = Vec::new();
            // One that found no room may be reset, for what it had sent.
            let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
            String::from_utf8(answer).unwrap()
        });
    }
    let mut answered = 0;
    while let Some(answer) = all.join_next().await {
        let answer = answer.unwrap();
        answered += usize::from(answer.starts_with("HTTP/1.1 200 "));
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.1 503 "));
    }
    assert!(answered > 0);
    port.is_read_again().await;
}
