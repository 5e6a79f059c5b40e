//! A directory with a web configuration, and the exporter that serves with it.

use std::fs;

use tempfile::TempDir;

use super::{Authority, HttpClient, Leaf, Program, Run, ServerProcess};

/// The configuration of a broker that is never queried.
pub(crate) const BROKER: &str =
    "emqx: {alias: LocalEMQX, api_url: \"http://127.0.0.1:9/api\", api_key: k, api_secret: s}\n";

/// The section for TLS with the certificate of the directory; further settings can follow.
pub(crate) const TLS: &str = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n";

/// A directory with a web configuration, a server certificate, and the authority that issued it as `ca.pem`.
pub(crate) struct WebConfigDir {
    pub(crate) authority: Authority,
    pub(crate) directory: TempDir,
}

impl WebConfigDir {
    pub(crate) fn new(web_config: &str) -> Self {
        let site = Self {
            authority: Authority::new("The exporter's authority"),
            directory: tempfile::tempdir().expect("a temporary directory"),
        };
        site.authority.server(&["localhost", "127.0.0.1"]).write(site.directory.path());
        site.authority.write(site.directory.path(), "ca.pem");
        site.write("web.yaml", web_config);
        site
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        fs::write(self.directory.path().join(name), content).expect("the directory takes files");
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    pub(crate) fn serve(&self, options: &[&str]) -> ServerProcess {
        self.serve_for(BROKER, options)
    }

    pub(crate) fn serve_for(&self, config: &str, options: &[&str]) -> ServerProcess {
        self.serve_program(&Program::with_config(config), options)
    }

    pub(crate) fn serve_program(&self, program: &Program, options: &[&str]) -> ServerProcess {
        let web_config = self.path("web.yaml");
        let options = [&["--web.config.file", web_config.as_str()], options].concat();
        ServerProcess::start(program, &options)
    }

    pub(crate) fn tls(&self, served: &ServerProcess) -> HttpClient {
        HttpClient::tls(served.address(), &self.authority, None)
    }

    pub(crate) fn tls_showing(&self, served: &ServerProcess, leaf: &Leaf) -> HttpClient {
        HttpClient::tls(served.address(), &self.authority, Some(leaf))
    }

    /// Runs `--config.check` with the web configuration.
    pub(crate) fn check(&self) -> Run {
        Program::with_config(BROKER).run(&["--config.check", "--web.config.file", &self.path("web.yaml")])
    }
}

pub(crate) fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).expect("a hash")
}

pub(crate) fn users(users: &[(&str, &str)]) -> String {
    let lines = users.iter().map(|(user, password)| format!("  {user}: {}\n", hash(password)));
    format!("basic_auth_users:\n{}", lines.collect::<String>())
}
