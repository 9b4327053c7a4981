//! The progress as a terminal and a file show it. What it says is tested by tables beside the code.

use std::path::Path;

use haul_testkit::{Answer, Gate, Haul, Server};

use crate::workdir::Workdir;

/// A body that stops in the middle until the gate opens.
fn stopping_server(gate: &Gate) -> Server {
    let gate = gate.clone();
    Server::start(move |request| match request.path() {
        "/big.iso" => Answer::ok(vec![7; 900_000]).gate_at(450_000, &gate),
        _ => Answer::ok("small"),
    })
}

fn on_xterm(haul: Haul) -> Haul {
    haul.env("TERM", "xterm-256color")
}

/// The lines that were drawn: what follows each carriage return.
fn drawn(text: &str) -> Vec<String> {
    let lines = text.split(['\r', '\n']);
    lines
        .map(|line| line.replace("\x1b[J", "").replace("\x1b[1A", ""))
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn one_file_has_a_name_a_percentage_and_an_end() {
    let (workdir, gate) = (Workdir::new(), Gate::new());
    let server = stopping_server(&gate);
    let haul = on_xterm(Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()));
    let mut terminal = haul.on_terminal(80, 24, ["get", &server.url("/big.iso")]);
    let shown = terminal.wait_until(|text| text.contains("50 %  ["));
    assert!(shown.contains("big.iso  50 %  [====="), "{shown:?}");
    assert!(shown.contains(" of 879 KiB"), "{shown:?}");
    gate.open();
    let (status, all) = terminal.finish();
    assert_eq!(status, 0);
    let messages = |line: &&String| !line.starts_with("haul: ");
    assert!(drawn(&all).iter().filter(messages).all(|line| line.len() < 80), "{all:?}");
    let rest = all.rsplit("\x1b[J").next().unwrap();
    assert!(rest.starts_with("haul: \"http"), "the progress is erased at the end: {all:?}");
}

#[test]
fn a_narrower_window_gets_shorter_lines() {
    let (workdir, gate) = (Workdir::new(), Gate::new());
    let server = stopping_server(&gate);
    let haul = on_xterm(Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()));
    let mut terminal = haul.on_terminal(120, 24, ["get", &server.url("/big.iso")]);
    terminal.wait_until(|text| text.contains("so far"));
    terminal.resize(40, 15);
    // A line may still have been drawn before; the second one has seen the new size.
    terminal.wait_until(|text| text.matches("\x1b[J").count() == 2);
    let shown = terminal.wait_until(|text| text.matches("\x1b[J").count() == 2);
    assert!(drawn(&shown).iter().all(|line| line.len() < 40), "{shown:?}");
    assert!(shown.contains("big.iso  50 %"), "{shown:?}");
    gate.open();
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn json_lines_and_messages_stay_off_the_progress() {
    let (workdir, gate) = (Workdir::new(), Gate::new());
    let server = stopping_server(&gate);
    let haul = on_xterm(Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()));
    let (big, small) = (server.url("/big.iso"), server.url("/small"));
    let mut terminal = haul.on_terminal(100, 24, ["get", "--json", "-j", "1", &big, &small, "ftp://x/"]);
    terminal.wait_until(|text| text.contains(" of 3"));
    gate.open();
    let (_, all) = terminal.finish();
    // Each line of text begins where the progress was erased, or after another one.
    for line in all.split("\r\n").filter(|line| line.contains("{\"") || line.contains("haul: ")) {
        let start = line.rfind("\x1b[J").map_or(0, |at| at + 3);
        assert!(line[start..].starts_with('{') || line[start..].starts_with("haul: "), "{line:?}");
    }
    assert_eq!(all.matches("\"event\":\"done\"").count(), 2, "{all:?}");
}

