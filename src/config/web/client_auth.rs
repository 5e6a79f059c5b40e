//! `client_auth_type` and `client_ca_file`: which certificates clients must present.

use std::str::FromStr;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::NoClientAuth;
use rustls::server::danger::ClientCertVerifier;

use crate::config::node_ref::NodeRef;
use crate::tls::{AnyCertificate, TrustedCertificates, read_trusted};
use crate::watched_files::WatchedFiles;

/// What is required of clients, in the words of Go's TLS library, from which the toolkit took them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientAuth {
    NoClientCert,
    RequestClientCert,
    RequireAnyClientCert,
    VerifyClientCertIfGiven,
    RequireAndVerifyClientCert,
}

impl FromStr for ClientAuth {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "NoClientCert" => Self::NoClientCert,
            "RequestClientCert" => Self::RequestClientCert,
            // The second is the toolkit's old name of the first.
            "RequireAnyClientCert" | "RequireClientCert" => Self::RequireAnyClientCert,
            "VerifyClientCertIfGiven" => Self::VerifyClientCertIfGiven,
            "RequireAndVerifyClientCert" => Self::RequireAndVerifyClientCert,
            _ => return Err(()),
        })
    }
}

/// Reads the two settings as a verifier of client certificates.
pub(super) fn read(
    auth_type: Option<NodeRef<'_>>,
    ca_file: Option<NodeRef<'_>>,
    files: &mut WatchedFiles,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn ClientCertVerifier>> {
    const EXPECTED: &str = "NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven or \
                            RequireAndVerifyClientCert";
    let roots = ca_file.as_ref().map(|value| read_client_roots(value, files));
    let auth = match &auth_type {
        Some(value) => value.text(EXPECTED)?.parse().ok().or_else(|| value.expected(EXPECTED))?,
        None => ClientAuth::NoClientCert,
    };
    match (auth, ca_file, roots) {
        (ClientAuth::NoClientCert, None, _) => Some(Arc::new(NoClientAuth)),
        (ClientAuth::NoClientCert, Some(ca_file), _) => {
            ca_file.error(
                "has no effect without client_auth_type; add client_auth_type: RequireAndVerifyClientCert",
            );
            None
        }
        (ClientAuth::RequestClientCert | ClientAuth::RequireAnyClientCert, ca_file, _) => {
            if let Some(ca_file) = ca_file {
                ca_file.diagnostics().warning(format!(
                    "{} has no effect: this client_auth_type verifies no certificate; RequireAndVerifyClientCert does",
                    ca_file.name()
                ));
            }
            let mandatory = auth == ClientAuth::RequireAnyClientCert;
            Some(Arc::new(AnyCertificate::new(mandatory, provider)))
        }
        (ClientAuth::VerifyClientCertIfGiven, Some(ca_file), Some(roots)) => {
            verifier(&ca_file, roots?, false, provider)
        }
        (ClientAuth::RequireAndVerifyClientCert, Some(ca_file), Some(roots)) => {
            verifier(&ca_file, roots?, true, provider)
        }
        (ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert, ..) => {
            auth_type?
                .error("needs client_ca_file, a PEM file with the authorities that issue client certificates");
            None
        }
    }
}

fn read_client_roots(value: &NodeRef<'_>, files: &mut WatchedFiles) -> Option<TrustedCertificates> {
    let (trusted, warnings) =
        read_trusted(&value.file()?, files).map_err(|error| value.error_from(&error)).ok()?;
    for warning in warnings {
        value.diagnostics().warning(format!("{}: {warning}", value.name()));
    }
    Some(trusted)
}

fn verifier(
    ca_file: &NodeRef<'_>,
    trusted: TrustedCertificates,
    is_required: bool,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn ClientCertVerifier>> {
    Arc::new(trusted).client_verifier(is_required, provider).map_err(|error| ca_file.error(error)).ok()
}
