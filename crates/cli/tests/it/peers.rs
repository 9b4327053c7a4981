//! haul against age, rage and typage: each opens what the other sealed, with every type of key that the program
//! supports, armored or not, at lengths around every boundary. And haul's shards against the readers of tar
//! ([`packs`]).
//!
//! Owns: which keys are tested with which program.
//! Does not own: how the programs are called ([`program`]), the files ([`workdir`]).

pub(crate) mod packs;
mod program;
mod workdir;

use haul_testkit::skip;

use self::program::Program;
use self::workdir::{Armor, Key, PeerWorkdir, SIZES};

const BOTH: [Armor; 2] = [Armor::None, Armor::Text];

fn check_x25519(program: Option<Program>) {
    let Some(program) = program else { return };
    let workdir = PeerWorkdir::with_tree(&SIZES);
    workdir.check(&program, &workdir.keygen("key.txt", &[]), &BOTH);
}

fn check_post_quantum(program: Option<Program>) {
    let Some(program) = program else { return };
    let workdir = PeerWorkdir::with_tree(&SIZES);
    let key = workdir.keygen("pq.txt", &["--pq"]);
    if program.supports(&workdir, &key) {
        workdir.check(&program, &key, &BOTH);
    } else {
        skip(&format!("this {program} does not support post-quantum keys"));
    }
}

fn check_ssh(program: Option<Program>, kind: &str) {
    let Some(program) = program else { return };
    let workdir = PeerWorkdir::with_tree(&SIZES);
    if let Some(key) = workdir.ssh_keygen(kind) {
        workdir.check(&program, &key, &BOTH);
    }
}

/// The lengths are spread over several tests, because scrypt in age and rage takes long.
fn check_passphrase(program: Option<Program>, armor: Armor, sizes: &[usize]) {
    let Some(program) = program else { return };
    let workdir = PeerWorkdir::with_tree(sizes);
    workdir.check(&program, &Key::Passphrase, &[armor]);
}

#[test]
fn age_and_haul_share_x25519_keys() {
    check_x25519(Program::age("age"));
}

#[test]
fn rage_and_haul_share_x25519_keys() {
    check_x25519(Program::age("rage"));
}

#[test]
fn typage_and_haul_share_x25519_keys() {
    check_x25519(Program::typage());
}

#[test]
fn age_and_haul_share_post_quantum_keys() {
    check_post_quantum(Program::age("age"));
}

#[test]
fn rage_and_haul_share_post_quantum_keys() {
    check_post_quantum(Program::age("rage"));
}

#[test]
fn typage_and_haul_share_post_quantum_keys() {
    check_post_quantum(Program::typage());
}

#[test]
fn age_and_haul_share_ssh_ed25519_keys() {
    check_ssh(Program::age("age"), "ed25519");
}

#[test]
fn age_and_haul_share_ssh_rsa_keys() {
    check_ssh(Program::age("age"), "rsa");
}

#[test]
fn rage_and_haul_share_ssh_ed25519_keys() {
    check_ssh(Program::age("rage"), "ed25519");
}

#[test]
fn rage_and_haul_share_ssh_rsa_keys() {
    check_ssh(Program::age("rage"), "rsa");
}

#[test]
fn age_and_haul_share_passphrases_of_short_files() {
    check_passphrase(Program::age("age"), Armor::None, &SIZES[..3]);
}

#[test]
fn age_and_haul_share_passphrases_of_long_files() {
    check_passphrase(Program::age("age"), Armor::None, &SIZES[3..]);
}

#[test]
fn age_and_haul_share_passphrases_of_short_armored_files() {
    check_passphrase(Program::age("age"), Armor::Text, &SIZES[..3]);
}

#[test]
fn age_and_haul_share_passphrases_of_long_armored_files() {
    check_passphrase(Program::age("age"), Armor::Text, &SIZES[3..]);
}

#[test]
fn rage_and_haul_share_passphrases_of_short_files() {
    check_passphrase(Program::age("rage"), Armor::None, &SIZES[..3]);
}

#[test]
fn rage_and_haul_share_passphrases_of_long_files() {
    check_passphrase(Program::age("rage"), Armor::None, &SIZES[3..]);
}

#[test]
fn rage_and_haul_share_passphrases_of_short_armored_files() {
    check_passphrase(Program::age("rage"), Armor::Text, &SIZES[..3]);
}

#[test]
fn rage_and_haul_share_passphrases_of_long_armored_files() {
    check_passphrase(Program::age("rage"), Armor::Text, &SIZES[3..]);
}

#[test]
fn typage_and_haul_share_passphrases() {
    let Some(program) = Program::typage() else { return };
    let workdir = PeerWorkdir::with_tree(&SIZES);
    workdir.check(&program, &Key::Passphrase, &BOTH);
}

/// The output of `haul seal -p`, with its default work factor.
#[test]
fn others_open_what_the_program_seals_under_a_passphrase() {
    for program in [Program::age("age"), Program::age("rage"), Program::typage()].into_iter().flatten() {
        let workdir = PeerWorkdir::with_tree(&[1]);
        workdir.run(&["seal", "-p", "-o", "ours.age", "tree/1"]);
        program.open(&workdir, &Key::Passphrase, &[("ours.age".to_owned(), "opened".to_owned())]);
        assert!(
            std::fs::read(workdir.path("opened")).unwrap() == std::fs::read(workdir.path("tree/1")).unwrap()
        );
    }
}
