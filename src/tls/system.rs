//! The certificate authorities of the operating system.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;

use super::{TlsError, TrustedCertificates};
use crate::watched_files::WatchedFiles;

/// How long authorities are used before they are read again. Reading takes several milliseconds of processor time,
/// which no probe should cost.
const MAX_AGE: Duration = Duration::from_secs(30);

static CACHED: Mutex<Option<Cached>> = Mutex::new(None);

struct Cached {
    trusted: Arc<TrustedCertificates>,
    read_at: Instant,
}

/// Returns the authorities, and watches them with the files. It blocks on their files from time to time.
///
/// # Errors
/// A system without authorities.
pub(crate) fn system_certificates(files: &mut WatchedFiles) -> Result<Arc<TrustedCertificates>, TlsError> {
    let trusted = current()?;
    let used = Arc::clone(&trusted);
    files.watch(move || current().is_ok_and(|current| !Arc::ptr_eq(&current, &used)));
    Ok(trusted)
}

/// Returns the authorities, the same `Arc` for as long as they have not changed.
fn current() -> Result<Arc<TrustedCertificates>, TlsError> {
    let mut cached = CACHED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(cached) = &*cached
        && cached.read_at.elapsed() < MAX_AGE
    {
        return Ok(Arc::clone(&cached.trusted));
    }
    let trusted = match (read(), &*cached) {
        (Ok(read), Some(cached)) if cached.trusted.certificates() == read.certificates() => {
            Arc::clone(&cached.trusted)
        }
        (Ok(read), _) => Arc::new(read),
        (Err(error), Some(cached)) => {
            warn!("the certificate authorities of this system were not read again: {error}");
            Arc::clone(&cached.trusted)
        }
        (Err(error), None) => return Err(error),
    };
    *cached = Some(Cached { trusted: Arc::clone(&trusted), read_at: Instant::now() });
    Ok(trusted)
}

fn read() -> Result<TrustedCertificates, TlsError> {
    let mut trusted = TrustedCertificates::new();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // Bundles of operating systems may have certificates that the TLS library does not support.
        let _ = trusted.add(certificate);
    }
    if trusted.certificates().is_empty() { Err(TlsError::NoSystemRoots) } else { Ok(trusted) }
}
