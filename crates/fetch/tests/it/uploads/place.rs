//! A place in memory for uploads, which checks what it is asked.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use haul_fetch::{Destination, FetchTask, Upload, UploadAbout, UploadName, Uploaded, Uploader};
use haul_testkit::Gate;

pub(crate) const PART: usize = 256 << 10;

/// A place in memory. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Place(Arc<Inner>);

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) state: Mutex<State>,
    /// The number of the part that can't be sent.
    pub(crate) fails_at: Option<u32>,
    /// What a request announces itself to, and waits for.
    pub(crate) gate: Option<(Sender<()>, Gate)>,
    /// As `gate`, for the request that publishes a short result.
    pub(crate) publish_gate: Option<(Sender<()>, Gate)>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<String, (Vec<u8>, UploadAbout)>,
    /// Uploads with parts that were neither published nor abandoned.
    open: usize,
    pub(crate) parts: usize,
    under_way: usize,
    /// A request was still under way when its upload was abandoned.
    is_torn: bool,
}

struct OneUpload {
    place: Place,
    name: String,
    about: UploadAbout,
    parts: Mutex<Option<BTreeMap<u32, Vec<u8>>>>,
    under_way: AtomicUsize,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Place")
    }
}

impl Place {
    pub(crate) fn of(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    pub(crate) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    pub(crate) fn task(&self, url: &str, name: &str) -> FetchTask {
        let uploader: Arc<dyn Uploader> = Arc::new(self.clone());
        let to = UploadName { uploader, name: name.to_owned(), replace: false };
        FetchTask::new(url, Destination::Upload(Box::new(to)))
    }

    pub(crate) fn object(&self, name: &str) -> Vec<u8> {
        self.state().objects[name].0.clone()
    }

    pub(crate) fn is_clean(&self) -> bool {
        let state = self.state();
        state.open == 0 && state.under_way == 0 && !state.is_torn
    }
}

impl Uploader for Place {
    fn part_bytes(&self, _: Option<u64>) -> u64 {
        PART as u64
    }

    fn begin(&self, name: &str, about: UploadAbout) -> io::Result<Arc<dyn Upload>> {
        let (place, name) = (self.clone(), name.to_owned());
        Ok(Arc::new(OneUpload {
            place,
            name,
            about,
            parts: Mutex::default(),
            under_way: AtomicUsize::new(0),
        }))
    }

    fn look(&self, name: &str) -> io::Result<Option<Uploaded>> {
        let state = self.state();
        Ok(state.objects.get(name).map(|(bytes, about)| Uploaded {
            bytes: bytes.len() as u64,
            content_bytes: about.content_bytes,
            modified: about.modified,
        }))
    }
}

impl OneUpload {
    fn store(&self, bytes: Vec<u8>) -> io::Result<()> {
        let mut state = self.place.state();
        if state.objects.contains_key(&self.name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.objects.insert(self.name.clone(), (bytes, self.about));
        Ok(())
    }
}

impl Upload for OneUpload {
    fn send(&self, number: u32, bytes: Vec<u8>) -> io::Result<()> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        self.place.state().under_way += 1;
        if let Some((reached, gate)) = &self.place.0.gate {
            let _ = reached.send(());
            gate.wait_open();
        }
        let sent = if self.place.0.fails_at == Some(number) {
            Err(io::Error::other("the part is refused"))
        } else {
            let mut parts = self.parts.lock().unwrap();
            if parts.is_none() {
                self.place.state().open += 1;
            }
            let before = parts.get_or_insert_default().insert(number, bytes);
            assert!(before.is_none(), "part {number} is sent twice");
            self.place.state().parts += 1;
            Ok(())
        };
        self.place.state().under_way -= 1;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        sent
    }

    fn publish(&self) -> io::Result<()> {
        let parts = self.parts.lock().unwrap().take().unwrap();
        self.place.state().open -= 1;
        let (numbers, parts): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>());
        let (_, before) = parts.split_last().unwrap();
        assert!(before.iter().all(|part| part.len() >= PART), "only the last part may be short");
        self.store(parts.concat())
    }

    fn publish_at_once(&self, bytes: Vec<u8>) -> io::Result<()> {
        if let Some((begun, gate)) = &self.place.0.publish_gate {
            let _ = begun.send(());
            gate.wait_open();
        }
        assert!(self.parts.lock().unwrap().is_none());
        self.store(bytes)
    }

    fn abandon(&self) {
        let mut state = self.place.state();
        state.is_torn |= self.under_way.load(Ordering::SeqCst) > 0;
        if self.parts.lock().unwrap().take().is_some() {
            state.open -= 1;
        }
    }
}
