//! Owners, access control lists, special bits, the umask, holes, lengths that aren't true, a closed standard output.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use haul_testkit::{Haul, Workdir, is_root, seeded_bytes, skip};
use rustix::fs::{XattrFlags, getxattr, setxattr};

const ENGINES: [&str; 4] = ["serial", "threads=2", "processes=2", "uring=1x4"];
const LIST: &str = "system.posix_acl_access";
const INHERITED: &str = "system.posix_acl_default";
/// Owner rw-, user 1 rw-, owning group ---, mask rw-, others ---: the file shows 0660, and its group has nothing.
const ENTRIES: [(u16, u16, u32); 5] =
    [(0x01, 6, u32::MAX), (0x02, 6, 1), (0x04, 0, u32::MAX), (0x10, 6, u32::MAX), (0x20, 0, u32::MAX)];

struct Fixture {
    workdir: Workdir,
    haul: Haul,
    recipient: String,
}

impl Fixture {
    fn new() -> Self {
        let workdir = Workdir::new();
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir());
        let recipient =
            haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
        Self { workdir, haul, recipient }
    }

    /// Runs `seal` or `open` and returns what it said.
    fn run(&self, verb: &str, args: &[&str]) -> String {
        let keys = if verb == "seal" { ["-r", &self.recipient] } else { ["-i", "key.txt"] };
        self.haul.run([verb].iter().chain(&keys).chain(args)).expect_status(0).stderr_text()
    }
}

