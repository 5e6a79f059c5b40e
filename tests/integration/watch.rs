//! `--check --watch` and the progress of a long `--check --all`, in terminals and in pipes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use rustix::io::ioctl_fionread;
use rustix::process::Signal;
use serde_json::Value;
use vt100::Screen;

use crate::support::{Program, Run, Terminal, config_of, send_signal, wait_until};

/// How long a program may take to end.
const AT_MOST: Duration = Duration::from_secs(30);

/// So far away that only something else than the next round can have changed the screen.
const NEVER: &str = "86400";

/// Shorter than any round with a delay.
const AT_ONCE: &str = "0.1";

fn sensors(count: usize) -> (FakeEmqx, Program) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let names: Vec<_> =
        (0..count).map(|number| (format!("Sensor {number:03}"), format!("sensor-{number:03}"))).collect();
    fake.add_all(names.iter().map(|(_, id)| Row::like("plain-user-1").client_id(id)));
    let names: Vec<_> = names.iter().map(|(alias, id)| (alias.as_str(), id.as_str())).collect();
    let program = Program::with_config(&config_of(&fake, "attempts: 1", &names));
    (fake, program)
}

fn watching(program: &Program, every: &str, arguments: &[&str]) -> Command {
    let mut command = program.command();
    command.args(["check", "--watch", every]).args(arguments);
    command
}

fn in_terminal(program: &Program, every: &str, arguments: &[&str]) -> Terminal {
    Terminal::start(watching(program, every, arguments), (80, 24), |_| {})
}

