//! A real site on loopback for the crawl test: nginx as a direct child of this process, on a free
//! port, with every path it writes in one temporary folder, and stopped when the [`Site`] is
//! dropped. The pages and nginx itself come from [`crate::setup`].

use crate::setup::SiteNeeds;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

/// A free port can be taken by somebody else before nginx binds it; so often it is tried anew.
const STARTS_MAX: usize = 5;

/// A running site.
#[derive(Debug)]
pub(crate) struct Site {
    /// Where it answers, with a slash at the end.
    pub(crate) url: String,
    /// The folder of its pages.
    pub(crate) tree: PathBuf,
    /// What was asked: a line a request, `status method uri`, written at once.
    pub(crate) log: PathBuf,
    child: Child,
    /// Last, so that nginx is stopped before its folder goes.
    _folder: tempfile::TempDir,
}

impl Site {
    pub(crate) fn start(needs: &SiteNeeds) -> Result<Self, String> {
        let mut why = String::new();
        for _ in 0..STARTS_MAX {
            match Self::start_once(needs) {
                Ok(site) => return Ok(site),
                Err(e) if e.contains("Address already in use") => why = e,
                Err(e) => return Err(e),
            }
        }
        Err(format!("no free port in {STARTS_MAX} tries: {why}"))
    }

    fn start_once(needs: &SiteNeeds) -> Result<Self, String> {
        let folder = tempfile::Builder::new()
            .prefix("handover-site-")
            .tempdir()
            .map_err(|e| format!("no temporary folder for nginx: {e}"))?;
        let port = free_port().map_err(|e| format!("no free port on loopback: {e}"))?;
        let config = folder.path().join("nginx.conf");
        fs::write(&config, configuration(folder.path(), &needs.tree, port))
            .map_err(|e| format!("{}: {e}", config.display()))?;
        let mut child = Command::new(&needs.nginx)
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&config)
            .args(["-e", "stderr"]) // before the configuration is read: not the system's log
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("cannot start {}: {e}", needs.nginx.display()))?;
        let told = child.stderr.take().map_or_else(|| Ok(()), wait_until_listening);
        let site = Self {
            url: format!("http://127.0.0.1:{port}/"),
            tree: needs.tree.clone(),
            log: folder.path().join("access.log"),
            child,
            _folder: folder,
        };
        told.map(|()| site) // on an error the site is dropped here, and nginx with it
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // One process, nothing to save: there is nothing a gentler end would do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Returns when nginx has its port: it binds first and greets with its version in the log after.
/// What it says later is read and dropped, so that a full pipe never stops it.
fn wait_until_listening(stderr: ChildStderr) -> Result<(), String> {
    let mut lines = BufReader::new(stderr).lines();
    let mut said = Vec::new();
    while let Some(Ok(line)) = lines.next() {
        let greets = line.contains("[notice]") && line.contains(": OS:");
        said.push(line);
        if greets {
            std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
            return Ok(());
        }
    }
    Err(format!("nginx did not start; it said:\n{}", said.join("\n")))
}

/// `master_process off` makes it one process, so that killing the child leaves no worker behind,
/// and lets it run as whoever runs the tests.
fn configuration(folder: &Path, tree: &Path, port: u16) -> String {
    let (folder, tree) = (folder.display(), tree.display());
    format!(
        "daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
  types {{
    text/html html;
    text/css css;
    text/javascript js;
    text/plain txt;
    image/png png;
    image/svg+xml svg;
  }}
  default_type application/octet-stream;
  log_format asked '$status $request_method $request_uri';
  access_log {folder}/access.log asked;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  gzip on;
  gzip_types text/css text/javascript text/plain;
  server {{
    listen 127.0.0.1:{port};
    root {tree};
    location = /robots.txt {{
      return 200 'User-agent: *\\nDisallow: /_static/\\n';
    }}
  }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_it_writes_is_in_its_folder() {
        let text = configuration(Path::new("/folder"), Path::new("/tree"), 8_123);
        assert!(text.contains("listen 127.0.0.1:8123;"), "{text}");
        assert!(text.contains("root /tree;"), "{text}");
        let written =
            text.lines().filter(|l| ["_path", "pid", "access_log"].iter().any(|w| l.contains(w)));
        for line in written {
            assert!(line.contains("/folder/"), "{line}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_server_that_cannot_start_is_an_error_that_quotes_it() {
        // `sh -p FOLDER …` ends at once, having said on its error output why.
        let needs = SiteNeeds { nginx: "sh".into(), tree: "tree".into() };
        let why = Site::start(&needs).unwrap_err();
        assert!(why.contains("nginx did not start"), "{why}");
    }
}
