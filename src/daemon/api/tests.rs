//! The HTTP layer against a small core that answers each request with what it was asked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use murmurate_client::Mesh;
use murmurate_client::types::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::limits;
use crate::daemon::Log;
use crate::daemon::event_log::EventLog;
use crate::daemon::metrics::Source;
use crate::daemon::request::{
    Caller, CoreEnd, CoreFacts, CoreMetrics, DiskPlace, MembershipRequest, Pulse, Request, Watcher, door,
};

/// Far beyond what anything here takes; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

struct Served {
    dir: tempfile::TempDir,
    converged: watch::Sender<Converged>,
    events: watch::Sender<EventLog>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Served {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lagging = Lagging { host: "b".into(), state: MemberState::Dead, lag: 3, why: "away".into() };
        let (core, CoreEnd { mut requests, converged, events }) = door(Converged::of(vec![lagging]));
        tokio::spawn(async move {
            while let Some(request) = requests.recv().await {
                answer(request);
            }
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let socket = super::bind(&dir.path().join("m.sock")).unwrap();
        let serving =
            tokio::spawn(super::serve(socket, core.clone(), Log::detached("info"), Source::new(core), async move {
                drop(stopped.await)
            }));
        Self { dir, converged, events, stop: Some(stop), serving }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("m.sock")
    }

    async fn mesh(&self) -> Mesh {
        Mesh::attach_to(self.socket()).await.unwrap()
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.socket()).await.unwrap()
    }

    /// The status and the JSON that a request, written by hand, is answered with.
    async fn raw(&self, request: &[u8]) -> (u16, serde_json::Value) {
        let mut stream = self.connect().await;
        // A server that refuses early may close before all is written.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    async fn error(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, ApiError) {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
        );
        let (status, json) = self.raw((head + body).as_bytes()).await;
        (status, serde_json::from_value::<ErrorReply>(json).unwrap().error)
    }
}

fn typed(text: &str) -> TypedValue {
    TypedValue { value: text.into(), kind: ValueType::String, text: text.to_owned() }
}

fn folder(name: &str, dir: &str) -> Folder {
    Folder {
        name: name.into(),
        dir: dir.into(),
        state: FolderState::Ready,
        files: 1,
        in_step: 1,
        held: 0,
        kept_back: 0,
        skipped: 0,
        waiting: 0,
        deletes_held: 0,
        conflicts: 0,
        problem: None,
    }
}

fn conflict_value(text: &str) -> ConflictValue {
    let time = Time::from_ms(5);
    ConflictValue { value: typed(text), host: "a".into(), author: "ann".into(), time, version: "aa.0:1".into() }
}

fn event(index: usize, key: &str) -> Event {
    let resume = index.to_string();
    Event { kind: EventKind::Put, doc: "d".into(), key: key.into(), value: Some(typed("x")), ..Event::reset(resume) }
}

fn text_of(caller: &Caller) -> String {
    format!("{} {}", caller.user, caller.uid)
}

/// Refuses each operation by its name and what it was given.
fn answer_membership(request: MembershipRequest) {
    fn refused<T>(reply: crate::daemon::request::Reply<T>, what: String) {
        drop(reply.send(Err(ApiError::new(ErrorCode::NotIssuer, what, "why", "try"))));
    }
    match request {
        MembershipRequest::Node { node, reply } => refused(reply, format!("node {node}")),
        MembershipRequest::Ping { node, within, reply } => refused(reply, format!("ping {node} {within:?}")),
        MembershipRequest::CreateTicket { ticket, reply } => refused(reply, format!("create {ticket:?}")),
        MembershipRequest::Tickets { reply } => drop(reply.send(Ok(Tickets { v: V1, tickets: Vec::new() }))),
        MembershipRequest::RevokeTicket { id, reply } => refused(reply, format!("revoke ticket {id}")),
        MembershipRequest::KeyStatus { reply } => refused(reply, "key status".into()),
        MembershipRequest::AddIssuer { issuer, reply } => refused(reply, format!("issuer {}", issuer.node)),
        MembershipRequest::Revoke { node, reply } => refused(reply, format!("revoke {} {}", node.node, node.reason)),
        MembershipRequest::Leave { reply } => {
            drop(reply.send(Ok(Left { v: V1, aside: "/aside".into(), told: 2 })));
        }
    }
}