/// Starts it in pipes.
fn in_pipes(program: &Program, every: &str, arguments: &[&str]) -> Child {
    watching(program, every, arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// Whether the shell's screen is restored.
fn is_restored(screen: &Screen) -> bool {
    !screen.alternate_screen() && !screen.hide_cursor() && screen.contents().trim().is_empty()
}

#[test]
fn a_terminal_is_redrawn_in_place_and_restored() {
    let (fake, program) = sensors(3);
    let mut terminal = in_terminal(&program, AT_ONCE, &[]);
    let screen = terminal.wait_for("Sensor 002");
    assert!(screen.alternate_screen() && screen.hide_cursor());
    let lines: Vec<_> = screen.contents().lines().map(str::to_owned).collect();
    assert!(
        lines[0].starts_with("Every 0.1 s. Last query: 2") && lines[0].contains(" UTC, took "),
        "{lines:?}"
    );
    assert!(lines[1].starts_with('┏'), "{lines:?}");
    assert!(!screen.contents().contains("offline"));

    fake.disconnect("sensor-001");
    let screen = terminal.wait_for("offline");
    assert_eq!(screen.contents().matches("Sensor 001").count(), 1, "{}", screen.contents());
    assert!(fake.remove("sensor-001"));
    terminal.wait_until("a narrower word", |screen| {
        screen.contents().contains("absent") && !screen.contents().contains("offline")
    });

    // What there is less of leaves nothing behind: the table is narrower, and has a row less.
    fake.add(Row::like("plain-user-1").client_id("a-client-with-a-rather-long-name"));
    let all = in_terminal(&program, AT_ONCE, &["--all"]);
    all.wait_for("rather");
    assert!(fake.remove("a-client-with-a-rather-long-name"));
    all.wait_until("nothing else than the smaller table", |screen| {
        let contents = screen.contents();
        let table: Vec<_> = contents.lines().skip(1).collect();
        let is_closed =
            |line: Option<&&str>, corner| line.is_some_and(|line| line.matches(corner).count() == 1);
        contents.contains("sensor-002")
            && !contents.contains("rather")
            && contents.matches('└').count() == 1
            && is_closed(table.first(), '┓')
            && is_closed(table.iter().nth_back(1), '┘')
            && table.last().is_some_and(|line| line.trim_end() == "2 clients: 2 connected")
    });
    all.signal(Signal::TERM);
    assert_eq!(all.wait().status, Some(0));

    assert_eq!(terminal.screen().scrollback_len(), 0);
    assert!(terminal.program().try_wait().expect("it was started").is_none(), "it runs until it is stopped");
    terminal.signal(Signal::INT);
    let ended = terminal.wait();
    assert_eq!(ended.status, Some(0));
    assert!(is_restored(&ended.screen), "{}", ended.screen.contents());
    assert_eq!(ended.screen.scrollback_len(), 0, "nothing was scrolled away");
}

#[test]
fn ctrl_c_stops_watch_during_a_query() {
    let (fake, program) = sensors(1);
    fake.inject(When::Any, Fault::Silent);
    // The program is to have this terminal for its own, which is what makes a signal of the key.
    let watching = watching(&program, NEVER, &["--timeout", "3600"]);
    let mut command = Command::new("setsid");
    command.arg("--ctty").arg(watching.get_program()).args(watching.get_args());
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    let mut terminal = Terminal::start(command, (80, 24), |_| {});
    terminal.wait_for("Waiting for the first result.");
    assert!(fake.wait_for_requests(1, AT_MOST), "it asks");
    terminal.type_in("\u{3}");
    let ended = terminal.wait();
    assert_eq!(ended.status, Some(2), "no broker has responded");
    assert!(!ended.screen.alternate_screen() && !ended.screen.hide_cursor());
}

#[test]
fn suspending_watch_restores_the_screen() {
    let (_fake, program) = sensors(1);
    let terminal = in_terminal(&program, NEVER, &[]);
    terminal.wait_for("Sensor 000");
    terminal.signal(Signal::TSTP);
    terminal.wait_until("the other screen", is_restored);
    terminal.signal(Signal::CONT);
    let screen = terminal.wait_for("Sensor 000");
    assert!(screen.alternate_screen() && screen.hide_cursor());
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.wait().status, Some(0));
}

#[test]
fn only_tables_in_capable_terminals_are_redrawn() {
    let (_fake, program) = sensors(1);
    let dumb = |command: &mut Command| {
        command.env("TERM", "dumb");
    };
    let as_it_is = |_: &mut Command| {};
    for (arguments, what, change) in [
        (&["--output=json"][..], "{\"alias\":", &as_it_is as &dyn Fn(&mut Command)),
        (&[], "│ Sensor 000 │", &dumb),
    ] {
        let terminal = Terminal::start(watching(&program, AT_ONCE, arguments), (120, 24), change);
        terminal.wait_until("one after the other", |screen| screen.contents().matches(what).count() > 2);
        terminal.signal(Signal::INT);
        let ended = terminal.wait();
        assert_eq!(ended.status, Some(0));
        assert!(!ended.raw.contains("\u{1b}[?1049h"), "{:?}", ended.raw);
    }
}

#[test]
fn the_exit_status_is_that_of_the_last_query() {
    let (fake, program) = sensors(2);
    for (disconnected, stop, status) in [(None, Signal::TERM, 0), (Some("sensor-001"), Signal::INT, 3)] {
        if let Some(id) = disconnected {
            fake.disconnect(id);
        }
        fake.clear_faults();
        let terminal = in_terminal(&program, AT_ONCE, &["--strict", "--timeout", "3600"]);
        terminal.wait_for("Sensor 001");
        fake.inject(When::Any, Fault::Silent);
        fake.reset_counters();
        assert!(fake.wait_for_requests(1, AT_MOST), "it asks again");
        terminal.signal(stop);
        let ended = terminal.wait();
        assert_eq!((ended.status, is_restored(&ended.screen)), (Some(status), true));
    }
}

#[test]
fn failures_are_shown_in_the_frame() {
    let (fake, program) = sensors(2);
    fake.inject(When::Lookup("sensor-001".into()), Fault::body("null"));
    let mut terminal = Terminal::start(watching(&program, NEVER, &[]), (80, 24), |command| {
        command.stderr(Stdio::piped());
    });
    let screen = terminal.wait_for("LocalEMQX: decode: ");
    assert!(screen.contents().contains("unknown"), "{}", screen.contents());
    // It is longer than the terminal is wide, and whole.
    terminal.wait_for("(1 client unknown)");
    let mut stderr = terminal.program().stderr.take().expect("a pipe");
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.wait().status, Some(2));
    let mut said = String::new();
    stderr.read_to_string(&mut said).expect("text");
    assert_eq!(said, "", "nothing is printed twice");
}

