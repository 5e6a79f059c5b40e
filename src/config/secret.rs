//! Secrets: written in the configuration, or read from a file or the environment at each use, so that a rotated one
//! works at once.

use std::env::{self, VarError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use futures_util::future::join_all;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, Serializer};
use tokio::runtime;
use tokio::time::{Instant, timeout_at};

use super::node_ref::NodeRef;
use crate::blocking::Blocking;
use crate::error_chain::chain;
use crate::watched_files::read_bounded;

/// The largest secret file, in bytes.
const MAX_FILE_BYTES: usize = 64 << 10;

const EXPECTED: &str = "a text, {file: PATH} or {env: NAME}";

/// Time limit of reading the secret files of a configuration when it is loaded. Probes read them again.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// The secret files being read. A hung disk costs one thread for each file on it, however many probes need it.
static READS: LazyLock<Blocking<PathBuf, Result<SecretString, SecretError>>> = LazyLock::new(Blocking::new);

/// Where a secret comes from. Its `Debug` never shows it.
#[derive(Debug, Clone)]
pub enum Secret {
    /// It is written in the configuration.
    Text(SecretString),
    /// It is the content of this file, less final line ends.
    File(PathBuf),
    /// It is the value of this environment variable, less final line ends.
    Env(String),
}

impl PartialEq for Secret {
    /// Whether both come from the same place; for a text, whether it is the same.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one.expose_secret() == other.expose_secret(),
            (Self::File(one), Self::File(other)) => one == other,
            (Self::Env(one), Self::Env(other)) => one == other,
            _ => false,
        }
    }
}

impl Serialize for Secret {
    /// Serializes where the secret comes from; one written in the configuration is replaced by `<secret>`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(_) => serializer.serialize_str("<secret>"),
            Self::File(path) => serializer.collect_map([("file", path)]),
            Self::Env(name) => serializer.collect_map([("env", name)]),
        }
    }
}

/// Why a secret cannot be used. Names the file or the variable, and never shows the value.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret file {}", path.display())]
    UnreadableFile {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// Reading the file takes too long, as on a hung disk.
    #[error("the secret file {} could not be read in time", path.display())]
    TimedOut {
        /// The file.
        path: PathBuf,
    },
    /// The content of the file cannot be a secret.
    #[error("the secret file {} {fault}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: SecretFault,
    },
    /// The environment variable is not set.
    #[error("the environment variable {name} is not set")]
    Unset {
        /// The variable.
        name: String,
    },
    /// The value of the environment variable cannot be a secret.
    #[error("the environment variable {name} {fault}")]
    BadVariable {
        /// The variable.
        name: String,
        /// What is wrong with it.
        fault: SecretFault,
    },
}

/// Why a text cannot be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    /// It is empty.
    #[error("is empty")]
    Empty,
    /// It is not UTF-8.
    #[error("is not valid UTF-8")]
    NotText,
    /// It contains characters that a header cannot carry.
    #[error("contains control characters")]
    ControlCharacters,
    /// It is an API key with a colon, which would end it in basic authentication.
    #[error("contains a colon (:), which an API key cannot; put what follows it into api_secret")]
    Colon,
}

impl Secret {
    /// Reads the secret.
    ///
    /// # Errors
    /// The file or the variable is missing, or contains what cannot be a secret, or the file is not read by `deadline`.
    pub async fn read(&self, deadline: Instant) -> Result<SecretString, SecretError> {
        match self {
            Self::Text(secret) => Ok(secret.clone()),
            Self::File(path) => {
                let file = path.clone();
                let read = timeout_at(deadline, READS.run(path.clone(), move || read_file(&file))).await;
                let read = read.map_err(|_| SecretError::TimedOut { path: path.clone() })?;
                read.unwrap_or_else(|source| Err(unreadable(path, source)))
            }
            Self::Env(name) => read_variable(name),
        }
    }

    /// Reads the secret as an API key.
    ///
    /// # Errors
    /// Those of [`Self::read`], and a colon: an API key is sent as the user name of basic authentication, which ends at
    /// a colon.
    pub async fn read_key(&self, deadline: Instant) -> Result<SecretString, SecretError> {
        let key = self.read(deadline).await?;
        if !key.expose_secret().contains(':') {
            return Ok(key);
        }
        match self {
            Self::File(path) => Err(SecretError::BadFile { path: path.clone(), fault: SecretFault::Colon }),
            Self::Env(name) => Err(SecretError::BadVariable { name: name.clone(), fault: SecretFault::Colon }),
            // Refused when the configuration is read.
            Self::Text(_) => Ok(key),
        }
    }
}

fn read_file(path: &Path) -> Result<SecretString, SecretError> {
    let content = read_bounded(path, MAX_FILE_BYTES).map_err(|source| unreadable(path, source))?;
    let text = String::from_utf8(content).map_err(|_| SecretFault::NotText);
    text.and_then(|text| checked(text.strip_prefix('\u{feff}').unwrap_or(&text)))
        .map_err(|fault| SecretError::BadFile { path: path.to_path_buf(), fault })
}

