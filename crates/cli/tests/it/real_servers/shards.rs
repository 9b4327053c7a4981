//! The parts of a list on several machines: their completion markers, and the job files of docs/batch-schedulers.md.
//!
//! Owns: these checks; the shell of a job file runs with the variables that its scheduler sets.
//! Does not own: schedulers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use haul_testkit::{Answer, FakeStore, Haul, Server, peer, skip};

const MARKER: &str = "part-1-of-2.haul-shard";

/// A directory with the list `urls.txt`, and the server of its 24 URLs.
struct Site {
    dir: tempfile::TempDir,
    server: Server,
    haul: Haul,
}

impl Site {
    fn new(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(move |request| answer(request.path()));
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
        let site = Self { dir, server, haul };
        let urls: String = (0..24).map(|number| site.server.url(&format!("/{number}")) + "\n").collect();
        fs::write(site.path("urls.txt"), urls).unwrap();
        site
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// Fetches the first part. Returns the status, what was printed, and how many requests that took.
    fn part(&self, more: &[&str]) -> (i32, String, usize) {
        let before = self.server.requests().len();
        let run = self.haul.run([&["get", "-i", "urls.txt", "-d", "got", "--shard", "1/2"], more].concat());
        (run.status, run.stderr_text(), self.server.requests().len() - before)
    }
}

fn echo(path: &str) -> Answer {
    Answer::ok(path.to_owned())
}

#[test]
fn a_part_that_is_complete_is_not_fetched_again() {
    let site = Site::new(echo);
    let (status, _, count) = site.part(&[]);
    assert!(status == 0 && (5..20).contains(&count), "{count} requests");
    let marker: serde_json::Value =
        serde_json::from_slice(&fs::read(site.path("got").join(MARKER)).unwrap()).unwrap();
    assert_eq!((&marker["shard"], &marker["shards"], &marker["urls"]), (&1.into(), &2.into(), &count.into()));
    if let Ok(sum) = Command::new("sha256sum").arg(site.path("urls.txt")).output() {
        let sum = String::from_utf8(sum.stdout).unwrap();
        assert_eq!(marker["list_sha256"].as_str(), sum.split_whitespace().next());
    }

    let (status, said, count) = site.part(&[]);
    assert_eq!((status, count), (0, 0), "{said}");
    assert!(said.contains("part 1 of 2 of this list is complete") && said.contains("--force"), "{said}");
    let (status, said, count) = site.part(&["--dry-run"]);
    assert!(status == 0 && count == 0 && said.contains("is complete"), "{said}");
    let json = site.haul.run(["get", "--json", "-i", "urls.txt", "-d", "got", "--shard", "1/2"]);
    assert!(json.expect_status(0).stdout_text().contains("\"event\":\"report\""));

    // The other part, and another number of parts, have markers of their own.
    site.haul.run(["get", "-i", "urls.txt", "-d", "got", "--shard", "2/2"]).expect_status(0);
    let thirds = site.haul.run(["get", "-c", "-i", "urls.txt", "-d", "got", "--shard", "1/3"]);
    assert!(!thirds.expect_status(0).stderr_text().contains("complete,"));
    assert!(
        site.path("got/part-2-of-2.haul-shard").exists() && site.path("got/part-1-of-3.haul-shard").exists()
    );
    // To replace is to fetch.
    let (status, _, count) = site.part(&["--force"]);
    assert!(status == 0 && count > 0);
}

/// Who suspects a list, and has the marker of its sealed results, finds its digest in no table.
#[test]
fn the_marker_of_a_sealed_part_has_salted_digests() {
    let site = Site::new(echo);
    let recipient = site.haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    let marker = || fs::read_to_string(site.path("got").join(MARKER)).unwrap();
    let part = |more: &[&str]| site.part(&[&["-c", "-r", recipient.trim()], more].concat());
    part(&[]);
    let first = marker();
    let sum = Command::new("sha256sum").arg(site.path("urls.txt")).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    assert!(!first.contains(sum.split_whitespace().next().unwrap()), "{first}");
    assert_eq!(part(&[]).2, 0, "it counts");
    assert!(part(&["--name", "path"]).1.contains("other options"));
    part(&[]);
    let second = marker();
    let digests = |text: &str| -> Vec<String> {
        let marker: serde_json::Value = serde_json::from_str(text).unwrap();
        ["list_sha256", "options_sha256"].map(|name| marker[name].as_str().unwrap().to_owned()).into()
    };
    assert!(digests(&first).iter().zip(&digests(&second)).all(|(first, second)| first != second));
}

#[test]
fn a_marker_of_another_list_or_other_options_does_not_count() {
    let site = Site::new(echo);
    site.part(&[]);
    let marker = site.path("got").join(MARKER);
    let first = fs::read(&marker).unwrap();

    let (status, said, count) = site.part(&["-c", "--name", "path"]);
    assert!(status == 0 && count > 0 && said.contains("other options"), "{said}");
    let mut urls = fs::read_to_string(site.path("urls.txt")).unwrap();
    urls += &(site.server.url("/24") + "\n" + &site.server.url("/25") + "\n");
    fs::write(site.path("urls.txt"), urls).unwrap();
    let (status, said, _) = site.part(&["-c"]);
    assert!(status == 0 && said.contains("another list"), "{said}");
    assert_ne!(fs::read(&marker).unwrap(), first, "it was replaced");
    assert_eq!(site.part(&["-c"]).2, 0);

    for damaged in [&b""[..], b"{}", b"\xff", &[b' '; 10_000]] {
        fs::write(&marker, damaged).unwrap();
        let (status, said, count) = site.part(&["-c"]);
        assert!(status == 0 && count > 0 && said.contains("isn't understood"), "{said}");
    }
    // A link that somebody placed is not followed, and replaced by the marker.
    fs::rename(&marker, site.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(site.path("elsewhere"), &marker).unwrap();
    let (status, said, count) = site.part(&["-c"]);
    assert!(status == 0 && count > 0 && said.contains("cannot read the marker"), "{said}");
    assert!(fs::symlink_metadata(&marker).unwrap().is_file());
    // Nor is one believed that others may have written.
    let refused = |site: &Site, reason: &str| {
        let (status, said, count) = site.part(&["-c"]);
        assert!(status == 0 && count > 0 && said.contains(reason), "{said}");
        assert_eq!(site.part(&["-c"]).2, 0, "a marker of this run took its place");
    };
    fs::set_permissions(&marker, fs::Permissions::from_mode(0o664)).unwrap();
    refused(&site, "another user may have written it");
    fs::hard_link(&marker, site.path("second-name")).unwrap();
    refused(&site, "it has a second name");
}

#[test]
fn a_part_with_a_failure_or_an_interruption_has_no_marker() {
    let site = Site::new(|path| if path == "/missing" { Answer::new(404) } else { echo(path) });
    let urls = fs::read_to_string(site.path("urls.txt")).unwrap();
    // One more in each part.
    let missing: String =
        (0..8).map(|number| site.server.url(&format!("/missing?{number}")) + "\n").collect();
    fs::write(site.path("urls.txt"), urls.clone() + &missing).unwrap();
    for _ in 0..2 {
        let (status, _, count) = site.part(&["-c"]);
        assert!(status == 1 && count > 0);
        assert!(!site.path("got").join(MARKER).exists());
    }
    fs::write(site.path("urls.txt"), urls).unwrap();
    assert_eq!(site.part(&["-c"]).0, 0);
    assert!(site.path("got").join(MARKER).exists());
    // Neither has a list that can't be compared.
    let list = fs::read(site.path("urls.txt")).unwrap();
    let piped = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(site.dir.path()).stdin(list);
    piped.run(["get", "-c", "-i", "-", "-d", "piped", "--shard", "1/2"]).expect_status(0);
    assert!(!site.path("piped").join(MARKER).exists());
}

#[test]
fn a_server_or_a_list_can_not_make_a_marker() {
    let site = Site::new(echo);
    let (url, other) = (site.server.url(&format!("/x/{MARKER}")), site.server.url("/y"));
    let line = format!("{url}\n{{\"url\": \"{other}\", \"out\": \"PART-2-of-2.haul-shard\"}}\n");
    fs::write(site.path("urls.txt"), line).unwrap();
    site.haul.run(["get", "-i", "urls.txt", "-d", "got"]).expect_status(0);
    let mut names: Vec<_> =
        fs::read_dir(site.path("got")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["PART-2-of-2.haul-shard_", "part-1-of-2.haul-shard_"]);
}

#[test]
fn a_part_in_a_bucket_has_its_marker_there() {
    let (site, store) = (Site::new(echo), FakeStore::default());
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul"))
        .dir(site.dir.path())
        .env("AWS_ENDPOINT_URL", store.server.url(""))
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    let args = ["get", "-i", "urls.txt", "-d", "s3://bucket/files", "--shard", "1/2"];
    haul.run(args).expect_status(0);
    let key = format!("files/{MARKER}");
    assert!(store.state().objects.contains_key(&key), "{:?}", store.state().objects.keys());
    let before = site.server.requests().len();
    let said = haul.run(args).expect_status(0).stderr_text();
    assert!(said.contains("part 1 of 2 of this list is complete"), "{said}");
    assert_eq!(site.server.requests().len(), before);
    // An object that was there is a failure: no marker.
    store.state().objects.remove(&key);
    haul.run(args).expect_status(1);
    assert!(!store.state().objects.contains_key(&key));
}

/// The first block of this kind in the guide.
fn block(kind: &str) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/batch-schedulers.md");
    let text = fs::read_to_string(guide).unwrap();
    let (_, after) = text.split_once(&format!("```{kind}\n")).unwrap();
    after.split_once("\n```").unwrap().0.to_owned()
}

/// Runs `program` in the site's directory, with the program under test in its path.
fn in_job(site: &Site, program: &mut Command, variables: &[(&str, &str)]) -> std::process::Output {
    let folder = Path::new(env!("CARGO_BIN_EXE_haul")).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let program = program.env_clear().env("PATH", path).env("HOME", site.dir.path());
    program.envs(variables.iter().copied()).current_dir(site.dir.path()).output().unwrap()
}

#[test]
fn the_job_file_for_slurm_fetches_all_parts() {
    let site = Site::new(echo);
    let script = block("sh");
    assert!(script.contains("#SBATCH --array=0-15\n"), "{script}");
    fs::write(site.path("job.sh"), script).unwrap();
    let here = site.dir.path().to_str().unwrap();
    let run_all = || {
        for id in 0..16 {
            let variables = [
                ("SLURM_ARRAY_TASK_ID", &*id.to_string()),
                ("SLURM_ARRAY_TASK_MIN", "0"),
                ("SLURM_ARRAY_TASK_MAX", "15"),
                ("SLURM_ARRAY_TASK_STEP", "1"),
                ("SLURM_ARRAY_TASK_COUNT", "16"),
                ("SLURM_SUBMIT_DIR", here),
            ];
            let output = in_job(&site, Command::new("bash").arg("job.sh"), &variables);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    };
    run_all();
    assert!((0..24).all(|number| site.path(&format!("results/{number}")).exists()));
    assert!((1..=16).all(|part| site.path(&format!("results/part-{part}-of-16.haul-shard")).exists()));
    let before = site.server.requests().len();
    run_all();
    assert_eq!(site.server.requests().len(), before, "an array that is submitted again");
}

#[test]
fn the_job_file_for_kubernetes_fetches_all_parts() {
    let (site, store) = (Site::new(echo), FakeStore::default());
    let Some(python) = peer("python3") else { return };
    let yaml = block("yaml");
    fs::write(site.path("job.yaml"), &yaml).unwrap();
    let to_json = "import json,sys,yaml; print(json.dumps(yaml.safe_load(open('job.yaml'))))";
    let parsed = Command::new(python).args(["-c", to_json]).current_dir(site.dir.path()).output().unwrap();
    if !parsed.status.success() {
        return skip("no Python module yaml here");
    }
    let job: serde_json::Value = serde_json::from_slice(&parsed.stdout).unwrap();
    assert_eq!((&job["kind"], &job["spec"]["completionMode"]), (&"Job".into(), &"Indexed".into()));
    let count = job["spec"]["completions"].as_u64().unwrap();
    let command = job["spec"]["template"]["spec"]["containers"][0]["command"].as_array().unwrap();
    let words: Vec<&str> = command.iter().map(|word| word.as_str().unwrap()).collect();
    assert!(words.contains(&&*format!("auto/{count}")), "{words:?}");
    let list = site.path("urls.txt");
    let words: Vec<_> = words
        .iter()
        .map(|word| if *word == "/list/urls.txt" { list.to_str().unwrap() } else { *word })
        .collect();
    for index in 0..count {
        let variables = [
            ("JOB_COMPLETION_INDEX", &*index.to_string()),
            ("AWS_ENDPOINT_URL", &*store.server.url("")),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        let output = in_job(&site, Command::new(words[0]).args(&words[1..]), &variables);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let state = store.state();
    assert!((0..24).all(|number| state.objects.contains_key(&format!("results/{number}"))));
    assert!(
        (1..=count).all(|part| state.objects.contains_key(&format!("results/part-{part}-of-16.haul-shard")))
    );
}
