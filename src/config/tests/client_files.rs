//! The files of clients that a configuration names.

use std::fs;

use tempfile::TempDir;

use super::*;

/// A directory with a configuration that names `files`, and these files.
fn directory(files: &str, contents: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    write(&directory, "config.yaml", &format!("{TWO_BROKERS}monitored_client_files: {files}\n"));
    for (name, content) in contents {
        write(&directory, name, content);
    }
    directory
}

fn write(directory: &TempDir, name: &str, content: &str) {
    let path = directory.path().join(name);
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(path, content).expect("a file");
}

fn load(directory: &TempDir, before: &[FilePattern]) -> Result<Config, String> {
    let loaded =
        Config::load_watched(&directory.path().join("config.yaml"), &mut WatchedFiles::default(), before);
    loaded.map_err(|error| error.to_string().replace(&format!("{}/", directory.path().display()), ""))
}

fn loaded(directory: &TempDir) -> Config {
    load(directory, &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn problems_of(files: &str, contents: &[(&str, &str)]) -> Vec<String> {
    let directory = directory(files, contents);
    let Err(error) = load(&directory, &[]) else { panic!("no problem is seen in {contents:?}") };
    error.lines().map(ToOwned::to_owned).collect()
}

/// The aliases of the clients of the first broker.
fn aliases(config: &Config) -> Vec<&str> {
    config.brokers[0].clients.iter().map(|client| &*client.alias).collect()
}

fn labels(config: &Config) -> Vec<Vec<(&str, &str)>> {
    config.brokers[0].clients.iter().map(|client| client.labels.iter().collect()).collect()
}

const HEAD: &str = "alias,client_id,brokers\n";

#[test]
fn globs_and_names_are_read_in_order_and_each_file_once() {
    let directory = directory(
        "[extra.yaml, 'clients.d/*', clients.d/b.csv, '*.yaml']",
        &[
            ("extra.yaml", "- {alias: extra, client_id: 1, brokers: A}\n"),
            ("clients.d/b.csv", "alias,client_id,brokers\nb1,2,A\nb2,3,A\n"),
            ("clients.d/a.json", r#"[{"alias": "a", "client_id": "4", "brokers": ["A"]}]"#),
            ("clients.d/.hidden.csv", "nonsense"),
            ("clients.d/..data/x.yaml", "nonsense"),
        ],
    );
    let config = loaded(&directory);
    assert_eq!(aliases(&config), ["extra", "a", "b1", "b2"]);
    let files: Vec<_> = config.client_files.iter().map(|pattern| pattern.files).collect();
    assert_eq!(files, [1, 2, 1, 1]);
    assert!(config.brokers[0].clients[3].origin.to_string().ends_with("/clients.d/b.csv:3"));
    assert!(config.brokers[0].clients[0].origin.to_string().starts_with("[0] of "));
}

#[test]
fn a_table_says_what_a_list_says() {
    let directory = directory(
        "[{path: inventory.csv, ignore_columns: [serial, notes]}]",
        &[(
            "inventory.csv",
            "\u{feff}label_site,alias,client_id,notes,brokers,offline_after,label_room,serial\r\n\
             north,\"Pump, \"\"1\"\"\",pump/1,\"two\r\nlines\",*,2h,,7\r\n\
             ,,,,,,,\r\n\r\n\
             south,Pump 2, 0012,,A B,,\"kitchen\",\r\n",
        )],
    );
    let config = loaded(&directory);
    let [pump, other] = config.brokers[1].clients.as_slice() else { panic!("{config:?}") };
    assert_eq!((&*pump.alias, &*pump.client_id, pump.offline_after.as_secs()), ("Pump, \"1\"", "pump/1", 7200));
    assert_eq!((&*other.alias, &*other.client_id, other.offline_after.as_secs()), ("Pump 2", " 0012", 900));
    assert_eq!(labels(&config), [vec![("site", "north")], vec![("site", "south"), ("room", "kitchen")]]);
    assert!(other.origin.to_string().ends_with("/inventory.csv:6"), "{}", other.origin);
    let [warning] = config.warnings.as_slice() else { panic!("{:?}", config.warnings) };
    assert!(
        warning.ends_with(":6:14: client_id: begins or ends with a space, which is part of the name"),
        "{warning}"
    );
}

#[test]
fn topics_of_a_table_are_separated_by_spaces() {
    let table = "alias,client_id,brokers,seen_topics,subscriptions\na,1,A,tele/1/STATE,\nb,2,A,x ${clientid}/y,cmd/# $share/g/c\nc,3,A,,\n";
    let config = loaded(&directory("[t.csv]", &[("t.csv", table)]));
    let texts = |topics: &[crate::client::TopicTemplate]| {
        topics.iter().map(|topic| topic.as_str().to_owned()).collect::<Vec<_>>()
    };
    let [a, b, c] = config.brokers[0].clients.as_slice() else { panic!("{config:?}") };
    assert_eq!(texts(&a.topics.as_ref().expect("it has some").seen), ["tele/1/STATE"]);
    let of_b = b.topics.as_ref().expect("it has some");
    assert_eq!(texts(&of_b.seen), ["x", "${clientid}/y"]);
    assert_eq!(texts(&of_b.subscriptions), ["cmd/#", "$share/g/c"]);
    assert_eq!(c.topics, None);
    assert_eq!(
        problems_of("[t.csv]", &[("t.csv", "alias,client_id,brokers,seen_topics\na,1,A,x +\n")]),
        [
            "t.csv:2:7: seen_topics[1]: must be one exact topic, without `+` and `#`: it stands for one retained message of \
             each client"
        ]
    );
}

#[test]
fn problems_of_a_table_have_line_and_column() {
    assert_eq!(
        problems_of(
            "[t.csv]",
            &[(
                "t.csv",
                "alias,client_id,brokers,offline_after,label_x\n\
                 \"a, b\",1,C,,\n\
                 ,2,A,,\n\
                 c,3,A,soon,\n\
                 \n\
                 d,4,A\n\
                 é,5,\"A B\",1h,\"a\tb\"\n\
                 \"\",,A,,\n"
            )]
        ),
        [
            "t.csv:2:10: brokers: unknown broker \"C\"; configured brokers: A, B",
            "t.csv:3:1: alias: must be a name of your choice for this client",
            "t.csv:4:7: offline_after: must be a duration such as 15m, 1h30m or 7d, longer than 0 (units y, w, d, h, m, s \
             and ms, in this order)",
            "t.csv:6:1: 3 fields, but the head line has 5",
            "t.csv:7:14: labels.x: must not contain control characters",
            "t.csv:8:1: alias: must be a name of your choice for this client",
            "t.csv:8:4: client_id: must be the MQTT client ID",
        ]
    );
}

#[test]
fn a_table_needs_a_head_line_that_says_what_is_in_it() {
    let head = |text| problems_of("[t.csv]", &[("t.csv", text)]);
    let needs_head =
        "t.csv:1:1: must begin with a head line that names the columns, alias and client_id among them";
    let (many, ten) = ("x,".repeat(1_000), format!("; found {}", ["\"x\""; 10].join(", ")));
    for (text, found) in [
        ("", ""),
        ("Pump,pump-1\n", "; found \"Pump\", \"pump-1\""),
        ("Alias,Client_ID, client id,,\n", "; found \"Alias\", \"Client_ID\", \"client id\""),
        (&many, &ten),
    ] {
        assert_eq!(head(text), [format!("{needs_head}{found}")]);
    }
    assert_eq!(
        head("alias;client_id\na;1\n"),
        ["t.csv:1:1: the fields must be separated by commas; this file seems to separate them by a semicolon"]
    );
    assert_eq!(
        head("alias,serial,client_id,alias,label_a-b,brokers\n"),
        [
            "t.csv:1:7: unknown column \"serial\"; known columns: alias, client_id, offline_after, brokers, seen_topics, subscriptions, label_NAME; \
             others can be named under ignore_columns",
            "t.csv:1:24: duplicate column \"alias\"",
            "t.csv:1:30: \"label_a-b\": label names consist of letters, digits and _, and do not begin with a digit or with \
             __",
        ]
    );
}

#[test]
fn what_spreadsheets_and_people_add_does_no_harm() {
    let table = "\u{feff} alias ,\"client_id\",brokers, offline_after,, \r\nPump 1,1, A , 2h,,\r\n2,2,A B,,,,,,\r\n,,,,,\r\n\r\n";
    let config = loaded(&directory("[t.csv]", &[("t.csv", table)]));
    assert_eq!((aliases(&config), config.warnings.as_slice()), (vec!["Pump 1", "2"], &[][..]));
    assert_eq!(config.brokers[0].clients[0].offline_after.as_secs(), 7200);
    assert_eq!(
        problems_of("[t.csv]", &[("t.csv", "alias,client_id,,brokers\na,1,,A,x\nb,2,,A\nc,3\n")]),
        [
            "t.csv:1:17: a column has no name; name it, and name it under ignore_columns if it is not for this exporter",
            "t.csv:2:1: 5 fields, but the head line has 4",
            "t.csv:4:1: 2 fields, but the head line has 4",
        ]
    );
}

#[test]
fn texts_in_other_encodings_are_told_apart() {
    let directory = directory("[t.csv, u.csv]", &[]);
    fs::write(directory.path().join("t.csv"), b"alias,client_id\nCaf\xe9,1\n").expect("a file");
    fs::write(directory.path().join("u.csv"), b"\xff\xfea\0,\0").expect("a file");
    assert_eq!(
        load(&directory, &[]).expect_err("no UTF-8").lines().collect::<Vec<_>>(),
        ["t.csv:2:4: not valid UTF-8; save the file as UTF-8", "u.csv: UTF-16 text; save the file as UTF-8"]
    );
}

#[test]
fn a_hundred_thousand_problems_are_a_bounded_text() {
    let table = HEAD.to_owned() + &"a,b,A,too many\n".repeat(100_000);
    let problems = problems_of("[t.csv, t.csv, u.csv]", &[("t.csv", &table), ("u.csv", &table)]);
    assert_eq!(problems.len(), 51);
    assert_eq!(problems[50], "... and 199950 more");
    assert!(problems.iter().all(|problem| problem.len() < 200), "{problems:?}");
}

#[test]
fn a_quote_without_an_end_swallows_no_clients() {
    let files = "[{path: t.csv, ignore_columns: [notes]}]";
    assert_eq!(
        problems_of(files, &[("t.csv", "alias,client_id,brokers,notes\na,1,A,fine\nb,2,A,\"open\nc,3,A,\n")]),
        ["t.csv:3:1: a quoted field of this record is not closed"]
    );
    let inches = directory(files, &[("t.csv", "alias,client_id,brokers,notes\n5\" pipe,1,A,\"last\"\n")]);
    assert_eq!(aliases(&loaded(&inches)), ["5\" pipe"]);
}

#[test]
fn duplicates_name_both_places() {
    let head = |more: &str| format!("{HEAD}{more}");
    let directory = directory(
        "[a.csv, b.yaml]",
        &[
            ("a.csv", &head("one,1,A\ntwo,2,B\none,3,*\n")),
            (
                "b.yaml",
                "- {alias: two, client_id: 4, brokers: A}\n- {alias: three, client_id: 1, brokers: '*'}\n",
            ),
        ],
    );
    let main = "monitored_clients: [{alias: main, client_id: 4, brokers: A}]\n";
    let config = fs::read_to_string(directory.path().join("config.yaml")).expect("a file");
    write(&directory, "config.yaml", &(config + main));
    assert_eq!(
        load(&directory, &[]).expect_err("duplicates").lines().collect::<Vec<_>>(),
        [
            "a.csv:4:1: alias: duplicate alias; a.csv:2 has it on the same broker",
            "b.yaml:1:27: [0].client_id: duplicate client ID; monitored_clients[0] has it on the same broker",
            "b.yaml:2:29: [1].client_id: duplicate client ID; a.csv:2 has it on the same broker",
        ]
    );
}

#[test]
fn files_that_cannot_be_read_are_problems_of_their_entry() {
    assert_eq!(
        problems_of(
            "[missing.csv, 'x.[', notes.txt, {path: [], other: 1}, 5.csv, list.yaml]",
            &[("notes.txt", ""), ("5.csv", HEAD), ("list.yaml", "monitored_clients: []\n")]
        ),
        [
            "config.yaml:10:26: monitored_client_files[0]: cannot read missing.csv: No such file or directory (os error 2)",
            "config.yaml:10:39: monitored_client_files[1]: malformed glob at character 3: invalid range pattern",
            "config.yaml:10:46: monitored_client_files[2]: notes.txt: must end in .yaml, .yml, .json or .csv",
            "config.yaml:10:64: monitored_client_files[3].path: must be the name of a file or a glob",
            "config.yaml:10:68: monitored_client_files[3].other: unknown key; known keys: path, ignore_columns",
            "list.yaml:1:1: must be a list of clients, each with alias and client_id",
        ]
    );
}

#[test]
fn a_glob_may_not_lose_all_its_files() {
    let client = "- {alias: a, client_id: 1, brokers: A}\n";
    let directory = directory("['d/*.yaml', 'none/*.csv']", &[("d/a.yaml", client), ("d/b.yaml", "[]")]);
    let config = loaded(&directory);
    assert_eq!(config.warnings, ["monitored_client_files[1]: matches no file"]);

    fs::remove_file(directory.path().join("d/a.yaml")).expect("a file");
    let fewer = load(&directory, &config.client_files).expect("one file is left");
    assert_eq!((config.count_clients_missing_in(&fewer), fewer.count_clients_missing_in(&config)), (1, 0));

    fs::remove_file(directory.path().join("d/b.yaml")).expect("a file");
    assert_eq!(
        load(&directory, &fewer.client_files).expect_err("the glob matches nothing"),
        "config.yaml:10:26: monitored_client_files[0]: matches no file; it matched 1 before. Is a volume not mounted? If \
         its clients are to go, remove it\nconfig.yaml: warning: monitored_client_files[1]: matches no file"
    );
    loaded(&directory);
}

#[test]
fn warnings_name_file_and_line() {
    let directory = directory("[t.csv]", &[("t.csv", "alias,client_id,brokers\na,b,A\n${X},c,A\n")]);
    let warnings = loaded(&directory).warnings;
    assert!(
        warnings.len() == 1 && warnings[0].contains("/t.csv:3:1: alias: ${NAME} is taken literally"),
        "{warnings:?}"
    );
}

#[test]
fn labels_are_checked() {
    let label_problem = |labels: &str| {
        let text = format!("{BROKER}monitored_clients:\n- alias: a\n  client_id: b\n  labels: {labels}\n");
        problem(&text)
    };
    let config = good(&format!(
        "{BROKER}monitored_clients: [{{alias: a, client_id: b, labels: {{_a1: x, floor: 02, empty: '', none: ~}}}}]\n"
    ));
    assert_eq!(labels(&config), [vec![("_a1", "x"), ("floor", "02")]]);
    let names = "label names consist of letters, digits and _, do not begin with a digit or with __, and have at most 256 \
                 characters";
    for name in ["a-b", "1a", "__x", "é", "''"] {
        assert_eq!(
            label_problem(&format!("{{{name}: x}}")),
            format!("9:12: monitored_clients[0].labels: {names}")
        );
    }
    assert_eq!(
        label_problem("{a: x, a: y}"),
        "9:18: monitored_clients[0].labels.a: duplicate label; keep one of them"
    );
    assert_eq!(
        label_problem("{a: \"x\\ny\"}"),
        "9:15: monitored_clients[0].labels.a: must not contain control characters"
    );
    assert_eq!(
        label_problem(&format!("{{a: {}}}", "x".repeat(257))),
        "9:15: monitored_clients[0].labels.a: too long; a label has at most 256 bytes"
    );
    assert_eq!(
        label_problem("[a]"),
        "9:11: monitored_clients[0].labels: must be a mapping of label names to values, such as {site: north}"
    );
    let columns = (0..40).map(|number| format!(",label_l{number}")).collect::<Vec<_>>().concat();
    let table = format!("alias,client_id,brokers{columns}\na,1,A{},x{}\n", ",".repeat(20), ",".repeat(19));
    assert_eq!(
        labels(&loaded(&directory("[t.csv]", &[("t.csv", &table)]))),
        [[("l20", "x")]],
        "empty ones are none"
    );
    let many: Vec<_> = (0..33).map(|number| format!("l{number}: x")).collect();
    assert_eq!(
        label_problem(&format!("{{{}}}", many.join(", "))),
        "9:11: monitored_clients[0].labels: too many labels; at most 32 are possible"
    );
}

#[test]
fn what_the_running_configuration_shows_is_read_back() {
    let directory = directory(
        "[{path: 't*.csv', ignore_columns: [x]}]",
        &[("t.csv", "alias,client_id,brokers,label_site,x\na,1,*,no,\nb,2,B,,\n")],
    );
    let config = Arc::new(loaded(&directory));
    let yaml: String = config.redacted().expect("YAML").collect();
    let place = directory.path().display();
    assert!(
        yaml.contains("# monitored_client_files:\n# - path: 't*.csv'\n#   ignore_columns:\n#   - x\n"),
        "{yaml}"
    );
    assert!(yaml.contains(&format!("# {place}/t.csv:2\n- alias: a\n")), "{yaml}");
    assert!(yaml.contains("  labels:\n    site: 'no'\n"), "{yaml}");
    let again = good(&yaml);
    assert_eq!((labels(&again), again.client_count()), (labels(&config), 3));
}
