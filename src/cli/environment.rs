//! Options that come from environment variables.
//!
//! Each option has the variable `EMQX_CLIENT_MONITOR_` and its own name in capitals. clap's `env` is not used: it takes a
//! variable for an explicit option, which would make one that does not apply to the task a usage error.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{is_in_group, is_on_command_line};

/// The start of the name of each variable.
const PREFIX: &str = "EMQX_CLIENT_MONITOR_";

/// The variables of the environment that begin with [`PREFIX`], without it.
#[derive(Debug)]
pub(super) struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Selects the program's own variables. Empty ones count as unset.
    pub(super) fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let own = variables.into_iter().filter(|(_, value)| !value.is_empty());
        Self(
            own.filter_map(|(name, value)| Some((name.to_str()?.strip_prefix(PREFIX)?.into(), value)))
                .collect(),
        )
    }

    /// Returns the arguments of the command line with the options that come from variables. An option on the command line
    /// (`given`) wins, and a variable whose option does not apply is ignored.
    ///
    /// # Errors
    /// An invalid value, with the name of its variable.
    pub(super) fn complete(
        &self,
        command: &Command,
        mut arguments: Vec<OsString>,
        given: &ArgMatches,
        applies: impl Fn(&Arg) -> bool,
    ) -> Result<Vec<OsString>, clap::Error> {
        for option in command.get_arguments() {
            let Some(name) = name(command, option).filter(|_| !is_on_command_line(given, option)) else {
                continue;
            };
            let Some(value) = self.0.get(&name).filter(|_| applies(option)) else { continue };
            let invalid = |why: &str| {
                command.clone().error(ErrorKind::ValueValidation, format!("variable {PREFIX}{name}: {why}"))
            };
            // After the name of the program, because everything after `--` would not be an option.
            let after_program = arguments.len().min(1);
            let options = as_options(option, value).map_err(|why| invalid(&why))?;
            arguments.splice(after_program..after_program, options);
            command.clone().try_get_matches_from(&arguments).map_err(|error| {
                // The other paragraphs are hints at similar values and at `--help`.
                let text = error.to_string();
                invalid(text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: "))
            })?;
        }
        Ok(arguments)
    }

    /// Returns a warning for each variable that resembles a setting, but is none.
    pub(super) fn warnings(&self, command: &Command) -> Vec<String> {
        let mut settings = Vec::new();
        let mut not_by_variable = Vec::new();
        for option in command.get_arguments() {
            let long = option.get_long().unwrap_or_default();
            match name(command, option) {
                Some(name) => {
                    let aliases = option.get_all_aliases().unwrap_or_default();
                    settings.extend(aliases.into_iter().map(|alias| (spelled(alias), name.clone())));
                    settings.push((name.clone(), name));
                }
                None => not_by_variable.push((spelled(long), long)),
            }
        }
        let warning = |variable: &String| {
            if settings.iter().any(|(_, name)| name == variable) || is_made_by_kubernetes(variable) {
                return None;
            }
            if let Some((_, long)) = not_by_variable.iter().find(|(name, _)| name == variable) {
                return Some(format!(
                    "the variable {PREFIX}{variable} has no effect; --{long} is not set by a variable"
                ));
            }
            let (_, name) = settings.iter().find(|(spelling, _)| resembles(variable, spelling))?;
            Some(format!("the variable {PREFIX}{variable} has no effect; did you mean {PREFIX}{name}?"))
        };
        self.0.keys().filter_map(warning).collect()
    }
}

/// Adds the name of its variable to the help of an option.
pub(super) fn document(command: Command) -> Command {
    let names: Vec<_> = command
        .get_arguments()
        .filter_map(|option| Some((option.get_id().clone(), name(&command, option)?)))
        .collect();
    names.into_iter().fold(command, |command, (id, name)| {
        command.mut_arg(id, |option| {
            let help = option.get_help().map(ToString::to_string).unwrap_or_default();
            option.help(format!("{help} [env: {PREFIX}{name}]"))
        })
    })
}

/// Returns the name of an option's variable without the prefix. Options that choose a task have none, nor has `--all`:
/// they are what a person asks for at the moment.
fn name(command: &Command, option: &Arg) -> Option<String> {
    let has_variable = !is_in_group(command, "TaskOptions", option) && option.get_id() != "all";
    option.get_long().filter(|_| has_variable).map(spelled)
}

/// Returns the name of an option as variables are spelled.
fn spelled(long: &str) -> String {
    long.replace(['.', '-'], "_").to_ascii_uppercase()
}

