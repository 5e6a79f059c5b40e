//! The manual page.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::version;

/// Meaning of each exit status.
const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "Success."),
    ("1", "Configuration or usage error, or the result could not be printed."),
    ("2", "A probe failed, at least for some clients. Known values are still printed."),
    ("3", "With --strict: a watched client is not connected."),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "EMQX_CLIENT_MONITOR_*",
        "Options that are not given on the command line, each under the name that its description shows. Flags are true \
         or false, repeatable options are separated by commas, and an empty variable counts as unset. A variable that \
         does not apply to the task is ignored.",
    ),
    ("NO_COLOR", "If set and not empty, output is not coloured."),
    ("CLICOLOR, CLICOLOR_FORCE", "CLICOLOR=0 turns colours off; CLICOLOR_FORCE=1 turns them on in pipes too."),
    ("TERM", "If dumb, --watch prints one table after the other instead of redrawing it in place."),
];

const FILES: &[(&str, &str)] = &[("~/.config/emqx-client-monitor/config.yaml", "Default configuration file.")];

const EXAMPLES: &[(&str, &str)] = &[
    ("emqx-client-monitor --cfg config.yaml", "Serve Prometheus."),
    (
        "emqx-client-monitor check --strict",
        "Print a table of the watched clients; the exit status is 3 if one is not connected.",
    ),
    (
        "emqx-client-monitor check --all --sort -received",
        "Print every client of the brokers, sorted by received messages in descending order.",
    ),
    ("emqx-client-monitor check --watch 5", "Refresh the table every 5 seconds until Ctrl-C."),
    (
        "emqx-client-monitor check --output json | jq -r '.clients[] | select(.state != \"connected\") | .alias'",
        "Print the aliases of all clients that are not connected.",
    ),
];

/// Returns the page in roff.
pub(super) fn page(command: Command) -> io::Result<Vec<u8>> {
    let manual = Man::new(command).source(concat!("emqx-client-monitor ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    manual.render_title(&mut page)?;
    manual.render_name_section(&mut page)?;
    manual.render_synopsis_section(&mut page)?;
    manual.render_description_section(&mut page)?;
    manual.render_options_section(&mut page)?;
    let mut more = Roff::new();
    for (title, entries) in
        [("EXIT STATUS", EXIT_STATUS), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES), ("EXAMPLES", EXAMPLES)]
    {
        more.control("SH", [title]);
        for (term, meaning) in entries {
            more.control("TP", []);
            more.text([bold(*term)]);
            more.text([roman(*meaning)]);
        }
    }
    more.control("SH", ["VERSION"]).text([roman(version::LINE)]);
    more.to_writer(&mut page)?;
    Ok(page)
}
