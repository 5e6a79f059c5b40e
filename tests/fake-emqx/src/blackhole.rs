//! An address that swallows connections.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::runtime::Builder;

/// After this long without an answer a SYN counts as dropped.
const DROPPED: Duration = Duration::from_millis(200);

/// More connections than the shortest queue of a listener takes.
const MAX_QUEUED: usize = 16;

/// An address whose SYNs get no answer, as behind a firewall that drops them: a listener with a full queue. It is freed
/// when dropped.
pub struct Blackhole {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Blackhole {
    /// Occupies this address; port 0 is any free one.
    ///
    /// # Panics
    ///
    /// If the address is in use, or the operating system goes on accepting connections.
    #[must_use]
    pub fn start_at(address: SocketAddr) -> Self {
        let listener = listen(address).expect("the address is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let mut queued = Vec::new();
        while queued.len() < MAX_QUEUED {
            match TcpStream::connect_timeout(&address, DROPPED) {
                Ok(stream) => queued.push(stream),
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    return Self { address, _listener: listener, _queued: queued };
                }
                Err(error) => panic!("cannot fill the queue of {address}: {error}"),
            }
        }
        panic!("the queue of {address} never fills");
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Listens with the shortest queue there is.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let _context = runtime.enter();
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind(address)?;
    socket.listen(0)?.into_std()
}