#[test]
fn the_frame_fits_every_terminal_and_counts_hidden_rows() {
    let (fake, program) = sensors(40);
    fake.inject(When::Lookup("sensor-039".into()), Fault::body("null"));
    let terminal = in_terminal(&program, NEVER, &[]);
    let shown = |screen: &Screen| screen.contents().matches("│Sensor ").count();
    for (columns, lines) in [(80, 24), (120, 60), (120, 16), (81, 20), (60, 12), (40, 9)] {
        terminal.resize(columns, lines);
        let all = lines == 60;
        let screen = terminal.wait_until("the table fits", |screen| {
            let contents = screen.contents();
            let rows = contents.matches("Sensor ").count();
            let hidden = contents.contains(&format!("{} of 40 clients hidden", 40 - rows));
            let has_failure = contents.contains("unknown)");
            contents.starts_with("Every 86400 s.") && has_failure && (if all { rows == 40 } else { hidden })
        });
        let contents = screen.contents();
        assert!(contents.lines().count() <= usize::from(lines), "{contents}");
        if contents.contains('┏') {
            assert!(
                contents.contains('└') && shown(&screen) + contents.matches("│ Sensor ").count() > 0,
                "{contents}"
            );
        }
        assert_eq!(screen.scrollback_len(), 0);
    }
    assert_eq!(fake.request_count(), 40, "no request is repeated for it");
    // So small that nothing fits, and back.
    for (columns, lines) in [(1, 1), (5, 2), (20, 3)] {
        terminal.resize(columns, lines);
        terminal.wait_until("something", |screen| screen.contents().starts_with('E'));
    }
    terminal.resize(80, 24);
    terminal.wait_for(" of 40 clients hidden");
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.wait().status, Some(2));
}

#[test]
fn watch_uses_the_same_colours_as_a_single_check() {
    let (fake, program) = sensors(1);
    fake.disconnect("sensor-000");
    for (variable, is_red) in [(None, true), (Some(("NO_COLOR", "1")), false)] {
        let mut command = watching(&program, NEVER, &[]);
        command.envs(variable);
        let terminal = Terminal::start(command, (80, 24), |_| {});
        terminal.wait_for("offline");
        terminal.signal(Signal::TERM);
        assert_eq!(terminal.wait().raw.contains("\u{1b}[38;5;9m"), is_red);
    }
}

#[test]
fn watch_writes_no_control_characters_from_brokers() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let evil = "\u{1b}]0;evil\u{7}\u{9b}31m\u{202E}evil\nline";
    fake.add(Row::like("plain-user-1").client_id(evil).username(Some(evil)).set("node", evil));
    fake.add(Row::like("plain-user-1").client_id("odd").set("keepalive", evil));
    fake.inject(When::Lookup("broken".into()), Fault::status(500, "text/plain", evil));
    let config = config_of(&fake, "attempts: 1", &[("Odd", "odd"), ("Broken", "broken")]);
    let broker = "Broker\u{202E}\u{2066}";
    let program =
        Program::with_config(&config.replace("alias: LocalEMQX", &format!("alias: {}", Value::from(broker))));
    let is_hostile = |text: &str| {
        ["\u{1b}]", "\u{7}", "\u{9b}", "\u{202E}", "\u{2066}"].iter().any(|one| text.contains(one))
    };
    for arguments in [&["--all"][..], &[]] {
        let terminal = in_terminal(&program, NEVER, arguments);
        terminal.wait_for(if arguments.is_empty() { "Broken" } else { "31m" });
        terminal.signal(Signal::TERM);
        let ended = terminal.wait();
        assert!(!is_hostile(&ended.raw), "{:?}", ended.raw);
    }
    for arguments in [
        &["--all"][..],
        &[],
        &["--all", "--output=json"],
        &["--output=json"],
        &["--sort=-received", "--all"],
        &["--log.level=debug"],
        &["--log.level=debug", "--log.format=json"],
        &["--broker=Nope"],
    ] {
        let run = program.run(&[&["check"], arguments].concat());
        assert!(!is_hostile(&run.stdout) && !is_hostile(&run.stderr), "{} {}", run.stdout, run.stderr);
        if arguments.contains(&"--output=json") {
            let answer: Value = serde_json::from_str(&run.stdout).expect("a JSON object");
            assert_eq!(answer["alias"], broker, "what is escaped is still there");
        }
    }
}