fn value(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut value = vec![2, 0, 0, 0];
    for (tag, permissions, id) in entries {
        value.extend([&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat());
    }
    value
}

fn list_of(path: &Path) -> Option<Vec<u8>> {
    let mut value = [0; 512];
    getxattr(path, LIST, &mut value).ok().map(|bytes| value[..bytes].to_vec())
}

fn mode_of(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

#[test]
fn a_list_is_kept_and_its_mask_is_no_permission_of_the_group() {
    let fixture = Fixture::new();
    for (engine, bytes) in ENGINES.into_iter().zip([5, 1_200_000].into_iter().cycle()) {
        let tree = fixture.workdir.path("tree");
        std::fs::create_dir(&tree).unwrap();
        let file = tree.join("file");
        std::fs::write(&file, seeded_bytes(1, bytes)).unwrap();
        if setxattr(&file, LIST, &value(&ENTRIES), XattrFlags::empty()).is_err() {
            return skip("the file system has no access control lists");
        }
        assert_eq!(mode_of(&file), 0o660);
        fixture.run("seal", &["-e", engine, "--replace", "tree"]);
        assert_eq!(list_of(&tree.join("file.age")), Some(value(&ENTRIES)), "{engine}");
        fixture.run("open", &["-e", engine, "--replace", "tree"]);
        // The umask, 022 or narrower, may take something from the mask.
        let list = list_of(&file).unwrap();
        assert_eq!(list[..26], value(&ENTRIES)[..26], "{engine}: owner, user and group");
        std::fs::remove_dir_all(&tree).unwrap();
    }
}

#[test]
fn a_list_that_results_would_inherit_opens_them_to_nobody() {
    let fixture = Fixture::new();
    for (engine, bytes) in ENGINES.into_iter().zip([5, 1_200_000].into_iter().cycle()) {
        fixture.workdir.write("file", seeded_bytes(1, bytes));
        std::fs::set_permissions(fixture.workdir.path("file"), Permissions::from_mode(0o640)).unwrap();
        let out = fixture.workdir.path("out");
        std::fs::create_dir(&out).unwrap();
        if setxattr(&out, INHERITED, &value(&ENTRIES), XattrFlags::empty()).is_err() {
            return skip("the file system has no access control lists");
        }
        fixture.run("seal", &["-e", engine, "-o", "out/file.age", "file"]);
        assert_eq!(
            (mode_of(&out.join("file.age")), list_of(&out.join("file.age"))),
            (0o640, None),
            "{engine}"
        );
        std::fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn root_keeps_owners_and_special_bits_of_directories() {
    if !is_root() {
        return skip("only root can give files away");
    }
    let fixture = Fixture::new();
    for (engine, bytes) in ENGINES.into_iter().zip([5, 1_200_000].into_iter().cycle()) {
        fixture.workdir.write("tree/sub/file", seeded_bytes(1, bytes));
        fixture.workdir.write("tree/drop/file", b"x");
        let file = fixture.workdir.path("tree/sub/file");
        for (path, owner, mode) in [
            (&file, (1, 3), 0o4640),
            (&fixture.workdir.path("tree/sub"), (1, 3), 0o2750),
            (&fixture.workdir.path("tree/drop"), (0, 0), 0o1777),
        ] {
            std::os::unix::fs::chown(path, Some(owner.0), Some(owner.1)).unwrap();
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        let said = fixture.run("seal", &["-e", engine, "-o", "sealed", "tree"]);
        assert_eq!(said.matches("set-user-ID").count(), 1, "{said}");
        fixture.run("open", &["-e", engine, "-o", "opened", "sealed"]);
        for (made, name) in [("sealed", "sub/file.age"), ("opened", "sub/file")] {
            let found = fixture.workdir.path(format!("{made}/{name}")).metadata().unwrap();
            assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (1, 3, 0o640), "{engine} {made}");
            let sub = fixture.workdir.path(format!("{made}/sub")).metadata().unwrap();
            assert_eq!((sub.uid(), sub.gid(), sub.mode() & 0o7777), (1, 3, 0o2750), "{engine} {made}");
        }
        assert_eq!(mode_of(&fixture.workdir.path("sealed/drop")), 0o1777);
        assert_eq!(mode_of(&fixture.workdir.path("opened/drop")), 0o1755, "less the umask");
        for name in ["tree", "sealed", "opened"] {
            std::fs::remove_dir_all(fixture.workdir.path(name)).unwrap();
        }
    }
}

#[test]
fn the_umask_holds_for_what_is_opened() {
    let fixture = Fixture::new();
    fixture.workdir.write("tree/file", b"x");
    std::fs::set_permissions(fixture.workdir.path("tree/file"), Permissions::from_mode(0o664)).unwrap();
    fixture.run("seal", &["-o", "sealed", "tree"]);
    let haul = env!("CARGO_BIN_EXE_haul");
    for engine in ENGINES {
        let script = format!("umask 027 && {haul} open -qe {engine} -i key.txt -o opened-{engine} sealed");
        let status = Command::new("sh").args(["-c", &script]).current_dir(fixture.workdir.dir()).status();
        assert!(status.unwrap().success());
        assert_eq!(mode_of(&fixture.workdir.path(format!("opened-{engine}/file"))), 0o640, "{engine}");
    }
}

#[test]
fn holes_come_back_on_request() {
    let fixture = Fixture::new();
    let mut content = vec![0; 8 << 20];
    content[3_000_000..3_000_100].fill(7);
    fixture.workdir.write("large", &content);
    fixture.workdir.write("small", [&[0; 100_000][..], b"end", &[0; 50_000]].concat());
    let blocks = |name: &str| fixture.workdir.path(name).metadata().unwrap().blocks();
    for name in ["large", "small"] {
        fixture.run("seal", &[name]);
        fixture.run("seal", &["-a", "-o", "armored", "--force", name]);
        let sealed = format!("{name}.age");
        for engine in ENGINES {
            for source in [sealed.as_str(), "armored"] {
                fixture.run("open", &["-e", engine, "--sparse", "--force", "-o", "opened", source]);
                assert!(fixture.workdir.read("opened") == fixture.workdir.read(name), "{engine} {source}");
                assert!(blocks("opened") <= 64, "{engine} {source}: {} blocks", blocks("opened"));
            }
        }
        let stream = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(fixture.workdir.dir());
        let stream = stream.stdin(fixture.workdir.read(&sealed));
        stream.run(["open", "--sparse", "--force", "-i", "key.txt", "-o", "opened", "-"]).expect_status(0);
        assert!(fixture.workdir.read("opened") == fixture.workdir.read(name) && blocks("opened") <= 64);
    }
}

#[test]
fn files_of_the_kernel_are_read_to_their_end() {
    let fixture = Fixture::new();
    for source in ["/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"] {
        if !Path::new(source).exists() {
            continue;
        }
        for engine in ENGINES {
            fixture.run("seal", &["-e", engine, "--force", "-o", "sealed", source]);
            fixture.run("open", &["-e", engine, "--force", "-o", "opened", "sealed"]);
            assert!(fixture.workdir.read("opened") == std::fs::read(source).unwrap(), "{engine} {source}");
        }
    }
}

/// Also with `--force`, and through a link. A descriptor may be a regular file, written from where it stands.
#[test]
fn devices_and_descriptors_are_streams_and_stay_what_they_are() {
    let fixture = Fixture::new();
    fixture.workdir.write("letter", b"Dear Ada");
    std::os::unix::fs::symlink("/dev/null", fixture.workdir.path("null")).unwrap();
    let haul = env!("CARGO_BIN_EXE_haul");
    let seal = format!("{haul} seal -q -r {}", fixture.recipient);
    let shell = |line: &str| {
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", line]).current_dir(fixture.workdir.dir()).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    for (input, redirected) in [("letter", ""), ("-", "< letter"), ("/dev/stdin", "< letter")] {
        for output in ["/dev/null", "null"] {
            shell(&format!("{seal} --force -o {output} {input} {redirected}"));
            shell(&format!("{haul} open -q --force -i key.txt -o {output} sealed.age 2>&- || true"));
        }
        for output in ["/dev/stdout", "/dev/fd/1", "-"] {
            let opened = shell(&format!(
                "{seal} -o {output} {input} {redirected} | {haul} open -i key.txt -o {output} /dev/stdin"
            ));
            assert_eq!(opened, b"Dear Ada", "{input} {output}");
        }
        let line = "exec 3> both; echo first >&3;";
        shell(&format!("{line} {seal} --force -o /dev/fd/3 {input} {redirected}"));
        let both = fixture.workdir.read("both");
        assert!(both.starts_with(b"first\nage-encryption.org/v1\n"), "{input}");
    }
    let kind = std::fs::symlink_metadata("/dev/null").unwrap().file_type();
    assert!(std::os::unix::fs::FileTypeExt::is_char_device(&kind));
    assert!(fixture.workdir.path("null").is_symlink());
    let names = fixture.workdir.names();
    assert_eq!(names, ["both", "key.txt", "letter", "null"]);
}

#[test]
fn a_closed_standard_output_is_an_error() {
    let fixture = Fixture::new();
    fixture.workdir.write("letter", b"x");
    fixture.run("seal", &["letter"]);
    let haul = env!("CARGO_BIN_EXE_haul");
    for command in [
        "open -i key.txt -o - letter.age",
        "open -i key.txt -o /dev/stdout letter.age",
        "seal -i key.txt -o - letter",
        "seal -i key.txt -o other --json letter",
        "inspect letter.age",
        "keygen",
    ] {
        let closed = format!("{haul} {command} >&-");
        let mut shell = Command::new("sh");
        shell.args(["-c", &closed]).current_dir(fixture.workdir.dir()).stdin(Stdio::null());
        let output = shell.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("Bad file descriptor"), "{command}: {said}");
        // A stream that is open, to nowhere, is what the user asked for.
        let open = format!("{haul} {command} --force <>/dev/null >&0 || {haul} {command} <>/dev/null >&0");
        let mut shell = Command::new("sh");
        shell.args(["-c", &open]).current_dir(fixture.workdir.dir()).stderr(Stdio::null());
        assert!(shell.status().unwrap().success(), "{command}");
    }
}
