//! The files that a glob stands for.
//!
//! The directories are read here and not by the `glob` crate, which panics at a name that is not UTF-8, and which follows
//! symbolic links round and round; it matches the names.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use glob::{Pattern, PatternError};

/// A glob for files: `*`, `?` and `[a-z]` within a name, and `**` for any directories. None of them matches a name that
/// begins with a dot: editors and Kubernetes keep other things under such names.
#[derive(Debug, Clone)]
pub(crate) struct FileGlob {
    /// The directory from which the parts count.
    start: PathBuf,
    parts: Vec<GlobPart>,
}

/// What stands between two slashes.
#[derive(Debug, Clone)]
enum GlobPart {
    /// A name without wildcards, also `.` and `..`.
    Name(PathBuf),
    /// A pattern for names.
    Pattern(Pattern),
    /// `**`: the directory itself, and all directories below it.
    Directories,
}

/// A directory that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the directory {}", path.display())]
pub(crate) struct ListError {
    path: PathBuf,
    #[source]
    reason: io::Error,
}

impl FileGlob {
    /// Returns whether a name has wildcards.
    pub(crate) fn is_glob(text: &str) -> bool {
        text.contains(['*', '?', '['])
    }

    /// Parses a glob. A relative one counts from `directory`.
    ///
    /// # Errors
    /// A malformed pattern.
    pub(crate) fn parse(text: &str, directory: &Path) -> Result<Self, PatternError> {
        // As a whole, so that the error has the position within the text.
        Pattern::new(text)?;
        let (mut start, mut parts) = (directory.to_path_buf(), Vec::new());
        for component in Path::new(text).components() {
            match (component, component.as_os_str().to_str()) {
                (Component::RootDir | Component::Prefix(_), _) => start.push(component),
                (_, Some("**")) => parts.push(GlobPart::Directories),
                (_, Some(name)) if Self::is_glob(name) => parts.push(GlobPart::Pattern(Pattern::new(name)?)),
                _ => parts.push(GlobPart::Name(component.as_os_str().into())),
            }
        }
        Ok(Self { start, parts })
    }

    /// Returns the files that it stands for, in the order of their names.
    ///
    /// # Errors
    /// A directory that cannot be read.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, ListError> {
        let mut files = Vec::new();
        find(&self.parts, self.start.clone(), &mut files)?;
        files.sort();
        files.dedup();
        Ok(files)
    }
}

/// Adds the files below `path` that the parts stand for.
fn find(parts: &[GlobPart], path: PathBuf, files: &mut Vec<PathBuf>) -> Result<(), ListError> {
    let Some((part, rest)) = parts.split_first() else {
        // A link that leads nowhere is a file that cannot be read.
        if !path.is_dir() && path.symlink_metadata().is_ok() {
            files.push(path);
        }
        return Ok(());
    };
    match part {
        GlobPart::Name(name) => find(rest, path.join(name), files),
        GlobPart::Pattern(pattern) => {
            let is_match = |entry: &fs::DirEntry| pattern.matches(&entry.file_name().to_string_lossy());
            let mut entries = entries(&path)?.into_iter().filter(is_match);
            entries.try_for_each(|entry| find(rest, path.join(entry.file_name()), files))
        }
        GlobPart::Directories => {
            // Linked directories are left out: a link to a directory above it would be followed without an end.
            let is_directory = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
            find(rest, path.clone(), files)?;
            let mut directories = entries(&path)?.into_iter().filter(is_directory);
            directories.try_for_each(|directory| find(parts, path.join(directory.file_name()), files))
        }
    }
}

/// Returns what a directory contains, without names that begin with a dot; nothing if there is no such directory.
fn entries(directory: &Path) -> Result<Vec<fs::DirEntry>, ListError> {
    // An empty path is the working directory.
    let readable = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let is_visible = |entry: &fs::DirEntry| !entry.file_name().as_encoded_bytes().starts_with(b".");
    let entries = fs::read_dir(readable).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    match entries {
        Ok(entries) => Ok(entries.into_iter().filter(is_visible).collect()),
        Err(reason) if matches!(reason.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(reason) => Err(ListError { path: directory.to_path_buf(), reason }),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    /// The files below `directory` that the glob stands for.
    fn files(directory: &Path, glob: &str) -> Vec<String> {
        let files = FileGlob::parse(glob, directory).expect("a glob").files().expect("readable directories");
        let below =
            |file: PathBuf| file.strip_prefix(directory).map(|file| file.to_string_lossy().into_owned());
        files.into_iter().map(|file| below(file).expect("it is below")).collect()
    }

    #[test]
    fn wildcards_match_files_and_never_names_with_a_dot() {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let directory = temporary.path();
        for name in ["b.csv", "a.csv", "sub/deep/c.csv", "sub/d.csv", ".git/e.csv", "..data/f.csv", ".g.csv"] {
            let path = directory.join(name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            fs::write(path, "").expect("a file");
        }
        fs::create_dir(directory.join("x.csv")).expect("a directory");
        for (glob, matching) in [
            ("*.csv", &["a.csv", "b.csv"][..]),
            ("./*.csv", &["a.csv", "b.csv"]),
            ("sub//../[b-z].csv", &["sub/../b.csv"]),
            ("*/?.csv", &["sub/d.csv"]),
            ("**/*.csv", &["a.csv", "b.csv", "sub/d.csv", "sub/deep/c.csv"]),
            ("**/**/c*", &["sub/deep/c.csv"]),
            ("..data/*", &["..data/f.csv"]),
            ("none/*.csv", &[]),
            ("a.csv/*", &[]),
            ("*/none.csv", &[]),
            ("**", &[]),
        ] {
            assert_eq!(files(directory, glob), matching, "{glob}");
        }
        let absolute = format!("{}/s*/*.csv", directory.display());
        assert_eq!(files(directory, &absolute), ["sub/d.csv"]);
    }

    #[test]
    fn foreign_names_and_links_in_a_circle_do_no_harm() {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let directory = temporary.path();
        fs::write(directory.join("a.csv"), "").expect("a file");
        fs::write(directory.join(OsStr::from_bytes(b"caf\xe9.csv")), "").expect("a file");
        for circle in ["one", "two"] {
            symlink(".", directory.join(circle)).expect("a link");
        }
        symlink("nowhere", directory.join("lost.csv")).expect("a link");
        let expected = ["a.csv", "caf\u{FFFD}.csv", "lost.csv"];
        assert_eq!(files(directory, "**/*.csv"), expected);
        assert_eq!(files(directory, "one/*.csv").len(), 3);
    }
}
