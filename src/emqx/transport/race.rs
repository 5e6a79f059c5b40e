//! Connecting to the first of several addresses that accepts, as Happy Eyeballs (RFC 8305) does.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Time after which the next address is tried while others are in progress (RFC 8305 section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to one address after another, each as soon as one before it failed or [`ATTEMPT_DELAY`] has passed. The
/// first connection wins.
///
/// # Errors
/// The last error, when all addresses failed. Sets no time limit.
pub(super) async fn connect_first(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut attempts = FuturesUnordered::new();
    let mut addresses = addresses.iter().peekable();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        if let Some(address) = addresses.next() {
            attempts.push(TcpStream::connect(*address));
        }
        let limit = if addresses.peek().is_some() { ATTEMPT_DELAY } else { Duration::MAX };
        match timeout(limit, attempts.next()).await {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) => last = error,
            Ok(None) => return Err(last),
            // Time for the next address.
            Err(_) => {}
        }
    }
}

/// Orders addresses so that IPv6 and IPv4 alternate, beginning with the family of the first (RFC 8305 section 4).
pub(super) fn interleave(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let is_first_ipv6 = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_first_ipv6);
    let mut ordered = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use tokio::net::TcpSocket;

    use super::*;

    /// Listens without room for a further connection, so that the system answers none.
    async fn black_hole() -> (tokio::net::TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let listener = socket.listen(0).expect("it listens");
        let address = listener.local_addr().expect("it is bound");
        let mut filling = Vec::new();
        while let Ok(connected) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            filling.push(connected.expect("there was room"));
        }
        (listener, filling)
    }

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        (listener, address)
    }

    /// An address that refuses connections.
    fn closed() -> SocketAddr {
        listener().1
    }

    #[tokio::test]
    async fn a_silent_address_does_not_hold_up_the_next() {
        let (silent, _filling) = black_hole().await;
        let silent = silent.local_addr().expect("it is bound");
        let (_listener, good) = listener();
        for addresses in [vec![silent, good], vec![silent, closed(), good], vec![good, silent]] {
            let stream = connect_first(&addresses).await.expect("one accepts");
            assert_eq!(stream.peer_addr().ok(), Some(good), "{addresses:?}");
        }
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_followed_by_the_next() {
        let (_listener, good) = listener();
        let addresses = [closed(), closed(), closed(), closed(), good];
        let stream = connect_first(&addresses).await.expect("one accepts");
        assert_eq!(stream.peer_addr().ok(), Some(good));
    }

    #[tokio::test]
    async fn without_any_that_accepts_the_last_error_is_returned() {
        let error = connect_first(&[closed(), closed()]).await.expect_err("both refuse");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(connect_first(&[]).await.is_err());
    }

    #[test]
    fn families_alternate() {
        let parse = |addresses: &[&str]| -> Vec<IpAddr> {
            addresses.iter().map(|address| address.parse().expect("an address")).collect()
        };
        let ordered = |addresses: &[&str]| interleave(parse(addresses));
        assert_eq!(
            ordered(&["::1", "::2", "::3", "10.0.0.1", "10.0.0.2"]),
            parse(&["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"])
        );
        assert_eq!(ordered(&["10.0.0.1", "10.0.0.2", "::1"]), parse(&["10.0.0.1", "::1", "10.0.0.2"]));
        assert_eq!(ordered(&["10.0.0.1"]), parse(&["10.0.0.1"]));
        assert!(interleave(Vec::new()).is_empty());
    }
}
