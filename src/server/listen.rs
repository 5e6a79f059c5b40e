//! The sockets that the server listens on.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use listenfd::ListenFd;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{ListenOn, ServerError};

/// Connections that wait to be accepted, of each socket.
const BACKLOG: i32 = 1024;

/// Returns the sockets to listen on.
///
/// # Errors
/// An address that cannot be listened on, or no usable socket of systemd.
pub(super) fn listen(on: &ListenOn) -> Result<Vec<TcpListener>, ServerError> {
    match on {
        ListenOn::Addresses(addresses) => bind_all(addresses),
        ListenOn::SystemdSockets => systemd_sockets(),
    }
}

/// Takes the sockets that systemd passes, of which each process has one set.
fn systemd_sockets() -> Result<Vec<TcpListener>, ServerError> {
    let mut sockets = ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..sockets.len() {
        let listener = take_listener(&mut sockets, index);
        listeners.extend(listener.map_err(|source| ServerError::SystemdSocket { index, source })?);
    }
    if listeners.is_empty() { Err(ServerError::NoSystemdSocket) } else { Ok(listeners) }
}

fn take_listener(sockets: &mut ListenFd, index: usize) -> io::Result<Option<TcpListener>> {
    let Some(listener) = sockets.take_tcp_listener(index)? else { return Ok(None) };
    if !SockRef::from(&listener).is_listener()? {
        return Err(io::Error::other("it is a connection; the .socket unit must not have Accept=yes"));
    }
    Ok(Some(listener))
}

/// Listens on these addresses. `[::]` stands for every address, IPv6 and IPv4, and for every IPv4 address where the
/// system has no IPv6.
///
/// # Errors
/// An address that cannot be listened on.
fn bind_all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ServerError> {
    let listen = |address: &SocketAddr| {
        bind(*address)
            .or_else(|error| {
                if is_every_address(*address) && is_without_ipv6(&error) {
                    bind((Ipv4Addr::UNSPECIFIED, address.port()).into())
                } else {
                    Err(error)
                }
            })
            .map_err(|source| ServerError::Listen { address: *address, source })
    };
    addresses.iter().map(listen).collect()
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if is_every_address(address) {
        socket.set_only_v6(false)?;
    }
    // Connections of a previous process that are still closing must not keep the address; std sets it too.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn is_every_address(address: SocketAddr) -> bool {
    address.is_ipv6() && address.ip().is_unspecified()
}

/// Whether the system does not speak IPv6: it knows no such sockets, or no such address.
fn is_without_ipv6(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, TcpStream};

    use super::*;

    #[test]
    fn every_address_is_that_of_both_protocols() {
        let every = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let listeners = bind_all(&[every]).expect("a free port");
        let port = listeners[0].local_addr().expect("it is bound").port();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_ok());
        }
        let taken = bind_all(&[SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))]);
        assert!(matches!(taken, Err(ServerError::Listen { .. })), "no fallback for an address in use");
    }
}
