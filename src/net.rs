//! Sessions over TCP and Unix sockets: listening, dialling, and what strangers may cost.
//!
//! ```no_run
//! # async fn bob(bob_secret: duologue::SecretKey, alice: duologue::PublicKey)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use duologue::{Config, Listener, PeerPolicy};
//!
//! let config = Config::new(bob_secret).peers(PeerPolicy::pinned([alice]));
//! let mut listener = Listener::bind("unix:bob.sock", config).await?;
//! let session = listener.accept().await?;
//! # drop(session);
//! # Ok(())
//! # }
//! ```

mod address;
mod admission;
mod dial;
mod listen_error;
mod listener;
#[cfg(not(unix))]
mod no_unix;
mod pause;
#[cfg(unix)]
mod unix;

pub use address::{Address, AddressError};
pub use admission::{Admission, Excess};
pub use dial::{Attempt, DialError, dial, dial_unpinned};
pub use listen_error::{AcceptError, BindError, Obstacle};
pub use listener::{Arrival, Counts, Listener, Refused};

#[cfg(not(unix))]
use self::no_unix as unix;
