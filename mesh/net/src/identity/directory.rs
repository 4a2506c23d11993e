//! The identity directory: `node.key`, `node.crt`, `authority.crt`, `mesh.id`, and at an issuer `authority.key`. Keys and
//! certificates are PEM, keys PKCS #8 and readable by their owner only. Every change is atomic and durable.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use murmurate_crdt::id::MeshId;
use rustls_pki_types::CertificateDer;

use super::{Authority, Identity, IdentityError, private_key_der};
use crate::limits::IDENTITY_FILE_BYTES;

const NODE_KEY: &str = "node.key";
const NODE_CERTIFICATE: &str = "node.crt";
const AUTHORITY_CERTIFICATE: &str = "authority.crt";
const AUTHORITY_KEY: &str = "authority.key";
const MESH_ID: &str = "mesh.id";

const PRIVATE_KEY_LABEL: &str = "PRIVATE KEY";
const CERTIFICATE_LABEL: &str = "CERTIFICATE";

const SECRET_MODE: u32 = 0o600;
const PUBLIC_MODE: u32 = 0o644;

/// Why an identity couldn't be read or written. After an error while writing, what was there before still is.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A file isn't there.
    #[error(
        "{path} is missing; this node has no identity there: make one with `init` or `join`, or name its directory"
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// There is an identity already.
    #[error("{path} exists already; nothing was written, because an identity is never overwritten")]
    Exists {
        /// The directory or file.
        path: PathBuf,
    },
    /// A key may be read by others.
    #[error(
        "{path} may be read by others (mode {mode:03o}); run `chmod 600 {path}`, and renew the key if others use this host"
    )]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file couldn't be read or written.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{path} is not {expected}: {why}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The files don't belong together.
    #[error("the files in {path} don't belong together: {source}")]
    Mismatch {
        /// The directory.
        path: PathBuf,
        /// What doesn't match.
        source: IdentityError,
    },
    /// `mesh.id` names another mesh than the certificate.
    #[error("the files in {path} don't belong together: mesh.id says {said}, the certificate {certified}")]
    Mesh {
        /// The directory.
        path: PathBuf,
        /// What `mesh.id` says.
        said: MeshId,
        /// What the certificate says.
        certified: MeshId,
    },
}

/// Reads the identity in `directory`.
///
/// # Errors
/// When a file is missing, unreadable, open to others or doesn't match the rest.
pub fn load(directory: &Path) -> Result<Identity, DirectoryError> {
    let key = read_key(&directory.join(NODE_KEY))?;
    let certificate = read_certificate(&directory.join(NODE_CERTIFICATE))?;
    let authority = read_certificate(&directory.join(AUTHORITY_CERTIFICATE))?;
    let said = read_mesh(directory)?;
    let path = || directory.to_owned();
    let identity = Identity::new(key, certificate, authority)
        .map_err(|source| DirectoryError::Mismatch { path: path(), source })?;
    if identity.mesh() != said {
        return Err(DirectoryError::Mesh { path: path(), said, certified: identity.mesh() });
    }
    Ok(identity)
}

/// Reads the authority in `directory`, at an issuer.
///
/// # Errors
/// When a file is missing, unreadable, open to others or doesn't match the rest.
pub fn load_authority(directory: &Path) -> Result<Authority, DirectoryError> {
    let key = read_key(&directory.join(AUTHORITY_KEY))?;
    let certificate = read_certificate(&directory.join(AUTHORITY_CERTIFICATE))?;
    let mesh = read_mesh(directory)?;
    Authority::from_parts(mesh, key, certificate)
        .map_err(|source| DirectoryError::Mismatch { path: directory.to_owned(), source })
}

/// Writes a new identity to `directory`, which must not exist: either all of it is there afterwards, or nothing.
///
/// # Errors
/// When there is something already, or a file can't be written.
pub fn save(directory: &Path, identity: &Identity) -> Result<(), DirectoryError> {
    if directory.symlink_metadata().is_ok() {
        return Err(DirectoryError::Exists { path: directory.to_owned() });
    }
    let staging = directory.with_extension("new");
    // What a crash left there was never used.
    ignore_missing(fs::remove_dir_all(&staging)).map_err(io("removing", &staging))?;
    DirBuilder::new().recursive(true).mode(0o700).create(&staging).map_err(io("creating", &staging))?;
    write_key(&staging.join(NODE_KEY), identity.key())?;
    write_certificate(&staging.join(NODE_CERTIFICATE), identity.certificate())?;
    write_certificate(&staging.join(AUTHORITY_CERTIFICATE), identity.authority())?;
    write(&staging.join(MESH_ID), format!("{}\n", identity.mesh()).as_bytes(), PUBLIC_MODE)?;
    sync_directory(&staging)?;
    fs::rename(&staging, directory).map_err(io("renaming to", directory))?;
    sync_parent(directory)
}