#[test]
fn details_have_lines_of_their_own() {
    let (workdir, gate) = (Workdir::new(), Gate::new());
    let server = stopping_server(&gate);
    let haul = on_xterm(Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()));
    let mut terminal = haul.on_terminal(100, 24, ["get", "-v", &server.url("/big.iso")]);
    let shown = terminal.wait_until(|text| text.matches("so far").count() == 2);
    assert!(shown.contains("\r\n") && shown.contains("\r\x1b[1A\x1b[J"), "{shown:?}");
    gate.open();
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn a_dumb_terminal_and_a_file_get_plain_lines() {
    let (workdir, gate) = (Workdir::new(), Gate::new());
    let server = stopping_server(&gate);
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()).env("TERM", "dumb");
    let mut terminal = haul.on_terminal(80, 24, ["get", "-o", "a", &server.url("/big.iso")]);
    let running = workdir.haul.spawn(["get", "--progress", "always", "-o", "b", &server.url("/big.iso")]);
    let shown = terminal.wait_until(|text| text.contains("so far\r\n"));
    assert!(shown.starts_with("haul: big.iso  50 %, 439 KiB of 879 KiB, "), "{shown:?}");
    // The other run began sooner or at the same time.
    terminal.wait_until(|text| text.contains("so far\r\n"));
    gate.open();
    let (status, all) = terminal.finish();
    assert!(status == 0 && !all.contains('\x1b'), "{all:?}");
    let file = running.finish().expect_status(0).stderr_text();
    assert!(file.contains("haul: big.iso  50 %, 439 KiB of 879 KiB, "), "{file:?}");
    assert!(!file.contains('\x1b') && !file.contains('\r'), "{file:?}");
}

#[test]
fn no_terminal_and_quiet_runs_have_no_progress() {
    let workdir = Workdir::new();
    let gate = Gate::new();
    gate.open();
    let server = stopping_server(&gate);
    let haul = on_xterm(Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()));
    let (status, all) = haul.on_terminal(80, 24, ["get", "-q", &server.url("/big.iso")]).finish();
    assert_eq!((status, all.as_str()), (0, ""));
    let run = workdir.run(&["get", "-o", "c", &server.url("/big.iso")]).expect_status(0);
    assert!(!run.stderr_text().contains('%'), "{}", run.stderr_text());
}

#[test]
fn a_pause_of_a_host_is_shown_with_its_end() {
    let workdir = Workdir::new();
    let server = Server::start(|_| Answer::new(429).header("Retry-After", "28"));
    let haul = on_xterm(Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()));
    let mut terminal = haul.on_terminal(90, 24, ["get", &server.url("/x")]);
    let shown = terminal.wait_until(|text| text.contains("attempt 2 of 6"));
    assert!(
        shown.contains("waiting 27 s for 127.0.0.1 (429), attempt 2 of 6")
            || shown.contains("waiting 28 s for"),
        "{shown:?}"
    );
    terminal.interrupt();
    assert_eq!(terminal.finish().0, 130);
    // Without progress, a line says it.
    let mut terminal = haul.on_terminal(90, 24, ["get", "--progress", "never", &server.url("/x")]);
    terminal.wait_until(|text| text.contains("waits 28 s for 127.0.0.1 (the server answered 429"));
    terminal.interrupt();
    assert_eq!(terminal.finish().0, 130);
}

#[test]
fn trees_and_streams_have_their_lengths() {
    let workdir = Workdir::with_sealed(100);
    let recipient = workdir.run(&["keygen", "-y", "key.txt"]).expect_status(0).stdout_text();
    let haul = on_xterm(Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()));
    workdir.write("big", vec![1; 1 << 20]);
    for args in [
        &["seal", "-r", recipient.trim(), "big"][..],
        &["verify", "-i", "key.txt", "big.age"],
        &["open", "-i", "key.txt", "-o", "again", "big.age"],
        &["bench", "queue", "--rounds", "1"],
    ] {
        let (status, all) = haul.on_terminal(100, 24, args).finish();
        assert_eq!(status, 0, "{args:?}: {all:?}");
        assert!(all.contains("100 %  ["), "{args:?}: {all:?}");
    }
    assert!(Path::new(&workdir.path("again")).exists());
}
