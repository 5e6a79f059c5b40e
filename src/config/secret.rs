//! Secrets: written in the configuration, or read from a file or the environment at each use, so that a rotated one
//! works at once.

use std::env::{self, VarError};
use std::io;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, Serializer};

use super::node_ref::NodeRef;
use crate::error_chain;
use crate::watched_files::read_bounded;

/// The largest secret file, in bytes.
const MAX_FILE_BYTES: usize = 64 << 10;

const EXPECTED: &str = "a text, {file: PATH} or {env: NAME}";

/// Where a secret comes from. Its `Debug` never shows it.
#[derive(Debug, Clone)]
pub enum Secret {
    /// It is written in the configuration.
    Text(SecretString),
    /// It is the content of this file, less one final newline.
    File(PathBuf),
    /// It is the value of this environment variable.
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
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret file {}", path.display())]
    UnreadableFile {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
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
    /// The file or the variable is missing, or contains what cannot be a secret.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::Text(secret) => Ok(secret.clone()),
            Self::File(path) => read_file(path),
            Self::Env(name) => read_variable(name),
        }
    }

    /// Reads the secret as an API key.
    ///
    /// # Errors
    /// Those of [`Self::read`], and a colon: an API key is sent as the user name of basic authentication, which ends at
    /// a colon.
    pub fn read_key(&self) -> Result<SecretString, SecretError> {
        let key = self.read()?;
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

    /// Whether [`Self::read`] reads a file, which may block.
    #[must_use]
    pub fn needs_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

fn read_file(path: &Path) -> Result<SecretString, SecretError> {
    let content = read_bounded(path, MAX_FILE_BYTES)
        .map_err(|source| SecretError::UnreadableFile { path: path.to_path_buf(), source })?;
    secret_from(content).map_err(|fault| SecretError::BadFile { path: path.to_path_buf(), fault })
}

fn secret_from(content: Vec<u8>) -> Result<SecretString, SecretFault> {
    let mut text = String::from_utf8(content).map_err(|_| SecretFault::NotText)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    checked(text)
}

fn read_variable(name: &str) -> Result<SecretString, SecretError> {
    let value = env::var(name).map_err(|error| match error {
        VarError::NotPresent => SecretError::Unset { name: name.to_owned() },
        VarError::NotUnicode(_) => {
            SecretError::BadVariable { name: name.to_owned(), fault: SecretFault::NotText }
        }
    })?;
    checked(value).map_err(|fault| SecretError::BadVariable { name: name.to_owned(), fault })
}

fn checked(text: String) -> Result<SecretString, SecretFault> {
    if text.is_empty() {
        Err(SecretFault::Empty)
    } else if text.chars().any(char::is_control) {
        Err(SecretFault::ControlCharacters)
    } else {
        Ok(SecretString::from(text))
    }
}

/// Reads the setting of an API key, in which a colon is refused.
pub(super) fn read_key(value: &NodeRef<'_>) -> Option<Secret> {
    if value.as_text().is_some_and(|key| key.contains(':')) {
        return value.refuse("must not contain a colon (:); put what follows it into api_secret");
    }
    let key = read_source(value)?;
    warn_of(key.read_key(), value);
    Some(key)
}

/// Reads the setting of a secret.
pub(super) fn read(value: &NodeRef<'_>) -> Option<Secret> {
    let secret = read_source(value)?;
    warn_of(secret.read(), value);
    Some(secret)
}

/// Warns of a secret that cannot be read now; it may appear before it is needed.
fn warn_of(read: Result<SecretString, SecretError>, value: &NodeRef<'_>) {
    if let Err(error) = read {
        let reason = error_chain::chain(&error);
        value
            .diagnostics()
            .warning(format!("{}: {reason}; probes of this broker fail until it can be read", value.name()));
    }
}

fn read_source(value: &NodeRef<'_>) -> Option<Secret> {
    if value.is_mapping() { read_reference(value) } else { read_text(value) }
}

fn read_text(value: &NodeRef<'_>) -> Option<Secret> {
    value.line(EXPECTED).map(|text| Secret::Text(SecretString::from(text)))
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
