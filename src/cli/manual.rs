//! The manual page.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::version;

/// What each exit status says.
const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "Everything that was asked for was answered."),
    ("1", "The configuration or the command line is wrong, or the answer could not be printed."),
    ("2", "A broker could not be asked in full. What is known is printed all the same."),
    ("3", "With --strict: a watched client is not connected."),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    ("EMQX_CLIENT_MONITOR_CFG", "The configuration, where --cfg does not name it."),
    ("NO_COLOR", "Where it is set and not empty, nothing is coloured."),
    (
        "CLICOLOR, CLICOLOR_FORCE",
        "With 0, the former turns colours off; with 1, the latter turns them on in pipes too.",
    ),
    ("TERM", "With dumb, --watch prints one table after the other instead of redrawing it in place."),
];

const FILES: &[(&str, &str)] = &[(
    "~/.config/emqx-client-monitor/config.yaml",
    "The configuration, where neither --cfg nor the environment names it.",
)];

const EXAMPLES: &[(&str, &str)] = &[
    ("emqx-client-monitor --cfg config.yaml", "Answers Prometheus."),
    (
        "emqx-client-monitor check --strict",
        "Says in a table, and in its exit status, whether every watched client is connected.",
    ),
    (
        "emqx-client-monitor check --all --sort -received",
        "Every client of the brokers; those first of which most was received.",
    ),
    ("emqx-client-monitor check --watch 5", "The table, made anew every 5 seconds until Ctrl-C."),
    (
        "emqx-client-monitor check --output json | jq -r '.clients[] | select(.state != \"connected\") | .alias'",
        "The aliases of the clients that are not connected.",
    ),
];

/// Writes the page in roff.
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
