//! Words of other programs: the commands and options of curl, wget, aria2, age and gpg that people type here.
//!
//! Owns: what each of them is called in haul, or why it isn't needed.
//! Does not own: the grammar, printing.

/// What a word means that is no command.
pub(crate) fn command(word: &str) -> Option<String> {
    let hint = match word.to_ascii_lowercase().as_str() {
        "encrypt" | "enc" | "lock" => "\"haul seal\" encrypts",
        "decrypt" | "dec" | "unlock" | "unseal" => "\"haul open\" decrypts",
        "download" | "fetch" | "curl" | "wget" | "aria2c" => "\"haul get\" fetches URLs",
        "sync" | "mirror" => "\"haul get --sync\" fetches what changed",
        "version" => "\"haul --version\" prints the version",
        "keys" | "key" | "age-keygen" | "genkey" | "generate" => "\"haul keygen\" makes an identity",
        "check" | "test" => "\"haul verify\" authenticates sealed files",
        "settings" | "configure" => "\"haul config\" shows the defaults in force",
        "info" | "show" | "list" | "ls" => "\"haul inspect\" shows what sealed files reveal",
        "extract" | "print" => "\"haul cat\" writes plaintext to stdout",
        "completion" => "\"haul completions SHELL\" prints completions",
        _ if is_url(word) => return Some(format!("\"haul get {word}\" fetches it")),
        _ => return None,
    };
    Some(hint.to_owned())
}

fn is_url(word: &str) -> bool {
    word.split_once("://").is_some_and(|(scheme, rest)| {
        !rest.is_empty() && !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// What an option means that `command` doesn't have. A bundle of short options is looked up by its first.
pub(crate) fn option(command: Option<&str>, option: &str) -> Option<&'static str> {
    let name = option.split('=').next().unwrap_or(option);
    match command {
        Some("get") => fetching(name),
        Some("seal" | "open" | "verify" | "cat") => sealing(name),
        _ => None,
    }
}

/// The options of curl, wget and aria2.
fn fetching(name: &str) -> Option<&'static str> {
    Some(match name {
        "-O" | "--remote-name" | "--remote-name-all" | "--output-document" => {
            "files are named after their URLs anyway; -o FILE names one, -o - writes to stdout"
        }
        "-L" | "--location" => "redirects are followed anyway (--max-redirects)",
        "-s" | "--silent" | "-nv" | "--no-verbose" => "-q prints less",
        "-S" | "--show-error" | "-f" | "--fail" => {
            "failures are reported anyway, and an HTTP status from 400 is one"
        }
        "-k" | "--no-check-certificate" | "--check-certificate" => "--insecure accepts any certificate",
        "-x" | "--all-proxy" | "--http-proxy" | "--https-proxy" => "--proxy names the proxy",
        "-P" | "--directory-prefix" | "--output-dir" => "-d names the directory",
        "-I" | "--head" | "--spider" => "-X HEAD sends HEAD requests",
        "-C" | "--continue-at" => "-c resumes what an earlier run began",
        "-Z" | "--parallel" | "--parallel-max" | "--max-concurrent-downloads" => {
            "transfers run in parallel anyway; -j sets how many"
        }
        "--split" | "--max-connection-per-server" => "--segments N fetches a large file over N connections",
        "-t" | "--tries" | "--max-tries" | "--retry" => "--retries sets how often a transfer is tried again",
        "-m" | "--timeout" | "-T" => "--max-time limits a transfer, --read-timeout the time without data",
        "--max-file-size" | "--max-filesize" => "--max-size limits the length of a body",
        "-b" | "--cookie" | "--load-cookies" | "--save-cookies" => "--cookie-jar reads and writes cookies",
        "-n" => "--netrc reads logins from ~/.netrc",
        "-J" | "--content-disposition" | "--remote-header-name" => {
            "--name disposition takes the names that servers propose"
        }
        "-N" | "--timestamping" | "--conditional-get" => "--sync fetches only what changed",
        "--config" | "-K" | "--conf-path" => {
            "~/.config/haul/config.toml holds defaults (haul help configuration)"
        }
        "--input-file" => "-i names the list",
        "-w" | "--write-out" => "--json prints a line with all facts about each transfer",
        "--data-binary" | "--data-raw" | "--post-data" | "--post-file" | "--json-data" => {
            "--data sends a body: text, or @FILE"
        }
        "-F" | "--form" => "forms with several parts are not made; --data @FILE sends a prepared body",
        "-r" | "--recursive" | "--mirror" | "--page-requisites" => {
            "pages are not searched for links: give a list with -i"
        }
        "-G" | "--get" => "write the query into the URL",
        "--max-download-limit" | "--max-overall-download-limit" => "--limit-rate sets the bytes per second",
        "--referer" => "-H 'Referer: URL' sets the field",
        "--capath" | "--ca-certificate" => "--cacert names a file with certificate authorities",
        "--http1.1" | "--http2" | "--http3" | "--http1.0" => "haul speaks HTTP/1.1",
        _ => return None,
    })
}

/// The options of age and gpg.
fn sealing(name: &str) -> Option<&'static str> {
    Some(match name {
        "-d" | "--decrypt" => "\"haul open\" decrypts",
        "--encrypt" | "-E" => "\"haul seal\" encrypts",
        "-c" | "--symmetric" => "-p seals with a passphrase",
        "--passphrase-file" | "--password" | "-k" => {
            "HAUL_PASSPHRASE_FILE names a file with the passphrase, --passphrase-fd a descriptor"
        }
        "--default-recipient" | "--options" => {
            "~/.config/haul/config.toml holds defaults (haul help configuration)"
        }
        "-u" | "--local-user" => "-r names a recipient, -i an identity",
        "-O" | "--out" | "--outfile" => "-o names the result",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_other_programs_are_known() {
        assert_eq!(command("encrypt").as_deref(), Some("\"haul seal\" encrypts"));
        assert_eq!(command("http://h/f").as_deref(), Some("\"haul get http://h/f\" fetches it"));
        for word in ["frobnicate", "://", "a b://c"] {
            assert_eq!(command(word), None, "{word}");
        }
    }

    #[test]
    fn options_are_known_where_they_are_missed() {
        assert!(option(Some("get"), "-L").is_some());
        assert!(option(Some("get"), "--output-document=x").is_some());
        assert_eq!(option(Some("seal"), "-L"), None);
        assert_eq!(option(Some("inspect"), "-d"), None);
    }
}
