//! The program in a process of its own, run to its end.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;

/// Time limit of each wait; a test that exceeds it hangs.
const AT_MOST: Duration = Duration::from_secs(30);

/// The program with a configuration file.
pub(crate) struct Program {
    config_path: String,
    /// Removed with this value.
    _config: Option<NamedTempFile>,
    variables: Vec<(&'static str, String)>,
}

/// Exit status and output of a finished program.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    /// Writes the configuration to a temporary file.
    pub(crate) fn with_config(config: &str) -> Self {
        let mut file = NamedTempFile::with_suffix(".yaml").expect("a temporary file");
        file.write_all(config.as_bytes()).expect("a temporary file takes text");
        let path = file.path().to_owned();
        Self { _config: Some(file), ..Self::with_config_at(&path) }
    }

    /// Uses this configuration file.
    pub(crate) fn with_config_at(path: &Path) -> Self {
        let config_path = path.to_str().expect("a path in UTF-8").to_owned();
        Self { config_path, _config: None, variables: Vec::new() }
    }

    /// Sets an environment variable of its runs.
    pub(crate) fn with_variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// The path of the configuration file.
    pub(crate) fn config_path(&self) -> &str {
        &self.config_path
    }

    /// The program with `--cfg`, without the environment of this machine.
    pub(crate) fn command(&self) -> Command {
        let mut command = bare_command();
        command.args(["--cfg", self.config_path()]).envs(self.variables.iter().cloned());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command().args(arguments).output().expect("the program starts"))
    }
}

/// The program without arguments, and without the environment of this machine.
pub(crate) fn bare_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emqx-client-monitor"));
    for variable in ["XDG_CONFIG_HOME", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "NOTIFY_SOCKET"] {
        command.env_remove(variable);
    }
    let own = std::env::vars_os().map(|(name, _)| name);
    for variable in own.filter(|name| name.to_string_lossy().starts_with("EMQX_CLIENT_MONITOR_")) {
        command.env_remove(variable);
    }
    command
}

/// Sends a program a signal by its process id.
pub(crate) fn send_signal(program: &Child, signal: Signal) {
    let pid = Pid::from_raw(program.id().try_into().expect("a process id")).expect("a process id");
    kill_process(pid, signal).expect("the program runs");
}

impl Run {
    /// Waits for the end of a program, and kills one that does not end.
    pub(crate) fn of_child(mut child: Child) -> Self {
        let since = Instant::now();
        while child.try_wait().expect("it was started").is_none() {
            if since.elapsed() > AT_MOST {
                let _ = child.kill();
                panic!("the program does not end");
            }
            thread::sleep(Duration::from_millis(10));
        }
        Self::of(child.wait_with_output().expect("it has ended"))
    }

    pub(crate) fn of(output: Output) -> Self {
        Self {
            status: output.status.code().expect("the program was not killed"),
            stdout: String::from_utf8(output.stdout).expect("stdout in UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr in UTF-8"),
        }
    }
}
