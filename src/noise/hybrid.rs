//! Hybrid handshakes that someone has tampered with: none of them is ever finished.

mod bits;
mod double;
mod secrets;
mod shares;

use super::{Exchange, Pattern, Provider, Psk, PublicKey, Role, SecretKey, Setup, Suite};

const SUITES: [Suite; 2] = [Suite::HybridChaChaPoly, Suite::HybridAesGcm];

/// The secrets of the two static keys, initiator first.
const STATIC: [[u8; 32]; 2] = [[0x51; 32], [0x52; 32]];

/// All that both sides bring to a handshake.
struct Party {
    pattern: Pattern,
    suite: Suite,
    secrets: [SecretKey; 2],
    publics: [PublicKey; 2],
    psk: Psk,
}

impl Party {
    fn new(pattern: Pattern, suite: Suite) -> Self {
        let secrets = STATIC.map(|mut bytes| SecretKey::from_bytes(&mut bytes));
        Self {
            pattern,
            suite,
            publics: [secrets[0].public_key(), secrets[1].public_key()],
            secrets,
            psk: Psk::from_bytes(&mut [0x53; 32]),
        }
    }

    /// Every hybrid handshake there is.
    fn all() -> impl Iterator<Item = Self> {
        let suites = |pattern| SUITES.map(|suite| Self::new(pattern, suite));
        Pattern::ALL.into_iter().flat_map(suites)
    }

    fn side(&self, role: Role, provider: Provider) -> Exchange {
        let pins = role == Role::Initiator && self.pattern.pins_responder();
        Exchange::new(&Setup {
            role,
            pattern: self.pattern,
            suite: self.suite,
            provider,
            secret: match role {
                Role::Initiator => &self.secrets[0],
                Role::Responder => &self.secrets[1],
            },
            remote: pins.then_some(&self.publics[1]),
            psk: self.pattern.uses_psk().then_some(&self.psk),
            prologue: b"prologue",
        })
        .unwrap()
    }

    fn sides(&self, [left, right]: [Provider; 2]) -> [Exchange; 2] {
        [
            self.side(Role::Initiator, left),
            self.side(Role::Responder, right),
        ]
    }

    /// Runs a handshake whose messages pass through `tamper`.
    fn run(
        &self,
        providers: [Provider; 2],
        mut tamper: impl FnMut(usize, &mut Vec<u8>),
    ) -> Result<[Exchange; 2], Stopped> {
        let [mut writer, mut reader] = self.sides(providers);
        for turn in 0..3 {
            let mut message = Vec::new();
            writer = writer
                .write(&mut message)
                .map_err(|_error| Stopped::writing(turn))?;
            tamper(turn, &mut message);
            let Ok(read) = reader.read(&message) else {
                // Whoever writes the last message is done; nobody is before.
                assert_eq!(writer.finish().is_ok(), turn == 2);
                return Err(Stopped::reading(turn));
            };
            (writer, reader) = (read, writer);
        }
        // The responder would be the next to write.
        Ok([reader, writer])
    }
}

impl std::fmt::Debug for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.pattern, self.suite)
    }
}

/// Where a handshake ended early. Turns count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stopped {
    turn: usize,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Write,
    Read,
}

impl Stopped {
    const fn writing(turn: usize) -> Self {
        let step = Step::Write;
        Self { turn, step }
    }

    const fn reading(turn: usize) -> Self {
        let step = Step::Read;
        Self { turn, step }
    }
}

/// Whether the first message is authenticated, so that the responder sees a change at once.
fn first_is_sealed(pattern: Pattern) -> bool {
    pattern != Pattern::Xx
}
