//! What is judged: a listening address, a dialling program, or a shim.

use crate::control::{Command, Fields};
use crate::link::{Address, Gate, Link};
use crate::peer::bugs::Bug;
use crate::raw_peer::{Pattern, Role, Suite};
use crate::shim::{Shim, ShimError, shell};
use std::io;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the implementation is found.
#[derive(Clone, Debug)]
pub enum Place {
    /// It listens here.
    Connect(Address),
    /// The kit listens here and starts the program, which dials.
    Listen(Address, String),
    /// A shim drives it.
    Shim(String),
    /// The built-in peer, perhaps with a fault.
    BuiltIn(Option<Bug>),
}

/// What is known of a target that no shim configures.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// The suite of the ordinary cases.
    pub suite: Suite,
    /// The pattern of the ordinary cases.
    pub pattern: Pattern,
    /// The target's public key, where a pattern pins it.
    pub key: Option<[u8; 32]>,
    /// The pre-shared key.
    pub psk: Option<[u8; 32]>,
    /// The kit's own secret.
    pub secret: [u8; 32],
    /// The protocols the kit offers.
    pub protocols: Option<Vec<String>>,
}

/// One worker's hold on the target.
#[derive(Debug)]
pub enum Target {
    /// It listens.
    Connect(Address),
    /// It dials.
    Listen {
        /// Where the kit listens.
        gate: Arc<Gate>,
        /// The program.
        program: String,
        /// The one that runs.
        child: Option<Child>,
    },
    /// A shim.
    Shim {
        /// The connection to it.
        shim: Box<Shim>,
        /// Where the kit listens for its initiators.
        gate: Gate,
    },
}

impl Target {
    /// Takes hold of the target; an error means it cannot be reached.
    pub fn new(place: &Place, gate: Option<&Arc<Gate>>) -> Result<Self, String> {
        let text = |error: io::Error| error.to_string();
        match (place, gate) {
            (Place::Connect(address), _) => {
                let within = Duration::from_secs(5);
                let probe = Link::dial(address, within);
                probe.map_err(|error| format!("{address}: {error}"))?;
                Ok(Self::Connect(address.clone()))
            }
            (Place::Listen(_, program), Some(gate)) => Ok(Self::Listen {
                gate: Arc::clone(gate),
                program: program.clone(),
                child: None,
            }),
            (Place::Listen(address, program), None) => Ok(Self::Listen {
                gate: Arc::new(Gate::bind(address).map_err(text)?),
                program: program.clone(),
                child: None,
            }),
            (Place::Shim(command), _) => {
                let shim = Shim::spawn(command).map_err(|error| format!("{command}: {error}"))?;
                Self::greet(shim)
            }
            (Place::BuiltIn(bug), _) => Self::greet(Shim::built_in(*bug).map_err(text)?),
        }
    }

    fn greet(mut shim: Shim) -> Result<Self, String> {
        shim.ask(&Command::Hello).map_err(|error| match error {
            ShimError::Unsupported(what) => format!("the shim does not know hello: {what}"),
            ShimError::Refused(why) => format!("the shim refuses hello: {why}"),
            ShimError::Malformed(why) | ShimError::Gone(why) => why,
        })?;
        let gate = Gate::loopback().map_err(|error| error.to_string())?;
        Ok(Self::Shim {
            shim: Box::new(shim),
            gate,
        })
    }

    /// Whether a shim takes commands.
    pub const fn is_shim(&self) -> bool {
        matches!(self, Self::Shim { .. })
    }

    /// The role it can take, where there is just one.
    pub const fn only_role(&self) -> Option<Role> {
        match self {
            Self::Connect(_) => Some(Role::Responder),
            Self::Listen { .. } => Some(Role::Initiator),
            Self::Shim { .. } => None,
        }
    }

    /// A command to the shim.
    pub fn ask(&mut self, command: &Command) -> Result<Fields, ShimError> {
        match self {
            Self::Shim { shim, .. } => shim.ask(command),
            Self::Connect(_) | Self::Listen { .. } => {
                Err(ShimError::Unsupported("needs a shim".into()))
            }
        }
    }

    /// Where the kit listens, if it does.
    pub fn gate(&self) -> Option<&Gate> {
        match self {
            Self::Listen { gate, .. } => Some(gate),
            Self::Shim { gate, .. } => Some(gate),
            Self::Connect(_) => None,
        }
    }

    /// Starts the program that dials.
    pub fn start_program(&mut self) -> io::Result<()> {
        self.stop_program();
        if let Self::Listen {
            gate,
            program,
            child,
        } = self
        {
            let address = gate.address()?.to_string();
            let mut process = shell(&program.replace("{}", &address));
            *child = Some(process.env("DUOLOGUE_ADDRESS", address).spawn()?);
        }
        Ok(())
    }

    fn stop_program(&mut self) {
        if let Self::Listen {
            child: Some(child), ..
        } = self
        {
            // It is ours, and what it had to show it has shown.
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }

    /// Forgets connections that nobody has taken.
    pub fn clear_gate(&self) {
        if let Some(gate) = self.gate() {
            while let Ok(Some(_stale)) = gate.accept(Instant::now()) {}
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.stop_program();
    }
}
