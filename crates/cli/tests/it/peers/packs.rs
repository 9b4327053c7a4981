//! Packed shards, read by the programs that read tar.
//!
//! Owns: fetching into shards (`fetching`), sealing trees into them (`sealing`), runs that end early (`ends`),
//! shards in buckets (`buckets`), those of fleets (`fleets`).
//! Does not own: the bytes of a shard (`pack/src/layout`), refusals' golden files.

mod buckets;
mod ends;
mod fetching;
mod fleets;
mod sealing;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use haul_testkit::{files_below, peer};
use serde_json::Value;

/// The engines that pack.
const ENGINES: [&str; 4] = ["serial", "threads=4", "uring=1x4", "uring=2x2"];

/// The shards in `directory`, in the order of their names.
pub(crate) fn shards(directory: &Path) -> Vec<PathBuf> {
    let mut shards: Vec<_> =
        files_below(directory).unwrap_or_default().into_iter().map(|name| directory.join(name)).collect();
    shards.sort();
    shards
}

/// Unpacks plain shards with GNU tar, in the order of their names.
fn unpack(shards: &[PathBuf], into: &Path) {
    std::fs::create_dir_all(into).unwrap();
    for shard in shards {
        let status = Command::new("tar").arg("xpf").arg(shard).arg("-C").arg(into).status().unwrap();
        assert!(status.success(), "tar reads {shard:?}");
    }
}

/// All files below `directory` with their contents.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |name: PathBuf| (name.clone(), std::fs::read(directory.join(name)).unwrap());
    files_below(directory).unwrap().into_iter().map(read).collect()
}

/// The lines of a plain shard's index, as docs/packs.md tells to read them.
pub(crate) fn index(shard: &Path) -> Vec<Value> {
    let bytes = std::fs::read(shard).unwrap();
    let trailer = String::from_utf8_lossy(&bytes[bytes.len() - 512..]).into_owned();
    let field = |name: &str| -> usize {
        let (_, rest) = trailer.split_once(&format!(" {name}=")).unwrap();
        rest.split([' ', '\n']).next().unwrap().parse().unwrap()
    };
    let lines = &bytes[field("offset")..][..field("bytes")];
    let lines: Vec<Value> =
        lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(parse).collect();
    assert_eq!(lines.len(), field("members"));
    for line in &lines {
        let number = |name: &str| line[name].as_u64().unwrap() as usize;
        let content = &bytes[number("offset")..][..number("bytes")];
        assert_eq!(line["blake3"], blake3_of(content), "{line}");
    }
    lines
}

fn parse(line: &[u8]) -> Value {
    serde_json::from_slice(line).unwrap()
}

fn blake3_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// The names and contents of a plain shard as Python's tarfile reads it, from a file and from a stream.
fn read_by_python(shard: &Path) -> Option<BTreeMap<String, String>> {
    let python = peer("python3")?;
    let script = "
import hashlib, json, sys, tarfile
def members(archive):
    return {m.name: hashlib.sha256(archive.extractfile(m).read()).hexdigest() for m in archive if m.isfile()}
path = sys.argv[1]
whole = members(tarfile.open(path))
with open(path, 'rb') as file:
    streamed = members(tarfile.open(fileobj=file, mode='r|'))
assert whole == streamed
print(json.dumps(whole))
";
    let output = Command::new(python).args(["-c", script]).arg(shard).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}
