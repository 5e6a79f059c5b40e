//! An HTTP proxy that opens tunnels to one broker, and that can misbehave.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How a proxy treats `CONNECT`.
#[derive(Clone)]
pub(crate) enum Proxying {
    /// It opens a tunnel.
    Opens,
    /// It opens a tunnel, and sends its answer byte by byte, after an interim response.
    OpensSlowly,
    /// It opens a tunnel for requests with this line, and answers 407 to others.
    OpensFor(String),
    /// It answers with these bytes, and closes the connection.
    Answers(Vec<u8>),
    /// It never answers.
    Silent,
}

/// A proxy that runs until it is dropped. Whatever name a request has, the tunnel leads to its broker.
pub(crate) struct ConnectProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    broker: SocketAddr,
    proxying: Mutex<Proxying>,
    /// The lines of each request.
    requests: Mutex<Vec<Vec<String>>>,
    is_stopping: AtomicBool,
}

impl ConnectProxy {
    pub(crate) fn start(broker: SocketAddr, proxying: Proxying) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            broker,
            proxying: Mutex::new(proxying),
            requests: Mutex::default(),
            is_stopping: AtomicBool::new(false),
        });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if server.is_stopping.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&server);
                // A client that went away ends only its connection.
                thread::spawn(move || shared.serve(stream).ok());
            }
        });
        Self { address, shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn change(&self, proxying: Proxying) {
        *self.shared.proxying.lock().expect("an unpoisoned lock") = proxying;
    }

    /// The lines of each request so far.
    pub(crate) fn requests(&self) -> Vec<Vec<String>> {
        self.shared.requests.lock().expect("an unpoisoned lock").clone()
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::SeqCst);
        // Wakes the listener up.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut request = Vec::new();
        // Unbuffered, so that no byte of the tunnel is taken.
        let lines = BufReader::with_capacity(1, client.try_clone()?).lines();
        for line in lines {
            let line = line?;
            if line.is_empty() {
                break;
            }
            request.push(line);
        }
        self.requests.lock().expect("an unpoisoned lock").push(request.clone());
        let proxying = self.proxying.lock().expect("an unpoisoned lock").clone();
        match proxying {
            Proxying::Opens => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?,
            Proxying::OpensSlowly => {
                client.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n")?;
                for byte in b"HTTP/1.0 200 OK\r\nVia: test\r\n\r\n" {
                    client.write_all(&[*byte])?;
                    thread::sleep(Duration::from_millis(2));
                }
            }
            Proxying::OpensFor(line) if request.contains(&line) => {
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            }
            Proxying::OpensFor(_) => {
                let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n";
                return client.write_all(answer.as_bytes());
            }
            Proxying::Answers(answer) => return client.write_all(&answer),
            // Until the client gives up.
            Proxying::Silent => return client.read(&mut [0; 1]).map(drop),
        }
        tunnel(client, TcpStream::connect(self.broker)?)
    }
}

fn tunnel(client: TcpStream, broker: TcpStream) -> io::Result<()> {
    broker.set_nodelay(true)?;
    let (mut from_client, mut to_broker) = (client.try_clone()?, broker.try_clone()?);
    let upstream = thread::spawn(move || {
        let copied = io::copy(&mut from_client, &mut to_broker);
        let _ = to_broker.shutdown(Shutdown::Both);
        copied
    });
    let (mut from_broker, mut to_client) = (broker, client);
    let copied = io::copy(&mut from_broker, &mut to_client);
    let _ = to_client.shutdown(Shutdown::Both);
    let _ = upstream.join();
    copied.map(drop)
}
