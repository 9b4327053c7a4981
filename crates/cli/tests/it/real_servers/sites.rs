//! The file servers: a small configuration for each, with TLS, compression and folder indexes.
//!
//! Owns: the configurations.
//! Does not own: the checks ([`crate::real_servers::checks`]).

use std::path::Path;
use std::process::Command;

use haul_testkit::is_root;

use crate::real_servers::daemon::Setting;
use crate::real_servers::site::{Kind, root};

pub(crate) fn nginx() -> Kind {
    Kind { program: "nginx", modules: &[], command: nginx_command, counts_in_416: true }
}

pub(crate) fn apache() -> Kind {
    Kind {
        program: "apache2",
        modules: &["/usr/lib/apache2/modules/mod_ssl.so"],
        command: apache_command,
        counts_in_416: false,
    }
}

pub(crate) fn caddy() -> Kind {
    Kind { program: "caddy", modules: &[], command: caddy_command, counts_in_416: true }
}

pub(crate) fn lighttpd() -> Kind {
    Kind {
        program: "lighttpd",
        modules: &["/usr/lib/lighttpd/mod_deflate.so", "/usr/lib/lighttpd/mod_openssl.so"],
        command: lighttpd_command,
        counts_in_416: false,
    }
}

pub(crate) fn h2o() -> Kind {
    Kind { program: "h2o", modules: &[], command: h2o_command, counts_in_416: true }
}

fn nginx_command(program: &Path, setting: &Setting) -> Command {
    let (at, root) = (setting.folder().display(), root(setting));
    // Started by root, it would otherwise switch to a user that the distribution chose.
    let user = if is_root() { "user root;" } else { "" };
    let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {at}/{name};\n"))
        .collect();
    let config = format!(
        "daemon off; master_process off; {user} pid {at}/pid; error_log {at}/errors;
events {{ }}
http {{
access_log off;
{folders}
types {{ text/plain txt; text/html html; }}
gzip on;
gzip_types text/plain;
server {{
    listen {}; listen {} ssl;
    ssl_certificate {at}/certificate.pem; ssl_certificate_key {at}/key.pem;
    root {};
}}
}}
",
        setting.plain,
        setting.secure,
        root.display()
    );
    let config = setting.write("nginx.conf", config);
    let mut command = Command::new(program);
    command.arg("-p").arg(setting.folder()).arg("-e").arg("stderr").arg("-c").arg(config);
    command
}

fn apache_command(program: &Path, setting: &Setting) -> Command {
    let (at, root) = (setting.folder().display(), root(setting));
    // It refuses to run as root.
    let user = if is_root() { "User nobody\nGroup nogroup" } else { "" };
    let modules: String = ["mpm_event", "authz_core", "mime", "dir", "filter", "deflate", "ssl"]
        .iter()
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .collect();
    let config = format!(
        "{modules}
{user}
ServerName localhost
PidFile {at}/pid
ErrorLog {at}/errors
DefaultRuntimeDir {at}
TypesConfig /dev/null
AddType text/plain .txt
AddType text/html .html
AddOutputFilterByType DEFLATE text/plain
Listen {plain}
Listen {secure}
DocumentRoot {root}
<VirtualHost {secure}>
SSLEngine on
SSLCertificateFile {at}/certificate.pem
SSLCertificateKeyFile {at}/key.pem
</VirtualHost>
",
        plain = setting.plain,
        secure = setting.secure,
        root = root.display()
    );
    let config = setting.write("apache.conf", config);
    let mut command = Command::new(program);
    command.arg("-X").arg("-d").arg(setting.folder()).arg("-f").arg(config);
    command
}

fn caddy_command(program: &Path, setting: &Setting) -> Command {
    let (at, root) = (setting.folder().display(), root(setting));
    let site = format!("root * {}\nencode gzip\nfile_server\n", root.display());
    let config = format!(
        "{{
admin off
auto_https off
skip_install_trust
default_sni localhost
}}
http://{plain} {{
{site}
}}
https://{secure}, https://localhost:{secure_port} {{
bind {ip}
tls {at}/certificate.pem {at}/key.pem
{site}
}}
",
        plain = setting.plain,
        secure = setting.secure,
        secure_port = setting.secure.port(),
        ip = setting.secure.ip(),
    );
    let config = setting.write("Caddyfile", config);
    let mut command = Command::new(program);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(config);
    command.env("HOME", setting.folder()).env("XDG_CONFIG_HOME", setting.folder());
    command.env("XDG_DATA_HOME", setting.folder());
    command
}

fn lighttpd_command(program: &Path, setting: &Setting) -> Command {
    let (at, root) = (setting.folder().display(), root(setting));
    let config = format!(
        r#"server.modules = ("mod_openssl", "mod_deflate")
server.bind = "{}"
server.port = {}
server.document-root = "{}"
server.errorlog = "{at}/errors"
index-file.names = ("index.html")
mimetype.assign = (".txt" => "text/plain", ".html" => "text/html", "" => "application/octet-stream")
deflate.mimetypes = ("text/plain")
deflate.allowed-encodings = ("gzip")
$SERVER["socket"] == "{}" {{
    ssl.engine = "enable"
    ssl.pemfile = "{at}/certificate.pem"
    ssl.privkey = "{at}/key.pem"
}}
"#,
        setting.plain.ip(),
        setting.plain.port(),
        root.display(),
        setting.secure
    );
    let config = setting.write("lighttpd.conf", config);
    let mut command = Command::new(program);
    command.arg("-D").arg("-f").arg(config);
    command
}

fn h2o_command(program: &Path, setting: &Setting) -> Command {
    let (at, root) = (setting.folder().display(), root(setting));
    let user = if is_root() { "user: root" } else { "" };
    let config = format!(
        "{user}
num-threads: 1
temp-buffer-path: {at}
compress: [gzip]
listen:
  host: {ip}
  port: {plain}
listen:
  host: {ip}
  port: {secure}
  ssl:
    certificate-file: {at}/certificate.pem
    key-file: {at}/key.pem
    neverbleed: OFF
hosts:
  default:
    paths:
      /:
        file.dir: {root}
",
        ip = setting.plain.ip(),
        plain = setting.plain.port(),
        secure = setting.secure.port(),
        root = root.display()
    );
    let config = setting.write("h2o.conf", config);
    let mut command = Command::new(program);
    command.args(["-m", "worker", "-c"]).arg(config);
    command
}