/// Writes the authority's key beside the identity of an issuer.
///
/// # Errors
/// When there is one already, or the file can't be written.
pub fn save_authority(directory: &Path, authority: &Authority) -> Result<(), DirectoryError> {
    let path = directory.join(AUTHORITY_KEY);
    if path.symlink_metadata().is_ok() {
        return Err(DirectoryError::Exists { path });
    }
    replace(&path, |staged| write_key(staged, authority.key()))
}

/// Replaces the node's certificate, after a renewal.
///
/// # Errors
/// When the file can't be written; the old certificate is still there then.
pub fn save_certificate(directory: &Path, certificate: &CertificateDer<'_>) -> Result<(), DirectoryError> {
    replace(&directory.join(NODE_CERTIFICATE), |staged| write_certificate(staged, certificate))
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::NotFound if doing == "reading" => DirectoryError::Missing { path },
        _ => DirectoryError::Io { doing, path, source },
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Writes a file beside `path` and renames it over.
fn replace(path: &Path, write_staged: impl FnOnce(&Path) -> Result<(), DirectoryError>) -> Result<(), DirectoryError> {
    let staged = path.with_extension("new");
    ignore_missing(fs::remove_file(&staged)).map_err(io("removing", &staged))?;
    write_staged(&staged)?;
    fs::rename(&staged, path).map_err(io("renaming to", path))?;
    sync_parent(path)
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), DirectoryError> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(io("creating", path))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(io("writing", path))
}

fn sync_directory(directory: &Path) -> Result<(), DirectoryError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(io("syncing", directory))
}

fn sync_parent(path: &Path) -> Result<(), DirectoryError> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_directory(Path::new(".")),
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

fn write_key(path: &Path, key: &SigningKey) -> Result<(), DirectoryError> {
    write(path, pem::encode(&pem::Pem::new(PRIVATE_KEY_LABEL, private_key_der(key))).as_bytes(), SECRET_MODE)
}

fn write_certificate(path: &Path, certificate: &CertificateDer<'_>) -> Result<(), DirectoryError> {
    write(path, pem::encode(&pem::Pem::new(CERTIFICATE_LABEL, certificate.to_vec())).as_bytes(), PUBLIC_MODE)
}

/// Reads a bounded file; of a secret one, nobody else may be able to.
fn read(path: &Path, is_secret: bool) -> Result<String, DirectoryError> {
    let file = File::open(path).map_err(io("reading", path))?;
    let mode = file.metadata().map_err(io("reading", path))?.permissions().mode() & 0o777;
    if is_secret && mode & 0o077 != 0 {
        return Err(DirectoryError::Permissions { path: path.to_owned(), mode });
    }
    let mut content = String::new();
    file.take(IDENTITY_FILE_BYTES).read_to_string(&mut content).map_err(io("reading", path))?;
    Ok(content)
}

fn read_pem(path: &Path, label: &str, expected: &'static str, is_secret: bool) -> Result<Vec<u8>, DirectoryError> {
    let content = |why| DirectoryError::Content { path: path.to_owned(), expected, why };
    let parsed = pem::parse(read(path, is_secret)?).map_err(|error| content(error.to_string()))?;
    if parsed.tag() != label {
        return Err(content(format!("it holds a {}", parsed.tag())));
    }
    Ok(parsed.into_contents())
}

fn read_key(path: &Path) -> Result<SigningKey, DirectoryError> {
    let expected = "an Ed25519 private key in PEM";
    let der = read_pem(path, PRIVATE_KEY_LABEL, expected, true)?;
    SigningKey::from_pkcs8_der(&der).map_err(|error| DirectoryError::Content {
        path: path.to_owned(),
        expected,
        why: error.to_string(),
    })
}

fn read_certificate(path: &Path) -> Result<CertificateDer<'static>, DirectoryError> {
    Ok(read_pem(path, CERTIFICATE_LABEL, "a certificate in PEM", false)?.into())
}

