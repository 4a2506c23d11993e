//! What the names of files of lines tell of their format.

/// Extensions of files that are INI, or else text.
const INI: &[&str] = &[
    "automount",
    "container",
    "coveragerc",
    "desktop",
    "directory",
    "editorconfig",
    "flake8",
    "gitconfig",
    "gitmodules",
    "hgrc",
    "ini",
    "kube",
    "link",
    "mount",
    "netdev",
    "network",
    "npmrc",
    "nspawn",
    "path",
    "properties",
    "pylintrc",
    "pypirc",
    "repo",
    "scope",
    "service",
    "slice",
    "socket",
    "swap",
    "target",
    "theme",
    "timer",
    "wgetrc",
];
/// Whole names of such files.
const INI_NAMES: &[&str] = &["pip.conf", "my.cnf", "setup.cfg", "smb.conf", "buildout.cfg", "mypy.ini"];
/// Extensions of files that are INI if every line fits, and text of another kind otherwise.
const PERHAPS_INI: &[&str] = &["cfg", "cnf", "conf", "config", "inf", "prefs", "rc"];
/// Endings of a name that say which variant of a file it is.
const VARIANTS: &[&str] =
    &["complete", "default", "defaults", "dist", "example", "local", "sample", "template", "tmpl"];
/// Files of nginx that have no extension of their own.
const NGINX_NAMES: &[&str] =
    &["fastcgi_params", "mime.types", "proxy_params", "scgi_params", "uwsgi_params", "koi-utf", "koi-win", "win-utf"];
/// Folders of nginx whose files are its own, whatever they are called.
const NGINX_FOLDERS: &[&str] = &["sites-available", "sites-enabled", "modules-enabled", "modules-available"];

/// How sure a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sure {
    /// The file has the format, or none at all.
    Yes,
    /// The content must fit.
    IfItFits,
    /// It is something else.
    No,
}

/// `.env`, `.env.production`, `web.env`, `env.example`; `env` may be a program. `name` is in lower case.
pub(super) fn env(name: &str) -> Sure {
    let parts: Vec<&str> = name.split('.').collect();
    let is_hidden = parts.len() > 2 && parts[0].is_empty() && parts[1] == "env";
    let has_extension = parts.len() > 1 && without_variants(&parts).last() == Some(&"env");
    match name {
        _ if is_hidden || has_extension => Sure::Yes,
        "env" | "environment" => Sure::IfItFits,
        _ => Sure::No,
    }
}

/// The parts of a name without those at its end that say which variant it is.
fn without_variants<'p>(parts: &'p [&'p str]) -> &'p [&'p str] {
    let end = parts.iter().rposition(|part| !VARIANTS.contains(part)).map_or(parts.len(), |last| last + 1);
    &parts[..end]
}

/// Whether a file is INI. `path` and its parts are in lower case.
pub(super) fn ini(path: &str) -> Sure {
    let name = path.rsplit('/').next().unwrap_or(path);
    let parts: Vec<&str> = name.split('.').collect();
    let parts = without_variants(&parts);
    let extension = if parts.len() > 1 { parts[parts.len() - 1] } else { "" };
    if INI.contains(&extension) || INI_NAMES.contains(&name) || is_git_config(path) {
        return Sure::Yes;
    }
    if PERHAPS_INI.contains(&extension) { Sure::IfItFits } else { Sure::No }
}

fn is_git_config(path: &str) -> bool {
    ["/.git/config", "/git/config", "/.gitconfig", "/gitconfig"].iter().any(|end| format!("/{path}").ends_with(end))
}

/// Whether a file is nginx's or HAProxy's. `path` is in lower case; its folders count, too.
pub(super) fn is_blocks(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or_default();
    let folders: Vec<&str> = parts.collect();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let is_of = |program: &str| stem.contains(program) || folders.iter().any(|folder| folder.contains(program));
    let in_site = folders.first().is_some_and(|folder| NGINX_FOLDERS.contains(folder));
    let is_nginx = is_of("nginx") && (extension == "conf" || NGINX_NAMES.contains(&name));
    let is_haproxy = is_of("haproxy") && matches!(extension, "cfg" | "conf");
    in_site || is_nginx || is_haproxy || matches!(extension, "nginx" | "haproxy")
}