#[test]
fn in_a_pipe_results_follow_one_another() {
    let (fake, program) = sensors(2);
    let mut child = in_pipes(&program, AT_ONCE, &["--output", "json"]);
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut state = |id: usize| {
        let line = lines.next().expect("another answer").expect("text");
        let answer: Value = serde_json::from_str(&line).expect("a JSON object in each line");
        answer["clients"][id]["state"].as_str().expect("a state").to_owned()
    };
    assert_eq!([state(1), state(1), state(1)], ["connected"; 3]);
    fake.disconnect("sensor-001");
    let since = Instant::now();
    while state(1) != "disconnected" {
        assert!(since.elapsed() < AT_MOST);
    }
    drop(lines);
    assert_eq!(Run::of_child(child).status, 0, "whoever reads no further has read enough");

    let mut child = in_pipes(&program, AT_ONCE, &["--strict"]);
    let mut lines =
        BufReader::new(child.stdout.take().expect("a pipe")).lines().map(|line| line.expect("text"));
    let heads = lines.by_ref().filter(|line| line.starts_with('┏')).take(3).count();
    assert_eq!(heads, 3, "one table after the other");
    send_signal(&child, Signal::TERM);
    let rest = lines.last();
    assert!(
        rest.is_none_or(|line| line == "2 clients: 1 connected, 1 offline; 1 overdue"),
        "the last one is whole"
    );
    assert_eq!(Run::of_child(child).status, 3);
}

