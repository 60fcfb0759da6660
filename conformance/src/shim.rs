//! The kit's end of the control protocol.

use crate::control::{Answer, Command, Fields};
use crate::peer::bugs::Bug;
use crate::serve;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// A line of an answer may be so long, and no longer.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;
/// What a command may take beyond the time it names.
const GRACE: Duration = Duration::from_secs(5);

/// Why a command has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShimError {
    /// The shim cannot do this.
    Unsupported(String),
    /// The shim answered with an error.
    Refused(String),
    /// A line that is no answer, with its number.
    Malformed(String),
    /// No answer in time, or the shim is gone.
    Gone(String),
}

/// A running shim.
#[derive(Debug)]
pub struct Shim {
    commands: Sender<String>,
    lines: Receiver<io::Result<String>>,
    count: usize,
    child: Option<Child>,
}

impl Shim {
    /// Starts a program; its standard error is the kit's.
    pub fn spawn(command: &str) -> io::Result<Self> {
        let mut child = shell(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut this = Self::over(input, output);
        this.child = Some(child);
        Ok(this)
    }

    /// The built-in peer in a thread of this process.
    pub fn built_in(bug: Option<Bug>) -> io::Result<Self> {
        let (shim_input, input) = io::pipe()?;
        let (output, shim_output) = io::pipe()?;
        std::thread::spawn(move || serve::shim(BufReader::new(shim_input), shim_output, bug));
        Ok(Self::over(input, output))
    }

    fn over(mut input: impl Write + Send + 'static, output: impl Read + Send + 'static) -> Self {
        let (commands, to_write) = channel::<String>();
        let (from_read, lines) = channel();
        // A shim that does not read must not stop the kit, nor one that does not write.
        std::thread::spawn(move || {
            for line in to_write {
                if writeln!(input, "{line}")
                    .and_then(|()| input.flush())
                    .is_err()
                {
                    return;
                }
            }
        });
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let line = read_line(&mut output);
                let last = line.is_err();
                if from_read.send(line).is_err() || last {
                    return;
                }
            }
        });
        Self {
            commands,
            lines,
            count: 0,
            child: None,
        }
    }

    /// One command and its answer.
    pub fn ask(&mut self, command: &Command) -> Result<Fields, ShimError> {
        let gone = |why: &str| Err(ShimError::Gone(why.into()));
        let within = match command {
            Command::Established { within_ms }
            | Command::Recv { within_ms }
            | Command::Outcome { within_ms } => Duration::from_millis(*within_ms),
            _ => Duration::ZERO,
        };
        let Ok(line) = serde_json::to_string(command) else {
            return gone("the command cannot be written");
        };
        if self.commands.send(line).is_err() {
            return gone("the shim takes no commands");
        }
        let line = match self.lines.recv_timeout(within + GRACE) {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => return gone(&format!("the shim's output ended: {error}")),
            Err(RecvTimeoutError::Timeout) => return gone("the shim does not answer"),
            Err(RecvTimeoutError::Disconnected) => return gone("the shim is gone"),
        };
        self.count += 1;
        match serde_json::from_str(&line) {
            Ok(Answer::Ok(fields)) => Ok(*fields),
            Ok(Answer::Error(error)) => Err(ShimError::Refused(error)),
            Ok(Answer::Unsupported(what)) => Err(ShimError::Unsupported(what)),
            Err(error) => {
                let text: String = line.chars().take(200).collect();
                let number = self.count;
                let why = format!("line {number} of the shim's output, {text:?}: {error}");
                Err(ShimError::Malformed(why))
            }
        }
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Nothing is left to say to it, and nothing of it may stay behind.
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}

fn read_line(output: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    output.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.pop_if(|byte| *byte == b'\n').is_none() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// A command line, run directly: words separated by spaces.
pub fn shell(command: &str) -> std::process::Command {
    let mut words = command.split_whitespace();
    let mut process = std::process::Command::new(words.next().unwrap_or_default());
    process.args(words);
    process
}
