//! A server that answers HTTP requests with the exact bytes of a test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// A request to a [`RawServer`].
pub(crate) struct RawRequest {
    /// Client ID of a lookup, not decoded.
    pub(crate) client_id: String,
    /// Number of this request on the server, the first being 1.
    pub(crate) number: usize,
}

/// One step of a response.
pub(crate) enum Step {
    /// Sends bytes at once.
    Send(Vec<u8>),
    /// Waits, so that what follows is received by itself.
    Pause(Duration),
    /// Ends the connection.
    Close,
}

/// A server that runs until it is dropped.
pub(crate) struct RawServer {
    address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
    is_stopping: AtomicBool,
}

impl Step {
    pub(crate) fn send(bytes: impl AsRef<[u8]>) -> Self {
        Self::Send(bytes.as_ref().to_vec())
    }

    /// Sends a response with a length.
    pub(crate) fn response(status: &str, body: &str) -> Self {
        Self::send(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    }
}

impl RawServer {
    /// Starts one that answers each request with these steps.
    pub(crate) fn start(respond: impl Fn(&RawRequest) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let counts = Arc::new(Counts::default());
        let (respond, shared) = (Arc::new(respond), Arc::clone(&counts));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.is_stopping.load(Ordering::SeqCst) {
                    return;
                }
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (respond, shared) = (Arc::clone(&respond), Arc::clone(&shared));
                // A client that went away ends only its connection.
                thread::spawn(move || serve(stream, &shared, respond.as_ref()).ok());
            }
        });
        Self { address, counts }
    }

    /// A configuration of this server as a broker, with `more` keys of it, that watches clients by these IDs.
    pub(crate) fn config(&self, more: &str, client_ids: &[&str]) -> String {
        let clients: Vec<_> = client_ids.iter().map(|id| format!("{{alias: {id}, client_id: {id}}}")).collect();
        format!(
            "emqx: {{alias: LocalEMQX, api_url: \"http://{}/api/\", api_key: the-key, api_secret: the-secret{more}}}\n\
             monitored_clients: [{}]\n",
            self.address,
            clients.join(", ")
        )
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.counts.is_stopping.store(true, Ordering::SeqCst);
        // Wakes the listener up.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    stream: TcpStream,
    counts: &Counts,
    respond: &dyn Fn(&RawRequest) -> Vec<Step>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut stream = stream;
    while let Some(line) = lines.next().transpose()? {
        for header in lines.by_ref() {
            if header?.is_empty() {
                break;
            }
        }
        let number = counts.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let target = line.split(' ').nth(1).unwrap_or_default();
        let client_id = target.rsplit('/').next().unwrap_or_default().to_owned();
        for step in respond(&RawRequest { client_id, number }) {
            match step {
                Step::Send(bytes) => stream.write_all(&bytes)?,
                Step::Pause(pause) => thread::sleep(pause),
                Step::Close => return Ok(()),
            }
        }
    }
    Ok(())
}
