//! The end of a file that arrived in segments: it is published, goes on later, or starts over.
//!
//! Owns: what follows from how its connections ended.
//! Does not own: a single attempt without segments ([`crate::job`]), which failures are tried again ([`crate::retry`]).

use haul_io::Io;

use crate::job::FetchJob;
use crate::landing::Landing;
use crate::segmented::{Notes, Paused, Segmented};
use crate::spans::lock;
use crate::task::{Progress, Wish};
use crate::trace::Trace;
use crate::{Error, Failed, FetchTask, Fetched, Response};

impl FetchJob {
    /// Ends `file`; a failure after which the task starts again says so in the task.
    pub(crate) async fn join(
        &self,
        io: &impl Io,
        task: &FetchTask,
        file: &Segmented,
        succeeded: bool,
    ) -> Result<Fetched, Failed> {
        let mut progress = task.take_progress();
        let notes = std::mem::take(&mut *file.notes());
        let landing = Box::new(file.take_landing());
        let mut times = file.times;
        times.body += notes.elapsed;
        let attempts = progress.attempts;
        let joined = self.end(io, file, (landing, notes, succeeded), &mut progress).await;
        task.put_progress(progress);
        match joined {
            Ok(landed) => {
                let Landed { response, path, hash } = landed;
                Ok(Fetched { response, path, skipped: false, unchanged: false, hash, attempts, times })
            }
            Err(error) => Err(Failed { error, attempts, times }),
        }
    }

    async fn end(
        &self,
        io: &impl Io,
        file: &Segmented,
        (mut landing, notes, succeeded): (Box<Landing>, Notes, bool),
        progress: &mut Progress,
    ) -> Result<Landed, Error> {
        let Notes { changed, fatal, broken, host_pause, elapsed } = notes;
        progress.wish = Wish { host_pause, ..Wish::default() };
        progress.spent += elapsed;
        let response = file.whole.response.clone();
        let missing = lock(&file.spans).missing();
        if !succeeded || fatal.is_some() {
            landing.abandon(io).await;
            // Where there is no error, the engine knows why parts failed.
            return fatal.map_or(Ok(Landed { response, path: None, hash: None }), Err);
        }
        if changed {
            // It is asked for as a whole, once: the task is never divided again.
            landing.start_over(io).await?;
            landing.divides(None);
            progress.landing = Some(landing);
            progress.begins_again = true;
            return Err(Error::UnaskedPart);
        }
        if missing == 0 {
            let path = landing.path();
            let (_, hash) = landing.complete_parts(io, file.whole.total).await?;
            return Ok(Landed { response, path, hash });
        }
        // Without one, nobody came to fetch it: the run is over.
        let error = broken.unwrap_or(Error::Cancelled);
        let trace = Trace { host_pause, ..Trace::default() };
        let Some(rest) = self.rest(io, &file.request, &error, progress, &trace) else {
            landing.abandon(io).await;
            return Err(error);
        };
        self.pause(io, file, landing, progress).await?;
        progress.spent += rest;
        progress.wish.rest = rest;
        progress.begins_again = true;
        Err(error)
    }

    /// Keeps what is there for the next attempt.
    async fn pause(
        &self,
        io: &impl Io,
        file: &Segmented,
        mut landing: Box<Landing>,
        progress: &mut Progress,
    ) -> Result<(), Error> {
        progress.held = self.resting.hold();
        if progress.held.is_none() {
            landing.start_over(io).await?;
            progress.landing = Some(landing);
            return Ok(());
        }
        let (whole, spans) = (file.whole.clone(), file.spans.clone());
        progress.paused = Some(Box::new(Paused { landing: *landing, whole, spans }));
        Ok(())
    }
}

/// What the file came to.
struct Landed {
    response: Response,
    path: Option<std::path::PathBuf>,
    hash: Option<crate::Checksum>,
}
