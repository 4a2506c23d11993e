//! The library API: talks to the daemon's local socket.
//!
//! ```no_run
//! # async fn example() -> Result<(), murmurate_client::Error> {
//! let mesh = murmurate_client::Mesh::attach().await?;
//! let entry = mesh.get("web/app.toml#server.port").await?;
//! println!("{} since {}", entry.value.bare(), entry.version);
//! let mut events = mesh.watch("web/").start().await?;
//! while let Some(event) = events.next().await {
//!     println!("{}", event?.kind);
//! }
//! # Ok(())
//! # }
//! ```

mod connection;
mod limits;
mod members;
mod mesh;
mod socket;
mod sse;
pub mod types;
mod watch;

pub use members::MemberChanges;
pub use mesh::Mesh;
pub use socket::{SYSTEM_SOCKET, SocketChoice, default_socket};
pub use types::ApiError as Error;
pub use watch::{Watch, WatchRequest};
