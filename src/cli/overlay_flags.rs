//! `--host` and `--role`: the overlay of a document instead of the document itself.

use clap::Args;
use murmurate_client::types::{ApiError, ErrorCode};

use super::context::Context;
use super::failure::Stop;

#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(super) struct OverlayFlags {
    /// Only for the host with this name: its own value, in the document's overlay `DOC?host=NAME`
    #[arg(long, value_name = "NAME", value_parser = name, conflicts_with = "role")]
    host: Option<String>,
    /// Only for hosts with this role: their value, in the document's overlay `DOC?role=NAME`
    #[arg(long, value_name = "NAME", value_parser = name)]
    role: Option<String>,
}

fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty() && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err("a host's or role's name has letters, digits, `-`, `_` and `.`".to_owned())
}

impl OverlayFlags {
    /// The address with the overlay that the flags name.
    pub(super) fn address(&self, address: &str) -> Result<String, ApiError> {
        let overlay = match (&self.host, &self.role) {
            (Some(host), _) => format!("host={host}"),
            (None, Some(role)) => format!("role={role}"),
            (None, None) => return Ok(address.to_owned()),
        };
        let end = address.find('#').unwrap_or(address.len());
        let (doc, key) = address.split_at(end);
        if doc.contains('?') {
            let why = "it names an overlay already";
            return Err(ApiError::new(ErrorCode::BadAddress, format!("use {address}"), why, "leave the flag out"));
        }
        Ok(format!("{doc}?{overlay}{key}"))
    }

    /// Says so where nobody has the name: it may be mistyped, or of a host that joins later.
    pub(super) async fn note_strangers(&self, context: &Context) -> Result<(), Stop> {
        let Some(host) = self.host.as_ref().filter(|_| context.is_for_people()) else { return Ok(()) };
        let members = context.mesh().await?.members().await?.members;
        if !members.iter().any(|member| member.name == *host) {
            context.note(&format!("no member of the mesh is called {host}; the value waits for one"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overlay_stands_before_the_key() {
        let host = OverlayFlags { host: Some("web-1".into()), role: None };
        let role = OverlayFlags { host: None, role: Some("db".into()) };
        assert_eq!(host.address("web/app.toml#port").unwrap(), "web/app.toml?host=web-1#port");
        assert_eq!(role.address("web/app.toml").unwrap(), "web/app.toml?role=db");
        assert_eq!(OverlayFlags::default().address("a/b#c").unwrap(), "a/b#c");
        assert_eq!(host.address("web/app.toml?role=db#a").unwrap_err().code, ErrorCode::BadAddress);
        assert!(name("a#b").is_err() && name("").is_err() && name("db-1.eu").is_ok());
    }
}