fn answer(request: Request) {
    match request {
        Request::Facts { reply } => {
            let data_dir = "/nonexistent/data".into();
            drop(reply.send(Ok(CoreFacts { data_dir, paths: Vec::new() })));
        }
        Request::Pulse { reply } => drop(reply.send(Ok(Pulse::default()))),
        Request::Status { reply } => drop(reply.send(Err(ApiError::new(ErrorCode::Store, "what", "why", "try")))),
        Request::Metrics { reply } => drop(reply.send(Ok(CoreMetrics::default()))),
        Request::Counters { reply } => drop(reply.send(Ok(Counters::default()))),
        Request::Members { reply } => drop(reply.send(Ok(Members { v: V1, members: Vec::new() }))),
        Request::Membership(request) => answer_membership(request),
        Request::FolderAdd { folder: AddFolder { name, dir, adopt }, reply } => {
            let folder = Folder { conflicts: u64::from(adopt), ..folder(&name, &dir) };
            drop(reply.send(Ok(FolderAdded { v: V1, folder })));
        }
        Request::FolderList { reply } => drop(reply.send(Ok(Folders { v: V1, folders: vec![folder("a", "/a")] }))),
        Request::FolderRemove { name, reply } => drop(reply.send(Ok(FolderRemoved { v: V1, name, dir: "/a".into() }))),
        Request::FolderStatus { name, after, reply } => {
            let folder = folder(&name.unwrap_or("all".into()), "/a");
            let next = after.is_none().then(|| "second page".to_owned());
            let files = FolderFiles { folder, entries: Vec::new(), deletes_held_why: after };
            drop(reply.send(Ok(FolderStatus { v: V1, folders: vec![files], next })));
        }
        Request::FolderConfirm { name, caller, reply } => {
            drop(reply.send(Ok(FolderConfirmed { v: V1, name, deleted: vec![text_of(&caller)] })));
        }
        Request::Documents { prefix, after, reply } => {
            let format = "toml".into();
            let next = after.is_none().then(|| "second page".to_owned());
            let document = Document {
                doc: after.unwrap_or(prefix),
                format,
                keys: 1,
                bytes: 2,
                conflicts: 0,
                time: None,
                renamed_from: None,
            };
            drop(reply.send(Ok(Documents { v: V1, documents: vec![document], next })));
        }
        Request::Keys { prefix, after, reply } => {
            let next = after.is_none().then(|| "second page".to_owned());
            let key = after.unwrap_or_default();
            let key =
                Key { doc: prefix, key, value: typed("x"), version: "aa.0:1".into(), conflict: false, overlay: None };
            drop(reply.send(Ok(Keys { v: V1, entries: vec![key], next })));
        }
        Request::Get { address, reply, .. } => drop(reply.send(Ok(entry(&address)))),
        Request::Explain { address, reply } => {
            let (host, roles) = ("web-1".into(), vec!["db".into()]);
            let (entries, left_out) = (Vec::new(), Vec::new());
            drop(reply.send(Ok(Explanation { v: V1, doc: address, host, roles, entries, left_out })));
        }
        Request::Put { address, value, kind, expect, at, caller, reply } => {
            let version = format!("{value} {kind:?} {expect:?} {at:?} {}", text_of(&caller));
            drop(reply.send(Ok(PutResult::new(address, String::new(), version, true))));
        }
        Request::Delete { address, caller, reply } => {
            drop(reply.send(Ok(Deleted::new(address, String::new(), text_of(&caller)))));
        }
        Request::ReadFile { doc, reply, .. } => {
            let bytes = vec![0, 159, 146, 150];
            let (format, version) = ("binary".into(), "aa.0:1".into());
            let heads = "aa.0:1+bb.0:1".into();
            drop(reply.send(Ok(File { doc, format, version, heads, executable: true, conflicts: 2, bytes })));
        }
        Request::WriteFile { doc, bytes, options, caller, reply } => {
            let WriteOptions { at, executable, dry_run } = options;
            let version = format!("{} {at:?} {executable:?} {dry_run} {}", bytes.len(), text_of(&caller));
            drop(reply.send(Ok(PutResult::new(doc, String::new(), version, false))));
        }
        Request::Conflicts { prefix, reply } => {
            let (part, kind) = (ConflictPart::Value, ConflictKind::Concurrent);
            let values = vec![conflict_value("x"), conflict_value("y")];
            let conflict = Conflict { doc: prefix, key: "k".into(), part, kind, winner: "x".into(), values };
            drop(reply.send(Ok(Conflicts { v: V1, conflicts: vec![conflict] })));
        }
        Request::Resolve { address, part, choice, caller, reply } => {
            let version = format!("{part:?} {choice:?} {}", text_of(&caller));
            let (value, token) = (typed("x"), String::new());
            drop(reply.send(Ok(Resolved {
                v: V1,
                doc: address,
                key: String::new(),
                value,
                version,
                token,
                resolved: 1,
            })));
        }
        Request::DiskPlace { doc, reply } => drop(reply.send(Ok(DiskPlace { root: doc.into(), path: "file".into() }))),
        Request::Diff { doc, before, after, reply } => {
            let problem = Some(format!("{before:?} {after:?}"));
            let side = DiffSide::default();
            let (before, after) = (side.clone(), side);
            drop(reply.send(Ok(Diff { v: V1, doc, same: false, before, after, keys: None, problem })));
        }
        Request::Watch { prefix, resume, init, reply } => watch_three(prefix, resume, init, reply),
    }
}