fn unreadable(path: &Path, source: io::Error) -> SecretError {
    SecretError::UnreadableFile { path: path.to_path_buf(), source: Arc::new(source) }
}

fn read_variable(name: &str) -> Result<SecretString, SecretError> {
    let value = env::var(name).map_err(|error| match error {
        VarError::NotPresent => SecretError::Unset { name: name.to_owned() },
        VarError::NotUnicode(_) => {
            SecretError::BadVariable { name: name.to_owned(), fault: SecretFault::NotText }
        }
    })?;
    checked(&value).map_err(|fault| SecretError::BadVariable { name: name.to_owned(), fault })
}

/// Returns the secret in a text. Editors and `echo` end a text with a newline.
fn checked(text: &str) -> Result<SecretString, SecretFault> {
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        Err(SecretFault::Empty)
    } else if secret.contains(char::is_control) {
        Err(SecretFault::ControlCharacters)
    } else {
        Ok(SecretString::from(secret))
    }
}

/// Reads the setting of an API key, in which a colon is refused.
pub(super) fn read_key(value: &NodeRef<'_>) -> Option<Secret> {
    if value.as_text().is_some_and(|key| key.contains(':')) {
        return value.refuse("must not contain a colon (:); put what follows it into api_secret");
    }
    read_source(value, true)
}

/// Reads the setting of a secret.
pub(super) fn read(value: &NodeRef<'_>) -> Option<Secret> {
    read_source(value, false)
}

/// A secret of a file or the environment that has not been read yet.
pub(super) struct UncheckedSecret {
    secret: Secret,
    is_key: bool,
    /// The setting, such as `emqx[1].api_key`.
    name: String,
}

/// Reads secrets, all at once, and returns a warning for each that cannot be read now; it may appear before it is needed.
pub(super) fn check(secrets: &[UncheckedSecret]) -> Vec<String> {
    if secrets.is_empty() {
        return Vec::new();
    }
    let read = async |unchecked: &UncheckedSecret| {
        let deadline = Instant::now() + CHECK_TIMEOUT;
        let UncheckedSecret { secret, is_key, name } = unchecked;
        let read = if *is_key { secret.read_key(deadline).await } else { secret.read(deadline).await };
        let reason = chain(&read.err()?);
        Some(format!("{name}: {reason}; probes of this broker fail until it can be read"))
    };
    // A thread of its own, because a runtime cannot be entered where one runs already.
    let check = || -> io::Result<Vec<Option<String>>> {
        let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(runtime.block_on(join_all(secrets.iter().map(read))))
    };
    let warnings = thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, check)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    });
    match warnings {
        Ok(warnings) => warnings.into_iter().flatten().collect(),
        Err(error) => vec![format!("cannot check the secrets: {error}")],
    }
}

fn read_source(value: &NodeRef<'_>, is_key: bool) -> Option<Secret> {
    if !value.is_mapping() {
        return read_text(value);
    }
    let secret = read_reference(value)?;
    let name = value.name().to_owned();
    value.diagnostics().check_secret(UncheckedSecret { secret: secret.clone(), is_key, name });
    Some(secret)
}

fn read_text(value: &NodeRef<'_>) -> Option<Secret> {
    match checked(value.text(EXPECTED)?) {
        Ok(secret) => Some(Secret::Text(secret)),
        Err(SecretFault::Empty) => value.expected(EXPECTED),
        Err(fault) => value.refuse(fault),
    }
}

/// Not read as a [`Mapping`](super::mapping::Mapping), whose messages show keys: here a key may be a misplaced secret.
fn read_reference(value: &NodeRef<'_>) -> Option<Secret> {
    let entries = value.entries(EXPECTED)?;
    let [(key, target)] = entries.as_slice() else {
        return value.expected(EXPECTED);
    };
    match key.as_text() {
        Some("file") => target.under("file").file().map(Secret::File),
        Some("env") => read_name(&target.under("env")).map(Secret::Env),
        _ => value.expected(EXPECTED),
    }
}

fn read_name(value: &NodeRef<'_>) -> Option<String> {
    const EXPECTED: &str = "the name of an environment variable";
    let name = value.line(EXPECTED)?;
    if name.contains('=') { value.expected(EXPECTED) } else { Some(name.to_owned()) }
}

#[cfg(test)]
pub(super) mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// Begins to read the file at `path` as if it were on a disk that hangs until `hang` returns.
    pub(in crate::config) fn read_from_hung_disk(path: &Path, hang: impl FnOnce() + Send + 'static) {
        let file = path.to_path_buf();
        let read = READS.run(path.to_path_buf(), move || {
            hang();
            read_file(&file)
        });
        assert!(read.now_or_never().is_none(), "it hangs");
    }
}
