//! The page of `haul bench --html`, looked at in Chromium without a window: nothing leaves the page or overlaps, and
//! everything has contrast, at the widths of a telephone, a tablet and a screen, light and dark.

use std::path::Path;
use std::process::Command;

use haul_testkit::peer;
use serde_json::Value;

use crate::workdir::Workdir;

const WIDTHS: [u64; 3] = [390, 1024, 1600];

#[test]
fn the_page_fits_every_screen_light_and_dark() {
    let Some(chromium) = peer("chromium") else { return };
    let workdir = Workdir::new();
    let engines = "serial,threads=2,processes=2,uring=1x256";
    for (name, args) in [
        (
            "get.html",
            &["bench", "get", "--delay", "1", "--files", "8", "--rounds", "2", "--engines", engines][..],
        ),
        ("queue.html", &["bench", "queue", "--rounds", "1"]),
    ] {
        workdir.run(&[args, &["--html", name]].concat()).expect_status(0);
        let page = String::from_utf8(workdir.read(name)).unwrap();
        // Frames, because a window has a least width.
        let frames = WIDTHS.map(|width| {
            let source = page.replace('&', "&amp;").replace('"', "&quot;");
            format!("<iframe width={width} height=900 style=\"border:0\" srcdoc=\"{source}\"></iframe>")
        });
        let (frames, script) = (frames.concat(), include_str!("bench_page/look.js"));
        workdir.write("look.html", format!("<!DOCTYPE html><body>{frames}<script>{script}</script>"));
        for is_dark in [false, true] {
            let seen = look(&chromium, &workdir, is_dark);
            let seen = seen.as_array().unwrap();
            assert_eq!(seen.len(), WIDTHS.len());
            for (frame, width) in seen.iter().zip(WIDTHS) {
                assert_eq!(frame["wrong"], Value::Array(Vec::new()), "{name}, dark: {is_dark}: {frame}");
                assert_eq!((&frame["width"], &frame["dark"]), (&width.into(), &is_dark.into()), "{frame}");
                assert!(frame["texts"].as_u64() > Some(20) && frame["plots"].as_u64() > Some(0), "{frame}");
            }
            assert_eq!(seen[0]["back"] == "rgb(255, 255, 255)", !is_dark, "{seen:?}");
        }
    }
}

/// What the script found in the frames.
fn look(chromium: &Path, workdir: &Workdir, is_dark: bool) -> Value {
    let mut command = Command::new(chromium);
    // Root gets no sandbox, and the page is ours.
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--dump-dom",
    ]);
    command.arg(format!("--user-data-dir={}", workdir.path("profile").display()));
    command.arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!is_dark)));
    let url = format!("file://{}", workdir.path("look.html").display());
    let output = command.arg(url).env("HOME", workdir.dir()).output().unwrap();
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = String::from_utf8_lossy(&output.stderr);
    let result = dom.split_once("<pre id=\"result\">").and_then(|(_, rest)| rest.split_once('<'));
    let (result, _) = result.unwrap_or_else(|| panic!("no result: {messages}\n{dom:.2000}"));
    serde_json::from_str(&decoded(result)).unwrap()
}

/// Undoes `encodeURIComponent`.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(part[2..].bytes());
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_page_that_cannot_be_written_is_known_before_the_figures() {
    let workdir = Workdir::new();
    let run = workdir.run(&["bench", "get", "--files", "1", "--rounds", "1", "--html", "no/page.html"]);
    let run = run.expect_status(1);
    assert!(run.stderr_text().contains("cannot write \"no/page.html\""), "{}", run.stderr_text());
    assert!(run.stdout_text().is_empty());
}

#[test]
fn the_page_names_what_is_needed_to_repeat_it() {
    let workdir = Workdir::new();
    workdir.write("page.html", "what was there before, and is longer than nothing");
    let args = ["bench", "seal", "--files", "30", "--rounds", "3", "--engines", "serial,threads=2"];
    workdir.run(&[&args[..], &["--html", "page.html"]].concat()).expect_status(0);
    let page = String::from_utf8(workdir.read("page.html")).unwrap();
    for part in [
        "haul</span> <span>bench</span> <span>seal</span> <span>--files</span> <span>30</span>",
        "<span>--html</span> <span>page.html</span></code>",
        "<dt>Machine</dt><dd>",
        "<dt>Date</dt><dd>20",
        env!("CARGO_PKG_VERSION"),
        "wall time in ms; less is better",
        "Bars are medians of 3 rounds",
        "Bottleneck: <strong>",
        "<td>threads=2</td>",
        "<td>1.00</td>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
}