fn entry(address: &str) -> Entry {
    Entry {
        v: V1,
        doc: address.into(),
        key: String::new(),
        value: typed("x"),
        version: "aa.0:1".into(),
        host: None,
        author: Some("ann".into()),
        time: Some(Time::from_ms(7)),
        conflicts: vec![conflict_value("x")],
        overlay: None,
        heads: String::new(),
    }
}

/// Three events, then the end, as a core that restarts would have it. A watch of `quiet` stays open and silent.
fn watch_three(
    prefix: String,
    resume: Option<String>,
    init: bool,
    reply: crate::daemon::request::Reply<tokio::sync::mpsc::Receiver<Event>>,
) {
    let (watcher, events) = Watcher::new();
    let _ = reply.send(Ok(events));
    if prefix == "quiet" {
        tokio::spawn(async move { watcher.closed().await });
        return;
    }
    if init {
        let first = Event { kind: EventKind::Init, ..event(0, &prefix) };
        assert!(watcher.offer(first, ""));
    }
    let begin = resume.map_or(1, |token| token.parse::<usize>().unwrap() + 1);
    for index in begin..begin + 3 {
        assert!(watcher.offer(event(index, &prefix), ""));
    }
}

fn happened(served: &Served, texts: &[&str]) {
    for text in texts {
        served.events.send_modify(|log| log.push(MeshEvent::new(MeshEventKind::Member, Time::from_ms(1), *text)));
    }
}

#[tokio::test]
async fn what_happened_is_read_and_followed_without_a_gap() {
    let served = Served::start();
    served.events.send_modify(|log| log.begin(7));
    happened(&served, &["a", "b"]);
    let mesh = served.mesh().await;
    let kept = mesh.events().await.unwrap();
    assert_eq!(kept.events.iter().map(|event| &*event.text).collect::<Vec<_>>(), ["a", "b"]);
    happened(&served, &["c"]);
    let mut stream = mesh.follow_events().resume(Some(kept.resume)).start().await.unwrap();
    let mut from_now = mesh.follow_events().start().await.unwrap();
    let mut lost = mesh.follow_events().resume(Some("6-1".to_owned())).start().await.unwrap();
    happened(&served, &["d"]);
    let mut read = Vec::new();
    for stream in [&mut stream, &mut from_now, &mut lost] {
        let mut texts = Vec::new();
        while texts.last().is_none_or(|text| text != "d") {
            let event = timeout(PATIENCE, stream.next()).await.unwrap().unwrap().unwrap();
            texts.push(if event.kind == MeshEventKind::Reset { "reset".to_owned() } else { event.text });
        }
        read.push(texts.concat());
    }
    assert_eq!(read, ["cd", "d", "resetabcd"]);
    assert_eq!(stream.resume_token(), Some("7-4"));
}

