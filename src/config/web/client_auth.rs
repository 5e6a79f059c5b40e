//! `client_auth_type`, `client_ca`, `client_ca_file` and `client_allowed_sans`: which certificates clients must present.

use std::str::FromStr;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::NoClientAuth;
use rustls::server::danger::ClientCertVerifier;

use super::pem_setting::PemSetting;
use crate::config::mapping::Mapping;
use crate::config::node_ref::NodeRef;
use crate::tls::{AnyCertificate, NamedClients, TrustedCertificates, system_certificates};
use crate::watched_files::WatchedFiles;

/// The settings, as they are found in the file.
pub(super) struct ClientAuthSettings<'d> {
    auth_type: Option<NodeRef<'d>>,
    ca: Option<PemSetting<'d>>,
    allowed_sans: Option<NodeRef<'d>>,
}

/// The clients that are accepted.
pub(super) struct AcceptedClients {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    /// Whether their certificates must have one of certain names.
    pub(super) limits_names: bool,
}

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

impl ClientAuth {
    /// Whether a client without a certificate is refused.
    fn is_mandatory(self) -> bool {
        matches!(self, Self::RequireAnyClientCert | Self::RequireAndVerifyClientCert)
    }
}

impl<'d> ClientAuthSettings<'d> {
    /// Finds the settings in `tls_server_config`.
    pub(super) fn find(section: &mut Mapping<'d>) -> Self {
        Self {
            auth_type: section.optional("client_auth_type").filter(|value| !value.is_empty_text()),
            ca: PemSetting::find(section, "client_ca", "client_ca_file"),
            allowed_sans: section.optional("client_allowed_sans"),
        }
    }

    /// Reads the settings.
    pub(super) fn read(
        &self,
        files: &mut WatchedFiles,
        provider: &Arc<CryptoProvider>,
    ) -> Option<AcceptedClients> {
        let roots = self.ca.as_ref().map(|ca| read_roots(ca, files));
        let auth = self.read_auth_type();
        let names = self.allowed_sans.as_ref().map(|list| read_names(list, auth));
        let auth = auth?;
        let verifier: Arc<dyn ClientCertVerifier> = match auth {
            ClientAuth::NoClientCert => {
                if let Some(ca) = &self.ca {
                    return ca.value.refuse(
                        "has no effect without client_auth_type; add client_auth_type: RequireAndVerifyClientCert",
                    );
                }
                Arc::new(NoClientAuth)
            }
            ClientAuth::RequestClientCert | ClientAuth::RequireAnyClientCert => {
                if let Some(ca) = &self.ca {
                    ca.value.warn(
                        "has no effect: this client_auth_type verifies no certificate; RequireAndVerifyClientCert does",
                    );
                }
                if let Some(names) = &self.allowed_sans {
                    names.warn(
                        "protects nothing: this client_auth_type accepts a certificate that anybody made with one of \
                         the names; RequireAndVerifyClientCert does not",
                    );
                }
                Arc::new(AnyCertificate::new(auth.is_mandatory(), provider))
            }
            ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert => {
                let trusted = match roots {
                    Some(roots) => roots?,
                    None => self.system_roots(files)?,
                };
                let setting = self.ca.as_ref().map(|ca| &ca.value).or(self.auth_type.as_ref())?;
                setting.ok_or_error(trusted.client_verifier(auth.is_mandatory(), provider))?
            }
        };
        Some(match names {
            Some(names) => {
                AcceptedClients { verifier: Arc::new(NamedClients::new(names?, verifier)), limits_names: true }
            }
            None => AcceptedClients { verifier, limits_names: false },
        })
    }

    fn read_auth_type(&self) -> Option<ClientAuth> {
        const EXPECTED: &str = "NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven or \
                                RequireAndVerifyClientCert";
        match &self.auth_type {
            Some(value) => value.text(EXPECTED)?.parse().ok().or_else(|| value.expected(EXPECTED)),
            None => Some(ClientAuth::NoClientCert),
        }
    }

    /// Returns the authorities of the operating system, as Go trusts where no others are named.
    fn system_roots(&self, files: &mut WatchedFiles) -> Option<Arc<TrustedCertificates>> {
        let value = self.auth_type.as_ref()?;
        value.warn(
            "without client_ca_file, certificates of every public authority are accepted; name your own authority \
             in client_ca_file",
        );
        value.ok_or_error(system_certificates(files))
    }
}

fn read_roots(ca: &PemSetting<'_>, files: &mut WatchedFiles) -> Option<Arc<TrustedCertificates>> {
    let (trusted, warnings) = ca.value.ok_or_error(ca.read(files)?.trusted())?;
    for warning in warnings {
        ca.value.warn(warning);
    }
    Some(Arc::new(trusted))
}

fn read_names(list: &NodeRef<'_>, auth: Option<ClientAuth>) -> Option<Vec<String>> {
    const EXPECTED: &str = "a list of names: DNS names, IP addresses, e-mail addresses or URIs";
    let elements = list.elements(EXPECTED)?;
    if elements.is_empty() {
        return list.refuse("lists no name, so no client would be accepted; remove it or add a name");
    }
    if auth.is_some_and(|auth| !auth.is_mandatory()) {
        return list.refuse(
            "needs client_auth_type RequireAndVerifyClientCert or RequireAnyClientCert: a client without a \
             certificate has no name",
        );
    }
    let names: Vec<_> = elements.iter().map(|element| element.text(EXPECTED).map(ToOwned::to_owned)).collect();
    names.into_iter().collect()
}
