//! Completions, manual pages and help.

use std::process::Command;

use crate::workdir::{Workdir, golden};
use haul_testkit::{check_golden, peer};

#[test]
fn shells_get_completions_with_every_option() {
    let workdir = Workdir::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = workdir.run(&["completions", shell]).expect_status(0).stdout_text().to_owned();
        for word in ["haul", "recipients-file", "per-host", "rekey"] {
            assert!(script.contains(word), "{shell} doesn't know {word}");
        }
        workdir.write("script", &script);
        let Some(program) = peer(shell) else { continue };
        let status = Command::new(program).arg("-n").arg(workdir.path("script")).status().unwrap();
        assert!(status.success(), "{shell} can't read it");
    }
    assert!(workdir.run(&["completions", "csh"]).expect_status(2).stderr_text().contains("bash"));
}

#[test]
fn help_says_which_limits_are_the_fleets() {
    let workdir = Workdir::new();
    check_golden(golden("help-fleet-create"), &workdir.run(&["fleet", "create", "--help"]));
}

#[test]
fn every_command_has_a_manual_page() {
    let workdir = Workdir::new();
    workdir.run(&["man", "-d", "man1"]).expect_status(0);
    let help = workdir.run(&["--help"]).expect_status(0).stdout_text().to_owned();
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands = listed.lines().map(|line| line.split_whitespace().next().unwrap());
    for command in commands.filter(|command| *command != "help") {
        let page = workdir.run(&["man", command]).expect_status(0).stdout_text().to_owned();
        assert!(page.contains(&format!(".TH haul-{command} 1")), "{page}");
        assert!(workdir.path(format!("man1/haul-{command}.1")).exists(), "{command}");
    }
    assert!(String::from_utf8(workdir.read("man1/haul-get.1")).unwrap().contains("per\\-host"));
    assert!(workdir.run(&["man"]).expect_status(0).stdout_text().contains(".TH haul 1"));
    workdir.run(&["man", "fetch"]).expect_status(2);
}

#[test]
fn troff_formats_the_page_of_get() {
    let workdir = Workdir::new();
    let Some(program) = peer("groff") else { return };
    workdir.write("page", workdir.run(&["man", "get"]).expect_status(0).stdout);
    let page = workdir.path("page");
    let output = Command::new(program)
        .args(["-man", "-Tutf8", "-Kutf8", "-P-c", "-P-bou", "-ww"])
        .arg(page)
        .output()
        .unwrap();
    assert!(output.status.success());
    let [text, warnings] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    for part in ["haul-get - Fetch many URLs at once", "--per-host <N>"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(warnings, "");
}