#[test]
fn repeated_csv_is_one_table() {
    let (_fake, program) = sensors(2);
    let mut child = in_pipes(&program, AT_ONCE, &["--output", "csv", "--client", "sensor-*1"]);
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().take(4);
    let brokers: Vec<_> =
        lines.map(|line| line.expect("text").split(',').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(brokers, ["broker", "LocalEMQX", "LocalEMQX", "LocalEMQX"]);
    assert_eq!(Run::of_child(child).status, 0);
}

#[test]
fn failures_are_printed_each_time_in_a_pipe() {
    let (fake, program) = sensors(1);
    fake.inject(When::Any, Fault::status(500, "text/plain", ""));
    let mut command = watching(&program, AT_ONCE, &[]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let lines: Vec<_> = stderr.lines().take(4).map(|line| line.expect("text")).collect();
    for result in lines.chunks(2) {
        assert!(result[0].starts_with("LocalEMQX: http_status: "), "{lines:?}");
        assert!(result[1].starts_with("help: http_status: "), "{lines:?}");
    }
    send_signal(&child, Signal::TERM);
    assert_eq!(Run::of_child(child).status, 2);
}

#[test]
fn a_blocked_pipe_does_not_prevent_the_end() {
    let (_fake, program) = sensors(400);
    let mut child = in_pipes(&program, NEVER, &["--output", "json"]);
    let stdout = child.stdout.take().expect("a pipe");
    // About as much as a pipe takes, and there is far more to come.
    wait_until("the pipe is full", || ioctl_fionread(&stdout).expect("a pipe says what it holds") >= 50_000);
    send_signal(&child, Signal::TERM);
    assert_eq!(Run::of_child(child).status, 0);
    drop(stdout);
}

#[test]
fn queries_start_at_the_interval_and_never_overlap() {
    let (fake, program) = sensors(1);
    // Rounds that are shorter than the step.
    let started = Instant::now();
    let child = in_pipes(&program, "0.2", &[]);
    assert!(fake.wait_for_requests(6, AT_MOST), "it asks again and again");
    for (number, request) in fake.requests().iter().enumerate() {
        let not_before = started + Duration::from_millis(200) * u32::try_from(number).expect("few");
        assert!(request.at >= not_before, "request {number} came too soon");
    }
    send_signal(&child, Signal::TERM);
    assert_eq!(Run::of_child(child).status, 0);

    // Rounds that are longer.
    let (fake, program) = sensors(1);
    let late = Duration::from_millis(300);
    fake.set_latency(late);
    let child = in_pipes(&program, AT_ONCE, &[]);
    assert!(fake.wait_for_requests(4, AT_MOST), "it asks again and again");
    send_signal(&child, Signal::TERM);
    assert_eq!(Run::of_child(child).status, 0);
    let requests = fake.requests();
    assert!(requests.windows(2).all(|two| two[1].at >= two[0].at + late), "one waits for the other");
    assert_eq!(fake.max_in_flight(), 1);
}

#[test]
fn the_progress_line_names_the_broker_of_a_hung_query() {
    let (fake, program) = sensors(1);
    fake.inject(When::Any, Fault::Silent);
    let mut command = program.command();
    command.args(["check", "--output=json", "--timeout", "3600"]);
    let terminal = Terminal::start(command, (60, 24), |command| {
        command.stdout(Stdio::null());
    });
    terminal.wait_for("waiting for LocalEMQX");
    fake.stop();
    let ended = terminal.wait();
    assert_eq!(ended.status, Some(2));
    let contents = ended.screen.contents();
    assert!(contents.starts_with("LocalEMQX: ") && !contents.contains("waiting"), "{contents}");
}

#[test]
fn the_progress_line_counts_a_long_list_and_is_erased() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_all((0..12_000).map(|number| Row::like("plain-user-1").client_id(&format!("device-{number:05}"))));
    fake.inject(When::Page(2), Fault::Silent);
    let program = Program::with_config(&config_of(&fake, "", &[]));
    let mut command = program.command();
    command.args(["check", "--all", "--output=json", "--timeout", "3600"]);
    let mut terminal = Terminal::start(command, (60, 24), |command| {
        command.stdout(Stdio::piped());
    });
    let mut stdout = terminal.program().stdout.take().expect("a pipe");
    let screen = terminal.wait_for("LocalEMQX: 10000 of 12000 clients read");
    assert_eq!(screen.contents().lines().count(), 1, "{}", screen.contents());
    fake.stop();
    let mut answer = String::new();
    stdout.read_to_string(&mut answer).expect("text");
    assert!(answer.starts_with("{\"alias\":\"LocalEMQX\",\"success\":false,"), "{answer:.80}");
    let ended = terminal.wait();
    assert_eq!(ended.status, Some(2));
    let contents = ended.screen.contents();
    assert!(contents.starts_with("LocalEMQX: ") && !contents.contains("clients read"), "{contents}");

    // Nor where nothing else is printed.
    fake.restart();
    fake.clear_faults();
    fake.inject(When::Page(2), Fault::Slow(Duration::from_secs(3)));
    let mut command = program.command();
    command.args(["check", "--all", "--output=json"]);
    let ended = Terminal::start(command, (60, 24), |command| {
        command.stdout(Stdio::null());
    })
    .wait();
    assert_eq!(ended.status, Some(0));
    assert!(ended.raw.contains("LocalEMQX: 10000 of 12000 clients read"), "{:?}", ended.raw);
    assert_eq!(ended.screen.contents().trim(), "");

    // Not if stderr is not a terminal.
    fake.clear_faults();
    fake.inject(When::Page(2), Fault::Silent);
    let run = program.run(&["check", "--all", "--output=json", "--timeout", "2.5"]);
    assert!(run.stderr.starts_with("LocalEMQX: timeout: ") && !run.stderr.contains("read"), "{}", run.stderr);

    // Within the frame where that is redrawn.
    let mut command = program.command();
    command.args(["check", "--all", "--watch", NEVER]);
    let terminal = Terminal::start(command, (60, 24), |_| {});
    let screen = terminal.wait_for("LocalEMQX: 10000 of 12000 clients read");
    assert!(screen.alternate_screen());
    terminal.signal(Signal::INT);
    let ended = terminal.wait();
    assert_eq!((ended.status, is_restored(&ended.screen)), (Some(2), true));
}
