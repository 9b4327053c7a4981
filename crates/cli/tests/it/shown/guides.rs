//! README.md and the guides in `docs/` are true: every command in them runs, prints what the page shows, and every link
//! leads somewhere.
//!
//! A block of the kind `console` holds commands after `$ ` and what they print. They run in order, in one shell for the
//! page, in a new home directory with the files of [`world`]. `https://example.org` is a server of the test, behind a
//! proxy that only the environment names. `age1…` in a command is the recipient that the page printed last; `…` at the
//! end of an output stands for further lines, `/users/ada` for the home directory. A command that fails is followed by
//! `echo $?`. Times and rates may differ. With `HAUL_BLESS=1` the pages are rewritten.

mod links;
mod page;
mod picture;
mod shell;
mod world;

use std::fs;
use std::path::{Path, PathBuf};

use haul_testkit::skip;

use page::Page;
use shell::Shell;
use world::World;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The Markdown files for users, below the root.
fn pages() -> Vec<String> {
    let guides = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    let guides = guides.map(|name| format!("docs/{}", name.to_str().unwrap()));
    let mut pages: Vec<_> = guides.filter(|name| name.ends_with(".md")).collect();
    pages.push("README.md".to_owned());
    pages.sort();
    pages
}

#[test]
fn every_command_prints_what_the_page_shows() {
    let bless = std::env::var_os("HAUL_BLESS").is_some_and(|value| value == "1");
    let mut faults = String::new();
    for name in pages() {
        let path = root().join(&name);
        let mut page = Page::parse(&fs::read_to_string(&path).unwrap());
        if page.commands.is_empty() {
            continue;
        }
        let world = World::new();
        let mut shell = Shell::start(&world);
        let mut next =
            page.commands.iter().skip(1).map(|command| command.text.clone()).collect::<Vec<_>>().into_iter();
        for command in &mut page.commands {
            let tells_status = next.next().is_some_and(|next| next == "echo $?");
            match shell.run(&command.text) {
                Ok((output, false)) if !tells_status => {
                    faults +=
                        &format!("{name}: {}: it fails, and no \"echo $?\" follows\n{output}", command.text);
                }
                Ok((output, _)) if command.is_shown(&output) => {}
                Ok((output, _)) if bless => command.show(&output),
                Ok((output, _)) => {
                    faults += &format!(
                        "{name}: {}\n--- printed\n{output}--- shown\n{}",
                        command.text,
                        command.shown()
                    );
                }
                Err(missing) => skip(&format!("{name}: {:?}: there is no {missing} here", command.text)),
            }
        }
        if bless {
            fs::write(&path, page.rewritten()).unwrap();
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn every_command_of_haul_is_in_a_block_that_runs() {
    // Commands that need a bucket or Redis are run by tests with these (`real_servers`).
    let others = ["docs/fleet.md", "docs/object-storage.md"];
    for name in pages().into_iter().filter(|name| !others.contains(&name.as_str())) {
        for (number, line) in page::lines_of_other_blocks(&fs::read_to_string(root().join(&name)).unwrap()) {
            assert!(!line.trim_start().starts_with("haul "), "{name}:{number}: {line}: use a console block");
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    let others = ["ARCHITECTURE.md", "BENCHMARKS.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];
    let internals = fs::read_dir(root().join("docs/internals")).unwrap();
    let internals =
        internals.map(|entry| format!("docs/internals/{}", entry.unwrap().file_name().to_str().unwrap()));
    let all = pages().into_iter().chain(others.map(str::to_owned)).chain(internals);
    let faults: Vec<String> = all.flat_map(|name| links::broken(&root(), &name)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}