/// Returns the options of the command line that say the same as the value of a variable.
fn as_options(option: &Arg, value: &OsString) -> Result<Vec<OsString>, String> {
    let long = option.get_long().unwrap_or_default();
    let flag = || OsString::from(format!("--{long}"));
    let with_value = |value: &OsString| {
        let mut option = OsString::from(format!("--{long}="));
        option.push(value);
        option
    };
    let takes_no_value = option.get_num_args().is_some_and(|number| number.min_values() == 0);
    Ok(match (option.get_action(), value.to_str()) {
        (ArgAction::SetTrue, text) => {
            let is_set = text.and_then(as_boolean).ok_or_else(|| {
                format!("invalid value '{}' for '--{long}': must be true or false", value.display())
            })?;
            is_set.then(flag).into_iter().collect()
        }
        (ArgAction::Append, Some(values)) => {
            let values = values.split(',').map(str::trim).filter(|value| !value.is_empty());
            values.map(|value| with_value(&value.into())).collect()
        }
        (_, Some(text)) if takes_no_value && let Some(is_set) = as_boolean(text) => {
            is_set.then(flag).into_iter().collect()
        }
        _ => vec![with_value(value)],
    })
}

fn as_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Whether a variable is one of those that Kubernetes sets for each Service in the namespace, here for one whose name
/// begins with `emqx-client-monitor`.
fn is_made_by_kubernetes(variable: &str) -> bool {
    let name = format!("_{variable}");
    let is_port = |rest: &str| {
        let (number, protocol) = rest.split_once('_').unwrap_or((rest, ""));
        let protocol = protocol.split('_').next().unwrap_or_default();
        number.parse::<u16>().is_ok() && ["TCP", "UDP", "SCTP"].contains(&protocol)
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_PORT")
        || name.contains("_SERVICE_PORT")
        || name.split("_PORT_").skip(1).any(is_port)
}

/// Whether a variable is most likely a misspelled setting: all but a few letters are the same, also where the first part of
/// the name is missing, as in `MAX_PROBE` for `WEB_MAX_PROBES`.
fn resembles(variable: &str, setting: &str) -> bool {
    /// Shorter ends of names, such as `FILE`, must be the same.
    const MIN_END: usize = 8;
    // A letter in four: `SORT` is no `PORT`, but `LOG_LEVLE` is `LOG_LEVEL`.
    let is_similar = |name: &str| 4 * strsim::osa_distance(variable, name) < name.len();
    let mut ends = setting.match_indices('_').map(|(index, separator)| &setting[index + separator.len()..]);
    is_similar(setting) || ends.any(|end| end == variable || (end.len() >= MIN_END && is_similar(end)))
}

#[cfg(test)]
mod tests {
    use super::super::command;
    use super::*;

    fn warnings(variables: &[&str]) -> Vec<String> {
        let variables = variables.iter().map(|name| (format!("{PREFIX}{name}").into(), "1".into()));
        Environment::new(variables).warnings(&command())
    }

    #[test]
    fn only_what_resembles_a_setting_is_warned_of() {
        let kubernetes = [
            "SERVICE_HOST",
            "SERVICE_PORT",
            "SERVICE_PORT_HTTP",
            "PORT",
            "PORT_9671_TCP",
            "PORT_9671_TCP_ADDR",
            "PORT_9671_TCP_PORT",
            "PORT_9671_TCP_PROTO",
            "WEB_SERVICE_HOST",
            "CFG_PORT_1_UDP",
        ];
        assert!(warnings(&kubernetes).is_empty(), "{:?}", warnings(&kubernetes));
        assert!(warnings(&["API_KEY", "API_SECRET", "BROKER_PASSWORD", "SECRETS", "HOST", "SO"]).is_empty());
        for (variable, setting) in [
            ("MAX_PROBES", "WEB_MAX_PROBES"),
            ("MAX_PROBE", "WEB_MAX_PROBES"),
            ("WEB_MAXPROBES", "WEB_MAX_PROBES"),
            ("LOG_LEVLE", "LOG_LEVEL"),
            ("CONFIG_FILE", "CFG"),
            ("LISTEN_ADDRESS", "WEB_LISTEN_ADDRESS"),
        ] {
            let suggestion = format!("did you mean {PREFIX}{setting}?");
            let warnings = warnings(&[variable]);
            assert!(warnings.len() == 1 && warnings[0].ends_with(&suggestion), "{variable}: {warnings:?}");
        }
        for variable in ["CHECK", "ALL", "GENERATE", "HEALTHCHECK", "CONFIG_CHECK"] {
            let warnings = warnings(&[variable]);
            assert!(warnings.len() == 1 && warnings[0].contains("is not set by a variable"), "{warnings:?}");
        }
    }

    #[test]
    fn every_option_but_the_tasks_has_a_variable_in_its_help() {
        let help = command().render_long_help().to_string();
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let command = command();
        let (named, others): (Vec<_>, Vec<_>) =
            command.get_arguments().filter(|option| option.get_long().is_some()).partition(|option| {
                name(&command, option).is_some_and(|name| words.contains(&format!("[env: {PREFIX}{name}]")))
            });
        assert!(named.len() > 15, "{help}");
        let others: Vec<_> = others.into_iter().filter_map(Arg::get_long).collect();
        assert_eq!(others, ["check", "config.check", "healthcheck", "generate", "all"]);
    }
}