fn read_mesh(directory: &Path) -> Result<MeshId, DirectoryError> {
    let path = directory.join(MESH_ID);
    read(&path, false)?.trim().parse().map_err(|error: murmurate_crdt::wire::DecodeError| DirectoryError::Content {
        path,
        expected: "a mesh id",
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Random;
    use crate::identity::generate_key;

    fn identity(seed: u64) -> (Authority, Identity) {
        let mut rng = Random::seeded(seed).rng();
        let authority = Authority::throwaway(MeshId([seed.to_le_bytes()[0]; 16]), &mut rng, 0).unwrap();
        let key = generate_key(&mut rng);
        let certificate = authority.issue(&key.verifying_key().to_bytes(), "a", 0, 1_000).unwrap();
        let identity = Identity::new(key, certificate, authority.certificate().clone()).unwrap();
        (authority, identity)
    }

    fn saved(seed: u64) -> (tempfile::TempDir, PathBuf, Identity) {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("state/identity");
        let (authority, identity) = identity(seed);
        save(&directory, &identity).unwrap();
        save_authority(&directory, &authority).unwrap();
        (temporary, directory, identity)
    }

    #[test]
    fn an_identity_is_read_back_and_its_keys_are_for_the_owner_only() {
        let (_temporary, directory, identity) = saved(1);
        let loaded = load(&directory).unwrap();
        assert_eq!(loaded.key(), identity.key());
        assert_eq!(loaded.certificate(), identity.certificate());
        assert_eq!(loaded.mesh(), identity.mesh());
        assert_eq!(load_authority(&directory).unwrap().certificate(), identity.authority());
        for key in [NODE_KEY, AUTHORITY_KEY] {
            assert_eq!(fs::metadata(directory.join(key)).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn an_identity_is_never_overwritten_and_a_certificate_can_be() {
        let (_temporary, directory, identity) = saved(1);
        assert!(matches!(save(&directory, &identity), Err(DirectoryError::Exists { .. })));
        let authority = load_authority(&directory).unwrap();
        assert!(matches!(save_authority(&directory, &authority), Err(DirectoryError::Exists { .. })));
        let renewed = authority.issue(&identity.key().verifying_key().to_bytes(), "a", 500, 2_000).unwrap();
        save_certificate(&directory, &renewed).unwrap();
        assert_eq!(load(&directory).unwrap().certificate(), &renewed);
    }

    #[test]
    fn what_a_crash_left_half_written_is_no_identity_and_no_obstacle() {
        let (authority, identity) = identity(1);
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("identity");
        fs::create_dir(temporary.path().join("identity.new")).unwrap();
        fs::write(temporary.path().join("identity.new").join(NODE_KEY), "half").unwrap();
        assert!(matches!(load(&directory), Err(DirectoryError::Missing { .. })));
        save(&directory, &identity).unwrap();
        fs::write(directory.join("authority.new"), "half").unwrap();
        save_authority(&directory, &authority).unwrap();
        load(&directory).unwrap();
        load_authority(&directory).unwrap();
    }

    /// Damages one file of a good identity, and gives the error of loading it.
    fn damaged(damage: impl FnOnce(&Path)) -> DirectoryError {
        let (_temporary, directory, _) = saved(1);
        damage(&directory);
        load(&directory).unwrap_err()
    }

    #[test]
    fn every_damage_is_named_with_its_file() {
        for file in [NODE_KEY, NODE_CERTIFICATE, AUTHORITY_CERTIFICATE, MESH_ID] {
            let error = damaged(|directory| fs::remove_file(directory.join(file)).unwrap());
            assert!(matches!(&error, DirectoryError::Missing { path } if path.ends_with(file)), "{error}");
            let error = damaged(|directory| fs::write(directory.join(file), "garbage").unwrap());
            assert!(matches!(&error, DirectoryError::Content { path, .. } if path.ends_with(file)), "{error}");
        }
        let error = damaged(|directory| {
            fs::set_permissions(directory.join(NODE_KEY), fs::Permissions::from_mode(0o640)).unwrap();
        });
        assert!(matches!(error, DirectoryError::Permissions { mode: 0o640, .. }), "{error}");
    }

    #[test]
    fn files_of_two_identities_are_told_apart() {
        let (_other, others, _) = saved(2);
        let from_other = |file| {
            damaged(|directory| {
                fs::copy(others.join(file), directory.join(file)).unwrap();
            })
        };
        assert!(matches!(from_other(NODE_KEY), DirectoryError::Mismatch { .. }));
        assert!(matches!(from_other(AUTHORITY_CERTIFICATE), DirectoryError::Mismatch { .. }));
        assert!(matches!(from_other(MESH_ID), DirectoryError::Mesh { .. }));
    }
}
