//! The files that a run of `haul get` uses itself: it reads or writes them, so that no result may take their places.
//!
//! Owns: which files these are, the names that results would have there.
//! Does not own: reading and writing them, refusing the results ([`haul_fetch::FetchJob::reserving`]).

use std::path::{Path, PathBuf};

use super::OutputPlan;
use crate::args::GetArgs;
use crate::get::requests::RequestPlan;
use crate::keys::passphrase;
use crate::run::environment::Environment;

/// The paths of these files, as the user wrote them.
#[derive(Debug, Default)]
pub(in crate::get) struct OwnFiles(Vec<PathBuf>);

impl OwnFiles {
    pub(in crate::get) fn of(args: &GetArgs, requests: &RequestPlan, environment: &Environment) -> Self {
        let (sealing, network) = (&args.sealing, &args.network);
        let single = [
            &args.input,
            &args.failures,
            &args.checksums,
            &args.cacert,
            &args.common.trace,
            &args.requests.cookie_jar,
            &network.cert,
            &network.key,
        ];
        let several = sealing.recipients_file.iter().chain(&sealing.identity);
        let named = single.into_iter().flatten().chain(several).map(PathBuf::as_path);
        let passphrase = environment.variable(passphrase::FILE_VARIABLE).map(Path::new);
        Self(named.chain(requests.files()).chain(passphrase).map(Path::to_owned).collect())
    }

    /// The names of results that would be these files: beneath the directory `dir`, or that of `output`.
    pub(in crate::get) fn names(&self, output: &OutputPlan, dir: &Path) -> Vec<PathBuf> {
        let mut files = self.0.iter().flat_map(|file| places(file));
        match output {
            OutputPlan::Stdout => Vec::new(),
            OutputPlan::File(path) => {
                let is_own = place(path).is_some_and(|result| files.any(|file| file == result));
                is_own.then(|| path.clone()).into_iter().collect()
            }
            OutputPlan::Directory => {
                let Ok(root) = dir.canonicalize() else { return Vec::new() };
                files.filter_map(|file| Some(dir.join(file.strip_prefix(&root).ok()?))).collect()
            }
        }
    }
}

/// Where the file `path` lies: its name, and the file that a link of this name leads to.
fn places(path: &Path) -> impl Iterator<Item = PathBuf> {
    place(path).into_iter().chain(path.canonicalize())
}

/// `path` beneath the real path of its directory, if that exists.
fn place(path: &Path) -> Option<PathBuf> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(directory.canonicalize().ok()?.join(path.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_run_have_the_names_that_results_would_have() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("out/deep")).unwrap();
        std::os::unix::fs::symlink(path("out"), path("link")).unwrap();
        std::fs::write(path("out/target"), "").unwrap();
        std::os::unix::fs::symlink("out/target", path("to-target")).unwrap();
        let own =
            ["out/list", "link/jar", "out/deep/../failed", "out/deep/log", "other", "missing/x", "to-target"];
        let own = OwnFiles(own.map(path).into());
        let expected = ["list", "jar", "failed", "deep/log", "target"].map(|name| path("out/./").join(name));
        assert_eq!(own.names(&OutputPlan::Directory, &path("out/./")), expected);
        assert!(own.names(&OutputPlan::Directory, &path("nowhere")).is_empty());
        for (output, is_own) in [("out/../other", true), ("link/list", true), ("out/other", false)] {
            let names = own.names(&OutputPlan::File(path(output)), Path::new("."));
            assert_eq!(names == [path(output)], is_own, "{output}");
        }
    }
}
