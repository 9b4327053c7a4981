//! The configuration file, the variables `HAUL_…`, and `haul config`.

use std::fs::{Permissions, create_dir_all};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use haul_testkit::{Answer, Haul, Server, check_golden, is_root, refused_address, skip};

use crate::workdir::{Workdir, golden};

/// A directory with the identities `key.txt` and `other.txt`, and their recipients.
struct Keys {
    workdir: Workdir,
    own: String,
    other: String,
}

impl Keys {
    fn new() -> Self {
        let workdir = Workdir::new();
        let made = |name: &str| {
            workdir.run(&["keygen", "-o", name]).expect_status(0).stdout_text().trim().to_owned()
        };
        let (own, other) = (made("key.txt"), made("other.txt"));
        workdir.write("letter", "hello");
        Self { workdir, own, other }
    }

    /// Whether `key` opens what was sealed.
    fn is_sealed_to(&self, key: &str, sealed: &str) -> bool {
        let run = self.workdir.run(&["open", "--no-config", "-i", key, "-o", "-", sealed]);
        assert!([0, 3].contains(&run.status), "{}", run.stderr_text());
        run.status == 0
    }
}

/// Writes the configuration file of `haul`.
fn configure(haul: &Haul, text: &str) {
    let folder = haul.home().join(".config/haul");
    create_dir_all(&folder).unwrap();
    for (path, mode) in [(folder.clone(), 0o755), (folder.join("config.toml"), 0o644)] {
        if !path.is_dir() {
            std::fs::write(&path, text).unwrap();
        }
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn options_count_before_variables_and_variables_before_the_file() {
    let mut keys = Keys::new();
    let key = keys.workdir.path("key.txt");
    configure(&keys.workdir.haul, &format!("recipient = {:?}\nidentity = {key:?}\n", keys.own));
    // The file.
    keys.workdir.run(&["seal", "-o", "by-file.age", "letter"]).expect_status(0);
    for command in [&["open", "-o", "-", "by-file.age"][..], &["cat", "by-file.age"]] {
        assert_eq!(keys.workdir.run(command).expect_status(0).stdout, b"hello");
    }
    keys.workdir.run(&["verify", "by-file.age"]).expect_status(0);
    keys.workdir.run(&["rekey", "-r", &keys.other, "by-file.age"]).expect_status(0);
    assert!(keys.is_sealed_to("other.txt", "by-file.age"));
    // An option counts alone.
    keys.workdir.run(&["seal", "-r", &keys.other, "-o", "by-option.age", "letter"]).expect_status(0);
    assert!(keys.is_sealed_to("other.txt", "by-option.age"));
    assert!(!keys.is_sealed_to("key.txt", "by-option.age"));
    keys.workdir.run(&["seal", "--no-config", "-o", "none.age", "letter"]).expect_status(2);
    keys.workdir.run(&["open", "--no-config", "-o", "-", "by-file.age"]).expect_status(2);
    keys.workdir.run(&["open", "-i", "other.txt", "-o", "-", "by-option.age"]).expect_status(0);
    // A variable counts before the file, and an option before the variable.
    keys.workdir.haul =
        keys.workdir.haul.env("HAUL_RECIPIENT", &keys.other).env("HAUL_IDENTITY", "other.txt");
    keys.workdir.run(&["seal", "-o", "by-variable.age", "letter"]).expect_status(0);
    assert!(keys.is_sealed_to("other.txt", "by-variable.age"));
    assert!(!keys.is_sealed_to("key.txt", "by-variable.age"));
    keys.workdir.run(&["cat", "by-variable.age"]).expect_status(0);
    keys.workdir.run(&["seal", "-r", &keys.own, "-o", "again.age", "letter"]).expect_status(0);
    assert!(!keys.is_sealed_to("other.txt", "again.age"));
}

#[test]
fn fetching_takes_its_proxy_from_the_settings_and_never_seals_by_them() {
    let mut keys = Keys::new();
    let proxy = Server::start(|_| Answer::ok("by the proxy"));
    configure(
        &keys.workdir.haul,
        &format!("recipient = {:?}\nproxy = \"{}\"\njobs = 3\n", keys.own, proxy.address()),
    );
    let (_guard, address) = refused_address();
    let origin = format!("http://{address}");
    keys.workdir.run(&["get", &format!("{origin}/a")]).expect_status(0);
    assert_eq!(keys.workdir.read("a"), b"by the proxy");
    let failing = |args: &[&str]| {
        keys.workdir
            .run(&[&["get", "--retries", "0", &format!("{origin}/b")], args].concat())
            .expect_status(1);
    };
    failing(&["--no-config"]);
    failing(&["--proxy", ""]);
    failing(&["--noproxy", "*"]);
    keys.workdir.haul = keys.workdir.haul.env("HAUL_NOPROXY", "127.0.0.1");
    keys.workdir.run(&["get", "--retries", "0", &format!("{origin}/b")]).expect_status(1);
    assert_eq!(proxy.requests().len(), 1);
}

#[test]
fn a_planted_configuration_file_is_refused() {
    let keys = Keys::new();
    let haul = &keys.workdir.haul;
    configure(haul, &format!("recipient = {:?}\n", keys.other));
    let file = haul.home().join(".config/haul/config.toml");
    let before = keys.workdir.names();
    let refused = |name: &str| {
        let run = keys.workdir.run(&["seal", "letter"]).expect_status(2);
        check_golden(golden(&format!("settings/{name}")), &run);
        assert_eq!(keys.workdir.names(), before);
    };
    std::fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    refused("writable");
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    std::fs::set_permissions(file.parent().unwrap(), Permissions::from_mode(0o777)).unwrap();
    refused("replaceable");
    std::fs::set_permissions(file.parent().unwrap(), Permissions::from_mode(0o755)).unwrap();
    if !is_root() {
        return skip("only root gives files to others");
    }
    chown(&file, Some(12_345), None).unwrap();
    refused("of-another-user");
    chown(&file, Some(0), None).unwrap();
    keys.workdir.run(&["seal", "letter"]).expect_status(0);
}

#[test]
fn a_home_that_this_user_may_not_enter_has_no_configuration_file() {
    let workdir = Workdir::new();
    configure(&workdir.haul, "jobs = 5\n");
    let home = workdir.haul.home();
    std::fs::set_permissions(home, Permissions::from_mode(0o700)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.args(["config"]).env_clear().env("HOME", home);
    if is_root() {
        command.uid(65_534).current_dir("/");
    } else {
        std::fs::set_permissions(home, Permissions::from_mode(0o000)).unwrap();
    }
    let output = command.output();
    std::fs::set_permissions(home, Permissions::from_mode(0o700)).unwrap();
    let Ok(output) = output else { return skip("another user can't run the program") };
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.is_empty(), "{text}");
}

#[test]
fn what_a_configuration_file_cannot_say_is_named_with_its_line() {
    let workdir = Workdir::new();
    for (name, text) in [
        ("unknown-key", "# mine\nrecipients = \"age1x\"\n"),
        ("secret-key", "identity = \"AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L\"\n"),
        ("password", "proxy = \"http://ada:hush@proxy.example:3128\"\n"),
        ("passphrase", "passphrase = \"hush\"\n"),
        ("bad-number", "jobs = 5000\n"),
        ("not-toml", "jobs = 5\nper-host 3\n"),
    ] {
        configure(&workdir.haul, text);
        workdir.refuses(&format!("settings/{name}"), &["get", "http://localhost/f"]);
        // Commands without settings don't mind.
        workdir.run(&["keygen"]).expect_status(0);
    }
    let workdir = Workdir::new();
    let haul = workdir.haul.env("HAUL_JOBS", "many");
    check_golden(golden("settings/bad-variable"), &haul.run(["get", "http://localhost/f"]).expect_status(2));
}

#[test]
fn what_is_in_force_is_shown_with_its_origin() {
    let workdir = Workdir::new();
    check_golden(golden("settings/none"), &workdir.run(&["config"]).expect_status(0));
    configure(
        &workdir.haul,
        "recipient = [\"age1ada\", \"age1bob\"]\nidentity = \"key.txt\"\njobs = 32\nproxy = \"proxy.example:3128\"\n",
    );
    let haul = workdir.haul.env("HAUL_PER_HOST", "4").env("https_proxy", "http://ada:hush@other.example");
    check_golden(golden("settings/all"), &haul.run(["config"]).expect_status(0));
    check_golden(golden("settings/all-json"), &haul.run(["config", "--json"]).expect_status(0));
    check_golden(golden("settings/ignored"), &haul.run(["--no-config", "config"]).expect_status(0));
}