#[tokio::test]
async fn every_operation_about_membership_goes_through_and_back() {
    let served = Served::start();
    let mesh = served.mesh().await;
    assert_eq!(mesh.node("a b").await.unwrap_err().what, "node a b");
    assert_eq!(mesh.ping("n", Duration::from_millis(20)).await.unwrap_err().what, "ping n 20ms");
    assert_eq!(mesh.ping("n", Duration::from_secs(99)).await.unwrap_err().what, "ping n 10s", "no ping waits longer");
    let ticket = CreateTicket { uses: Some(3), ..CreateTicket::default() };
    assert_eq!(mesh.ticket_create(&ticket).await.unwrap_err().what, format!("create {ticket:?}"));
    assert_eq!(mesh.tickets().await.unwrap().tickets, []);
    assert_eq!(mesh.ticket_revoke("00ff").await.unwrap_err().what, "revoke ticket 00ff");
    assert_eq!(mesh.key_status().await.unwrap_err().code, ErrorCode::NotIssuer);
    let issuer = AddIssuer { node: "n".into(), recovery_key: None };
    assert_eq!(mesh.add_issuer(&issuer).await.unwrap_err().what, "issuer n");
    let node = RevokeNode { node: "n".into(), reason: "lost".into(), recovery_key: None };
    assert_eq!(mesh.revoke(&node).await.unwrap_err().what, "revoke n lost");
    assert_eq!(mesh.leave().await.unwrap().told, 2);
}

#[tokio::test]
async fn every_operation_goes_through_and_back() {
    let served = Served::start();
    let mesh = served.mesh().await;
    let uid = rustix::process::geteuid().as_raw();
    let me = Caller { user: "root".into(), uid: 0 };
    let me = if uid == 0 { text_of(&me) } else { mesh.delete("x").await.unwrap().version };
    assert!(me.ends_with(&format!(" {uid}")), "{me}");

    assert_eq!(mesh.version().await.unwrap().version, env!("CARGO_PKG_VERSION"));
    let error = mesh.status().await.unwrap_err();
    assert_eq!(error, ApiError::new(ErrorCode::Store, "what", "why", "try"));
    assert_eq!(mesh.members().await.unwrap().members, []);
    let add = AddFolder { name: "n".into(), dir: "/d ö".into(), adopt: true };
    assert_eq!(mesh.folder_add(&add).await.unwrap().folder, Folder { conflicts: 1, ..folder("n", "/d ö") });
    assert_eq!(mesh.folders().await.unwrap().folders, [folder("a", "/a")]);
    assert_eq!(mesh.folder_remove("a&b=c").await.unwrap().name, "a&b=c");
    assert_eq!(mesh.folder_status(None).await.unwrap().folders[0].folder.name, "all");
    assert_eq!(mesh.folder_status(Some("x")).await.unwrap().folders[0].folder.name, "x");
    assert_eq!(mesh.folder_confirm("x").await.unwrap().deleted, std::slice::from_ref(&me));
    let whys: Vec<_> =
        mesh.folder_status(None).await.unwrap().folders.into_iter().map(|it| it.deletes_held_why).collect();
    assert_eq!(whys, [None], "both pages are about one folder");
    let documents = mesh.documents("pre").await.unwrap();
    let names: Vec<_> = documents.documents.iter().map(|document| document.doc.as_str()).collect();
    assert_eq!((names, documents.next), (vec!["pre", "second page"], None));
    let keys: Vec<_> = mesh.keys("pre").await.unwrap().into_iter().map(|key| key.key).collect();
    assert_eq!(keys, ["", "second page"]);
    let address = "web/ä b.toml#\"a.b\"[x=1 & y]?+%";
    assert_eq!(mesh.get(address).await.unwrap(), entry(address));
    let put = PutValue { value: "1\n2".into(), kind: Some(ValueType::Integer), expect: Some(String::new()) };
    let put = mesh.put(address, &put).await.unwrap();
    assert_eq!((put.doc.as_str(), put.version), (address, format!("1\n2 Some(Integer) Some(\"\") None {me}")));
    let value = PutValue { value: "1".into(), kind: None, expect: None };
    let put = mesh.put_at(address, "aa.0:1+bb.1:2", &value).await.unwrap();
    assert_eq!(put.version, format!("1 None None Some(\"aa.0:1+bb.1:2\") {me}"));
    assert_eq!(mesh.delete(address).await.unwrap().doc, address);
    let file = mesh.read_file("web/x").await.unwrap();
    assert_eq!((file.bytes, file.executable, file.conflicts), (vec![0, 159, 146, 150], true, 2));
    assert_eq!(file.heads, "aa.0:1+bb.0:1");
    let big = vec![b'x'; 5 << 20];
    assert_eq!(mesh.write_file("web/x", big).await.unwrap().version, format!("{} None None false {me}", 5 << 20));
    let options = WriteOptions { at: Some(file.heads), executable: Some(false), dry_run: true };
    let written = mesh.write_file_with("web/x", "y", &options).await.unwrap();
    assert_eq!(written.version, format!("1 Some(\"aa.0:1+bb.0:1\") Some(false) true {me}"));
    let diff = mesh.diff("web/x", &DiffPoint::Now, &DiffPoint::At("aa.0:1".into())).await.unwrap();
    assert_eq!(diff.problem.unwrap(), "Now At(\"aa.0:1\")");
    let place = served.dir.path().to_str().unwrap();
    let on_disk = mesh.diff(place, &DiffPoint::Now, &DiffPoint::Disk).await.unwrap();
    assert_eq!(on_disk.problem.unwrap(), "Now Disk(None)");
    std::fs::write(served.dir.path().join("file"), "x").unwrap();
    let on_disk = mesh.diff(place, &DiffPoint::Disk, &DiffPoint::Now).await.unwrap();
    assert!(on_disk.problem.unwrap().contains("b\"x\", executable: false"));
    assert_eq!(mesh.conflicts("web/").await.unwrap().conflicts[0].values.len(), 2);
    let facts = mesh.facts().await.unwrap();
    assert_eq!((facts.paths.len(), facts.host.sync), (0, None), "there is no data directory to measure in");
    assert_eq!(mesh.set_log_filter("debug").await.unwrap().filter, "debug");
    assert_eq!(mesh.log_filter().await.unwrap(), LogFilter { v: V1, filter: "debug".into(), setting: "info".into() });
    assert_eq!(mesh.set_log_filter("loud").await.unwrap_err().code, ErrorCode::BadSetting);
    assert_eq!(mesh.log_lines().await.unwrap().lines, [""; 0]);
    for choice in [
        Choice::Take(2),
        Choice::Version("aa.0:7".into()),
        Choice::Value { text: "z".into(), kind: Some(ValueType::Float) },
    ] {
        let expected = format!("Some(Comment) {choice:?} {me}");
        let resolve = ResolveConflict { address: address.into(), part: Some(ConflictPart::Comment), choice };
        assert_eq!(mesh.resolve(&resolve).await.unwrap().version, expected);
    }
}

