//! The thread that serves.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::answer::Answer;
use crate::connection::{Connection, Incoming, Wire};
use crate::misbehave::{Then, misbehave};
use crate::routes;
use crate::shared::Shared;

/// How many requests a broker takes over one connection.
const REQUESTS_PER_CONNECTION: usize = 1_000;

/// A running server; it stops when dropped.
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

/// Serves until told to stop; then the runtime goes, and with it the listener and every connection, reset.
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
                tokio::spawn(greet(Arc::clone(&shared), tcp, number));
            }
            // Out of descriptors, or gone before it was accepted.
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

async fn greet(shared: Arc<Shared>, tcp: TcpStream, number: u64) {
    if let Some(trouble) = shared.trouble(None) {
        let mut connection = Connection::new(tcp, number);
        let answer = Answer::recorded(shared.version, "14-client-missing");
        let then = misbehave(&shared, &mut connection, trouble, answer, true).await;
        finish(connection, then).await;
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

async fn serve<W: Wire>(shared: &Shared, mut connection: Connection<W>) {
    let then = converse(shared, &mut connection).await;
    finish(connection, then).await;
}

async fn finish<W: Wire>(connection: Connection<W>, then: io::Result<Then>) {
    match then {
        Ok(Then::GoOn) => connection.end_politely().await,
        // One that fails is the other side's doing: there is nobody to tell.
        Ok(Then::End) | Err(_) => connection.end(),
        Ok(Then::Reset) => {}
    }
}

async fn converse<W: Wire>(shared: &Shared, connection: &mut Connection<W>) -> io::Result<Then> {
    for asked in 1.. {
        let request = match connection.read().await? {
            Incoming::Request(request) => request,
            Incoming::End => return Ok(Then::End),
            Incoming::LineTooLong => {
                connection.send(&Answer::empty(414), true).await?;
                break;
            }
            Incoming::Malformed => {
                connection.send(&Answer::empty(400), true).await?;
                break;
            }
        };
        shared.note(&request);
        let _in_flight = shared.enter();
        let delay = shared.delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let close = asked >= REQUESTS_PER_CONNECTION || request.wants_close();
        let trouble = shared.trouble(Some(&request));
        let answer = routes::answer(shared, &request);
        match trouble {
            None => connection.send(&answer, close).await?,
            Some(trouble) => match misbehave(shared, connection, trouble, answer, close).await? {
                Then::GoOn => {}
                then => return Ok(then),
            },
        }
        if close {
            break;
        }
    }
    Ok(Then::GoOn)
}
