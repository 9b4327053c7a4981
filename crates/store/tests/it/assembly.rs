//! Objects whose parts come in any order, from several threads.

use haul_store::{Error, WriterOptions};
use haul_testkit::seeded_bytes;

use crate::fake::{Fake, object};

const PART: usize = 5 << 20;

fn options() -> WriterOptions {
    WriterOptions { modified: Some(1_700_000_000), content_bytes: Some(5), ..WriterOptions::default() }
}

#[test]
fn parts_make_an_object_in_any_order() {
    let fake = Fake::new();
    let bytes = seeded_bytes(1, 3 * PART + 7);
    let store = fake.store();
    let assembly = store.assembly(&object("k"), options());
    let parts: Vec<_> = (1..).zip(bytes.chunks(PART)).collect();
    std::thread::scope(|scope| {
        for (number, part) in parts.into_iter().rev() {
            let assembly = &assembly;
            scope.spawn(move || assembly.send(number, part.to_vec()).unwrap());
        }
    });
    let published = assembly.publish().unwrap();
    assert!(fake.state().objects["k"].bytes == bytes && fake.state().uploads.is_empty());
    assert_eq!(published.bytes, bytes.len() as u64);
    assert_eq!(fake.count("POST", "uploads="), 1, "it began once");
    assembly.abort().unwrap();
    assert_eq!(fake.count("DELETE", ""), 0, "what was published isn't aborted");
    // The checksum of the whole is the one that its bytes have.
    let at_once = store.assembly(&object("l"), options()).publish_at_once(bytes).unwrap();
    assert_eq!(at_once.checksum, published.checksum);
    for key in ["k", "l"] {
        let stat = store.stat(&object(key)).unwrap().unwrap();
        assert_eq!((stat.modified, stat.content_bytes), (Some(1_700_000_000), Some(5)));
    }
}

#[test]
fn an_object_with_a_gap_is_not_published() {
    let fake = Fake::new();
    let store = fake.store();
    let assembly = store.assembly(&object("k"), options());
    for number in [1, 3] {
        assembly.send(number, vec![0; PART]).unwrap();
    }
    assert!(matches!(assembly.publish(), Err(Error::Local(_))));
    assert!(matches!(assembly.send(10_001, vec![0]), Err(Error::TooManyParts)));
    assembly.abort().unwrap();
    assert!(fake.state().objects.is_empty() && fake.state().uploads.is_empty());
    assert!(matches!(store.assembly(&object("k"), options()).publish(), Err(Error::Local(_))));
}

#[test]
fn an_object_that_is_sent_at_once_is_looked_for_unless_the_condition_is_enough() {
    for (looks_first, heads) in [(true, 1), (false, 0)] {
        let fake = Fake::new();
        fake.state().put("k", b"old");
        let options = WriterOptions { looks_first, ..WriterOptions::default() };
        let refused = fake.store().assembly(&object("k"), options).publish_at_once(b"new".to_vec());
        assert!(matches!(refused, Err(Error::Exists)));
        assert_eq!(fake.state().objects["k"].bytes, b"old");
        let looked = fake.server.requests().iter().position(|request| request.method == "HEAD");
        assert_eq!(usize::from(looked == Some(0)), heads);
    }
}