#[tokio::test]
async fn waiting_ends_when_it_is_so_or_in_time() {
    let served = Served::start();
    let mesh = served.mesh().await;
    let late = mesh.wait_converged(Duration::ZERO).await.unwrap();
    assert_eq!((late.converged, late.lagging[0].host.as_str()), (false, "b"));
    let waiting = tokio::spawn(async move { mesh.wait_converged(PATIENCE).await });
    served.converged.send(Converged::of(Vec::new())).unwrap();
    assert!(waiting.await.unwrap().unwrap().converged);
}

#[tokio::test]
async fn a_watch_goes_on_where_it_was() {
    let served = Served::start();
    let mesh = served.mesh().await;
    let mut watch = mesh.watch("k").init(true).start().await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 10 {
        let event = timeout(PATIENCE, watch.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(event.key, "k");
        if event.kind != EventKind::Init {
            seen.push(event.resume.parse::<usize>().unwrap());
        }
    }
    assert_eq!(seen, (1..=10).collect::<Vec<_>>(), "each stream gave three, and none is lost or twice");
    assert_eq!(watch.resume_token(), Some("10"));

    let mut once = mesh.watch("k").resume(Some("40".into())).reconnect(false).start().await.unwrap();
    for token in ["41", "42", "43"] {
        assert_eq!(once.next().await.unwrap().unwrap().resume, token);
    }
    assert_eq!(once.next().await.unwrap().unwrap_err().code, ErrorCode::Interrupted);
    assert!(once.next().await.is_none());
}

#[tokio::test]
async fn the_event_id_is_the_resume_token() {
    let served = Served::start();
    let mut stream = served.connect().await;
    let request = "GET /v1/watch?prefix=k HTTP/1.1\r\nhost: localhost\r\nlast-event-id: 7\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.contains("text/event-stream"));
    assert!(answer.contains("event: put\nid: 8\n"), "{answer}");
}

/// Another daemon on the socket of one that has ended.
fn serve_again(socket: &Path) -> JoinHandle<()> {
    let (core, CoreEnd { mut requests, converged, events }) = door(Converged::of(Vec::new()));
    let again = tokio::spawn(super::serve(
        super::bind(socket).unwrap(),
        core.clone(),
        Log::detached("info"),
        Source::new(core),
        std::future::pending(),
    ));
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            answer(request);
        }
        drop((converged, events));
    });
    again
}

