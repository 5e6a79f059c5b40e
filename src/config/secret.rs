//! Secrets: written in the configuration, or read from a file or the environment at each use, so that a
//! rotated one works at once.

use std::env::{self, VarError};
use std::io;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::value::Value;
use crate::error_chain;
use crate::watched_files::read_bounded;

/// The largest secret file, in bytes.
const LARGEST_FILE: usize = 64 << 10;

const RIGHT: &str = "a text, {file: PATH} or {env: NAME}";

/// Where a secret comes from. Its `Debug` never shows it.
#[derive(Debug, Clone)]
pub enum Secret {
    /// It stands in the configuration.
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

/// Why a secret cannot be had. One sentence, which names the file or the variable and never shows the value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret file {}", path.display())]
    UnreadableFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file can be read, but its content is no secret.
    #[error("the secret file {} {fault}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
    },
    /// There is no such environment variable.
    #[error("the environment variable {name} is not set")]
    Unset {
        /// The variable.
        name: String,
    },
    /// The value of the environment variable is no secret.
    #[error("the environment variable {name} {fault}")]
    BadVariable {
        /// The variable.
        name: String,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What keeps something from being a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is nothing.
    #[error("is empty")]
    Empty,
    /// It is no text.
    #[error("is not UTF-8 text")]
    NotText,
    /// It would break the header it is sent in.
    #[error("holds control characters")]
    ControlCharacters,
    /// It is an API key, and where that is sent a colon ends it.
    #[error("holds a colon (:), which an API key cannot have; the secret behind it belongs into api_secret")]
    Colon,
}

impl Secret {
    /// The secret as it is now.
    ///
    /// # Errors
    /// The file or the variable is not there, or holds what cannot be a secret.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::Text(secret) => Ok(secret.clone()),
            Self::File(path) => read_file(path),
            Self::Env(name) => read_variable(name),
        }
    }

    /// The secret as it is now, where it is an API key.
    ///
    /// # Errors
    /// As of [`Self::read`], or there is a colon in it: sent as the user name of basic authentication, it would end
    /// there.
    pub fn read_key(&self) -> Result<SecretString, SecretError> {
        let key = self.read()?;
        if !key.expose_secret().contains(':') {
            return Ok(key);
        }
        match self {
            Self::File(path) => Err(SecretError::BadFile { path: path.clone(), fault: Fault::Colon }),
            Self::Env(name) => Err(SecretError::BadVariable { name: name.clone(), fault: Fault::Colon }),
            // The configuration refuses such a key where it is written.
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
    let content = read_bounded(path, LARGEST_FILE)
        .map_err(|source| SecretError::UnreadableFile { path: path.to_path_buf(), source })?;
    secret_from(content).map_err(|fault| SecretError::BadFile { path: path.to_path_buf(), fault })
}

fn secret_from(content: Vec<u8>) -> Result<SecretString, Fault> {
    let mut text = String::from_utf8(content).map_err(|_| Fault::NotText)?;
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
        VarError::NotUnicode(_) => SecretError::BadVariable { name: name.to_owned(), fault: Fault::NotText },
    })?;
    checked(value).map_err(|fault| SecretError::BadVariable { name: name.to_owned(), fault })
}

fn checked(text: String) -> Result<SecretString, Fault> {
    if text.is_empty() {
        Err(Fault::Empty)
    } else if text.chars().any(char::is_control) {
        Err(Fault::ControlCharacters)
    } else {
        Ok(SecretString::from(text))
    }
}

/// An API key. It is sent as the user name of basic authentication, in which a colon would end it.
pub(super) fn read_key(value: &Value<'_>) -> Option<Secret> {
    if value.as_text().is_some_and(|key| key.contains(':')) {
        return value.expected("without a colon (:); the secret behind it belongs into api_secret");
    }
    let key = read_source(value)?;
    warn_of(key.read_key(), value);
    Some(key)
}

/// A secret.
pub(super) fn read(value: &Value<'_>) -> Option<Secret> {
    let secret = read_source(value)?;
    warn_of(secret.read(), value);
    Some(secret)
}

/// A secret that cannot be had now is worth a warning only: it may come before it is needed.
fn warn_of(read: Result<SecretString, SecretError>, value: &Value<'_>) {
    if let Err(error) = read {
        let reason = error_chain::chain(&error);
        value
            .diagnostics()
            .warning(format!("{}: {reason}; probes will fail until it can be read", value.name()));
    }
}

fn read_source(value: &Value<'_>) -> Option<Secret> {
    if value.is_mapping() { read_reference(value) } else { read_text(value) }
}

fn read_text(value: &Value<'_>) -> Option<Secret> {
    value.line(RIGHT).map(|text| Secret::Text(SecretString::from(text)))
}

/// Not a section of settings: messages about those name their keys, and here a key may be a misplaced secret.
fn read_reference(value: &Value<'_>) -> Option<Secret> {
    let entries = value.entries(RIGHT)?;
    let [(key, target)] = entries.as_slice() else {
        return value.expected(RIGHT);
    };
    match key.as_text() {
        Some("file") => target.under("file").file().map(Secret::File),
        Some("env") => read_name(&target.under("env")).map(Secret::Env),
        _ => value.expected(RIGHT),
    }
}

fn read_name(value: &Value<'_>) -> Option<String> {
    const RIGHT: &str = "the name of an environment variable";
    let name = value.line(RIGHT)?;
    if name.contains('=') { value.expected(RIGHT) } else { Some(name.to_owned()) }
}
