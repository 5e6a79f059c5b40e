//! The thread that serves connections.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::connection::{Connection, Incoming, Transport};
use crate::fault::Fault;
use crate::inject::{Next, inject};
use crate::response::Response;
use crate::routes;
use crate::shared::Shared;

/// Number of requests after which a broker closes a connection.
const REQUESTS_PER_CONNECTION: usize = 1_000;

/// A running server. It stops when dropped.
pub(crate) struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(listener: TcpListener, shared: Arc<Shared>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serve = move || run(&runtime, listener, shared, stopped);
        let thread = thread::Builder::new().name("fake-emqx".into()).spawn(serve)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Serves until `stopped` resolves. The runtime then drops the listener and resets every connection.
fn run(runtime: &Runtime, listener: TcpListener, shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("the listener is non-blocking");
        tokio::spawn(accept(listener, shared));
        let _ = stopped.await;
    });
}

async fn accept(listener: tokio::net::TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                let number = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
                let _ = tcp.set_nodelay(true);
                tokio::spawn(handle(Arc::clone(&shared), tcp, number));
            }
            // No file descriptors left, or the peer is gone.
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Handles a connection from its first byte on.
async fn handle(shared: Arc<Shared>, tcp: TcpStream, number: u64) {
    let _open = shared.enter_connection();
    if let Some(fault) = shared.fault(None) {
        let mut connection = Connection::new(tcp, number);
        let response = Response::recorded(shared.version, "14-client-missing");
        let next = inject(&shared, &mut connection, fault, response, true).await;
        finish(connection, next).await;
        return;
    }
    match &shared.tls {
        None => serve(&shared, Connection::new(tcp, number)).await,
        Some(acceptor) => {
            if let Ok(tls) = acceptor.accept(tcp).await {
                serve(&shared, Connection::new(tls, number)).await;
            }
        }
    }
}

async fn serve<T: Transport>(shared: &Shared, mut connection: Connection<T>) {
    let next = serve_requests(shared, &mut connection).await;
    finish(connection, next).await;
}

async fn finish<T: Transport>(connection: Connection<T>, next: io::Result<Next>) {
    match next {
        Ok(Next::Continue | Next::CloseGracefully) => connection.close_gracefully().await,
        // An I/O error means that the other side is gone.
        Ok(Next::Close) | Err(_) => connection.close(),
        Ok(Next::Reset) => {}
    }
}

/// Reads requests and sends responses until the connection ends.
async fn serve_requests<T: Transport>(shared: &Shared, connection: &mut Connection<T>) -> io::Result<Next> {
    for number in 1.. {
        let mut request = match connection.read().await? {
            Incoming::Request(request) => request,
            Incoming::End => return Ok(Next::Close),
            Incoming::LineTooLong => {
                connection.send(&Response::empty(414), true).await?;
                break;
            }
            Incoming::Malformed => {
                connection.send(&Response::empty(400), true).await?;
                break;
            }
        };
        let in_flight = shared.enter_request();
        request.in_flight = in_flight.now();
        shared.record(&request);
        let latency = shared.latency();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let close = number >= REQUESTS_PER_CONNECTION || request.wants_close();
        let fault = shared.fault(Some(&request));
        let response = match &fault {
            Some(Fault::DecodedSlashes) => routes::respond(shared, &request.with_decoded_slashes()),
            Some(Fault::Rows { row, count }) => routes::page_of(shared, &request, row, *count),
            _ => routes::respond(shared, &request),
        };
        match fault {
            None => connection.send(&response, close).await?,
            Some(fault) => match inject(shared, connection, fault, response, close).await? {
                Next::Continue => {}
                next => return Ok(next),
            },
        }
        if close {
            break;
        }
    }
    Ok(Next::Continue)
}