#[tokio::test]
async fn a_watch_that_had_no_event_yet_says_that_it_may_have_missed_some() {
    let mut served = Served::start();
    let mesh = served.mesh().await;
    let mut watch = mesh.watch("quiet").start().await.unwrap();
    let socket = served.socket();
    drop(served.stop.take());
    timeout(PATIENCE, &mut served.serving).await.unwrap().unwrap();
    assert!(!socket.exists());
    let again = serve_again(&socket);
    let event = timeout(PATIENCE, watch.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(event.kind, EventKind::Reset);
    again.abort();
}

#[tokio::test]
async fn requests_that_make_no_sense_are_answered_in_json() {
    let served = Served::start();
    let put = "/v1/value?address=a%2Fb%23c";
    for (method, path, headers, body, status, code) in [
        ("GET", "/", "", "", 404, ErrorCode::NoRoute),
        ("GET", "/v2/status", "", "", 404, ErrorCode::NoRoute),
        ("POST", "/v1/status", "", "", 404, ErrorCode::NoRoute),
        ("GET", "/v1/value", "", "", 400, ErrorCode::BadRequest),
        ("GET", "/v1/keys?prefix=a&limit=1", "", "", 400, ErrorCode::BadRequest),
        ("PUT", put, "", "", 400, ErrorCode::BadRequest),
        ("PUT", put, "", "{\"value\":", 400, ErrorCode::BadRequest),
        ("PUT", put, "", "{\"value\":1}", 400, ErrorCode::BadRequest),
        ("PUT", put, "", "{\"value\":\"1\",\"tpye\":\"float\"}", 400, ErrorCode::BadRequest),
        ("POST", "/v1/resolve", "", "{\"address\":\"a\",\"choice\":{}}", 400, ErrorCode::BadRequest),
        ("GET", "/v1/wait?condition=peace&timeout_ms=1", "", "", 400, ErrorCode::BadRequest),
        ("GET", "/v1/wait?condition=converged&timeout_ms=soon", "", "", 400, ErrorCode::BadRequest),
        ("GET", "/v1/members", "origin: https://example.org\r\n", "", 403, ErrorCode::Denied),
        ("GET", "/v1/status", "", "", 500, ErrorCode::Store),
    ] {
        let (got, error) = served.error(method, path, headers, body).await;
        assert_eq!((got, error.code), (status, code), "{method} {path} {body}");
        assert_eq!(error.exit, code.exit().number());
        assert!(!error.try_.is_empty());
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_however_it_comes() {
    let served = Served::start();
    let said = format!("content-length: {}\r\n\r\n", limits::BODY_BYTES + 1).into_bytes();
    let mut chunked = b"transfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..=limits::BODY_BYTES >> 20 {
        chunked.extend_from_slice(b"100000\r\n");
        chunked.resize(chunked.len() + (1 << 20), b'x');
        chunked.extend_from_slice(b"\r\n");
    }
    for rest in [said, chunked] {
        let mut request = b"PUT /v1/file?doc=a/b HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n".to_vec();
        request.extend_from_slice(&rest);
        let mut stream = served.connect().await;
        let (mut reader, mut writer) = stream.split();
        let mut head = [0; 12];
        let read = timeout(PATIENCE, reader.read_exact(&mut head));
        // Whether all of it is taken before the answer doesn't matter.
        let (read, _) = tokio::join!(read, timeout(PATIENCE, writer.write_all(&request)));
        read.unwrap().unwrap();
        assert_eq!(&head, b"HTTP/1.1 413");
    }
}

#[tokio::test]
async fn half_open_requests_block_nobody() {
    // Both ends of all connections are open in this process.
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let served = Served::start();
    let mut silent = Vec::new();
    for index in 0..limits::CONNECTIONS + 200 {
        let mut stream = served.connect().await;
        let beginning: &[u8] = if index % 2 == 0 { b"" } else { b"GET /v1/mem" };
        // Some of them give way already.
        let _ = stream.write_all(beginning).await;
        silent.push(stream);
    }
    let mesh = timeout(PATIENCE, served.mesh()).await.unwrap();
    for _ in 0..10 {
        timeout(PATIENCE, mesh.members()).await.unwrap().unwrap();
    }
    let mut byte = [0];
    let gone = timeout(PATIENCE, silent[0].read(&mut byte)).await.unwrap();
    assert!(matches!(gone, Ok(0) | Err(_)), "the longest silent one gave way");
}

#[tokio::test]
async fn watches_are_counted() {
    let served = Served::start();
    let mesh = served.mesh().await;
    let mut open = Vec::new();
    for _ in 0..limits::WATCHES {
        open.push(mesh.watch("quiet").start().await.unwrap());
    }
    assert_eq!(mesh.watch("quiet").start().await.unwrap_err().code, ErrorCode::Busy);
    mesh.members().await.unwrap();
}

#[tokio::test]
async fn a_daemon_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("m.sock");
    let error = Mesh::attach_to(&socket).await.unwrap_err();
    assert_eq!((error.code, error.exit), (ErrorCode::Unreachable, 5));
    assert!(error.what.contains(socket.to_str().unwrap()));
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert_eq!(Mesh::attach_to(&socket).await.unwrap_err().code, ErrorCode::Unreachable);
}

#[tokio::test]
async fn a_kept_connection_that_the_daemon_closed_is_no_error() {
    let mut served = Served::start();
    let mesh = served.mesh().await;
    mesh.members().await.unwrap();
    let socket = served.socket();
    drop(served.stop.take());
    timeout(PATIENCE, &mut served.serving).await.unwrap().unwrap();
    assert_eq!(mesh.members().await.unwrap_err().code, ErrorCode::Unreachable);
    let again = serve_again(&socket);
    mesh.members().await.unwrap();
    again.abort();
}

#[tokio::test]
async fn the_page_that_describes_the_api_names_every_route_and_no_other() {
    let served = Served::start();
    let (status, page) =
        served.raw(b"GET /v1/openapi.json HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert_eq!(status, 200);
    let paths = page["paths"].as_object().unwrap();
    let described: BTreeSet<_> = paths.keys().map(String::as_str).collect();
    let routes = [include_str!("routes.rs"), include_str!("membership.rs")];
    let routes = routes.iter().flat_map(|text| text.lines());
    let routes = routes.filter_map(|line| line.trim().strip_prefix(".route(\"")?.split('"').next());
    assert_eq!(described, routes.collect());
    // These answer with something else than a document.
    let others = ["/v1/watch", "/v1/events/follow", "/v1/metrics"];
    for (path, methods) in paths.iter().filter(|(path, _)| !others.contains(&path.as_str())) {
        for method in methods.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let head = format!(
                "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            );
            let (_, answer) = served.raw(head.as_bytes()).await;
            assert_ne!(answer["error"]["code"], "E_NO_ROUTE", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn metrics_are_text_and_requests_are_counted_by_operation() {
    let served = Served::start();
    let mesh = served.mesh().await;
    assert!(mesh.folders().await.is_ok());
    assert!(mesh.status().await.is_err());
    served.error("GET", "/v1/nothing/secret", "", "").await;
    served.error("BREW", "/v1/status", "", "").await;
    let text = mesh.metrics().await.unwrap();
    for line in [
        "# TYPE murmurate_api_requests_total counter",
        "murmurate_api_requests_total{method=\"GET\",operation=\"/v1/folders\",status=\"2xx\"} 1",
        "murmurate_api_requests_total{method=\"GET\",operation=\"/v1/status\",status=\"5xx\"} 1",
        "murmurate_queue_items_limit{queue=\"core_requests\"} 256",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
    assert!(!text.contains("secret") && !text.contains("BREW"), "{text}");
}
