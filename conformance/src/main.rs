//! The command line of the kit; `README.md` is its manual.

use clap::{ArgGroup, Parser};
use duologue_conformance::case::{Case, Report, Status};
use duologue_conformance::control::Config;
use duologue_conformance::conversation::{KIT_SECRET, TARGET_SECRET};
use duologue_conformance::expectations::Expectations;
use duologue_conformance::link::Address;
use duologue_conformance::peer::bugs::{BUGS, Bug};
use duologue_conformance::raw_peer::handshake::public_key;
use duologue_conformance::raw_peer::{Pattern, Suite};
use duologue_conformance::run::{Plan, run, select};
use duologue_conformance::target::{Fixed, Place};
use duologue_conformance::{cases, report, self_test, serve, vectors};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{BufReader, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Judges an implementation of the Duologue protocol against its specification.
#[derive(Debug, Parser)]
#[command(version, about)]
#[command(group(ArgGroup::new("target")))]
struct Options {
    /// The implementation listens here (tcp:HOST:PORT or unix:PATH) and echoes.
    #[arg(long, group = "target", value_name = "ADDR")]
    connect: Option<Address>,
    /// The kit listens here; the program of --exec dials and echoes.
    #[arg(long, group = "target", value_name = "ADDR", requires = "exec")]
    listen: Option<Address>,
    /// The program that dials; {} stands for the address, DUOLOGUE_ADDRESS holds it too.
    #[arg(long, value_name = "CMD", requires = "listen")]
    exec: Option<String>,
    /// A shim drives the implementation over its standard input and output.
    #[arg(long, group = "target", value_name = "CMD")]
    shim: Option<String>,
    /// The kit's own peer.
    #[arg(long, group = "target")]
    built_in: bool,
    /// Replays the vectors of this directory (or file) against the kit's own engine.
    #[arg(long, group = "target", value_name = "PATH")]
    vectors: Option<PathBuf>,
    /// Writes vectors made by the kit's own engine into this directory.
    #[arg(long, group = "target", value_name = "DIR")]
    write_vectors: Option<PathBuf>,
    /// Proves the kit: the correct peer passes everything, each faulty one is caught.
    #[arg(long, group = "target")]
    self_test: bool,
    /// Be a shim: the built-in peer behind the control protocol.
    #[arg(long, group = "target")]
    serve_shim: bool,
    /// Be a target of --connect: the built-in peer echoes here until it is stopped.
    #[arg(long, group = "target", value_name = "ADDR")]
    serve: Option<Address>,
    /// Be a target of --listen: the built-in peer dials once and echoes.
    #[arg(long, group = "target", value_name = "ADDR")]
    dial: Option<Address>,
    /// Lists the cases.
    #[arg(long, group = "target")]
    list: bool,

    /// Gives the built-in peer a fault; `help` lists them.
    #[arg(long, value_name = "NAME")]
    bug: Option<String>,
    /// Only the cases whose id contains this, or of the group of this name.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Judges the SHOULDs too.
    #[arg(long)]
    strict: bool,
    /// Cases that are known to fail: `CLAUSE/name  reason` a line.
    #[arg(long, value_name = "FILE")]
    expectations: Option<PathBuf>,
    /// How many cases at a time.
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// How long a reaction may take, in milliseconds.
    #[arg(long, default_value_t = 3_000, value_name = "MS")]
    patience: u64,
    /// Writes the run as JSON; - is the standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the run as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Writes the run as a page to look at.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// The suite of ordinary cases, without a shim.
    #[arg(long, default_value_t = 1, value_name = "ID")]
    suite: u8,
    /// The pattern of ordinary cases, without a shim.
    #[arg(long, default_value_t = 0, value_name = "ID")]
    pattern: u8,
    /// The target's public key in hexadecimal, for XK without a shim.
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    /// The pre-shared key in hexadecimal, without a shim.
    #[arg(long, value_name = "HEX")]
    psk: Option<String>,
    /// The secret key in hexadecimal: the kit's without a shim, the peer's with --serve and --dial.
    #[arg(long, value_name = "HEX")]
    secret: Option<String>,
    /// An application protocol that the kit offers or takes, without a shim; may be repeated.
    #[arg(long, value_name = "NAME")]
    protocol: Vec<String>,
}

impl Options {
    fn names_target(&self) -> bool {
        let addresses = [&self.connect, &self.listen, &self.serve, &self.dial];
        let paths = [&self.vectors, &self.write_vectors];
        self.built_in
            || self.self_test
            || self.serve_shim
            || self.shim.is_some()
            || addresses.iter().any(|address| address.is_some())
            || paths.iter().any(|path| path.is_some())
    }
}

/// Why there is no verdict.
enum Trouble {
    Kit(String),
    Unreachable(String),
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self::Kit(why)
    }
}

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            let help = !error.use_stderr();
            // Nothing is left to do when even this cannot be printed.
            let _lost = error.print();
            return ExitCode::from(if help { 0 } else { 2 });
        }
    };
    match act(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(Trouble::Kit(why)) => {
            eprintln!("duologue-conformance: {why}");
            ExitCode::from(2)
        }
        Err(Trouble::Unreachable(why)) => {
            eprintln!("duologue-conformance: the target cannot be reached: {why}");
            ExitCode::from(3)
        }
    }
}

fn act(options: &Options) -> Result<bool, Trouble> {
    if options.bug.as_deref() == Some("help") {
        for bug in BUGS {
            println!("{:<28} {:<36} {}", bug.name, bug.case, bug.says);
        }
        return Ok(true);
    }
    let bug = bug(options)?;
    if !(options.names_target() || options.list) {
        return Err(Trouble::Kit("name a target; --help lists them".into()));
    }
    if options.list {
        for case in select(cases::all(), options.filter.as_deref(), true) {
            println!("{:<44} {:<10} {}", case.id, case.group, case.says);
        }
        return Ok(true);
    }
    if options.self_test {
        return self_check(options);
    }
    if let Some(path) = &options.vectors {
        return replay(path);
    }
    if let Some(path) = &options.write_vectors {
        vectors::write(path)?;
        return Ok(true);
    }
    if options.serve_shim {
        let served = serve::shim(BufReader::new(stdin()), stdout(), bug);
        return served
            .map(|()| true)
            .map_err(|error| Trouble::Kit(error.to_string()));
    }
    if let Some(address) = &options.serve {
        let secret = key(Some(&config(options).secret))?.unwrap_or(TARGET_SECRET);
        eprintln!(
            "echoing at {address}, public key {}",
            hex::encode(public_key(secret))
        );
        serve::echo_listen(address, &config(options), bug)?;
    }
    if let Some(address) = &options.dial {
        serve::echo_connect(address, &config(options), bug)?;
        return Ok(true);
    }
    judge(options, bug)
}

fn bug(options: &Options) -> Result<Option<Bug>, String> {
    let Some(name) = &options.bug else {
        return Ok(None);
    };
    let found = BUGS.iter().find(|bug| bug.name == name);
    found
        .copied()
        .map(Some)
        .ok_or_else(|| format!("no fault {name:?}; see --bug help"))
}

fn config(options: &Options) -> Config {
    // A listening peer takes everything, a dialling one has chosen.
    let chosen = |id: u8| {
        if options.serve.is_some() {
            Vec::new()
        } else {
            vec![id]
        }
    };
    Config {
        secret: options
            .secret
            .clone()
            .unwrap_or_else(|| hex::encode(TARGET_SECRET)),
        suites: chosen(options.suite),
        patterns: chosen(options.pattern),
        remote: options.key.clone(),
        psk: options.psk.clone(),
        protocols: (!options.protocol.is_empty()).then(|| options.protocol.clone()),
        ..Config::default()
    }
}

fn key(text: Option<&str>) -> Result<Option<[u8; 32]>, String> {
    let Some(text) = text else {
        return Ok(None);
    };
    let bytes = hex::decode(text).map_err(|error| error.to_string())?;
    let wrong = |_| format!("{text}: not 32 bytes");
    bytes.try_into().map(Some).map_err(wrong)
}

fn fixed(options: &Options) -> Result<Fixed, String> {
    let suite = Suite::of(options.suite).ok_or("no such suite")?;
    let pattern = Pattern::of(options.pattern).ok_or("no such pattern")?;
    Ok(Fixed {
        suite,
        pattern,
        key: key(options.key.as_deref())?,
        psk: key(options.psk.as_deref())?,
        secret: key(options.secret.as_deref())?.unwrap_or(KIT_SECRET),
        protocols: (!options.protocol.is_empty()).then(|| options.protocol.clone()),
    })
}

fn judge(options: &Options, bug: Option<Bug>) -> Result<bool, Trouble> {
    let (place, name) = if let Some(address) = &options.connect {
        (Place::Connect(address.clone()), address.to_string())
    } else if let (Some(address), Some(program)) = (&options.listen, &options.exec) {
        (
            Place::Listen(address.clone(), program.clone()),
            program.clone(),
        )
    } else if let Some(command) = &options.shim {
        (Place::Shim(command.clone()), command.clone())
    } else {
        let fault = bug.map_or(String::new(), |bug| format!(" with the fault {}", bug.name));
        (Place::BuiltIn(bug), format!("the built-in peer{fault}"))
    };
    let all = cases::all();
    let expectations = expectations(options, &all)?;
    let plan = Plan {
        place,
        fixed: fixed(options)?,
        cases: select(all, options.filter.as_deref(), options.strict),
        jobs: options.jobs,
        patience: Duration::from_millis(options.patience),
        expectations,
    };
    if plan.cases.is_empty() {
        return Err(Trouble::Kit("no case matches".into()));
    }
    let bar = progress(plan.cases.len());
    let reports = run(&plan, |seen| {
        if seen.status.is_failure() {
            bar.println(format!("{}: {}", seen.case.id, seen.why));
        }
        bar.set_message(seen.case.id.clone());
        bar.inc(1);
    });
    bar.finish_and_clear();
    let reports = reports.map_err(Trouble::Unreachable)?;
    write_reports(options, &name, &reports)?;
    if options
        .json
        .as_deref()
        .is_none_or(|path| path.as_os_str() != "-")
    {
        println!("{}", report::human::render(&reports));
    }
    if reports.iter().any(|report| report.status == Status::Broken) {
        return Err(Trouble::Kit("a case failed on the kit's side".into()));
    }
    Ok(!reports.iter().any(|report| report.status.is_failure()))
}

fn expectations(options: &Options, all: &[Case]) -> Result<Expectations, String> {
    let Some(path) = &options.expectations else {
        return Ok(Expectations::default());
    };
    let place = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{place}: {error}"))?;
    let known: Vec<&str> = all.iter().map(|case| case.id.as_str()).collect();
    Expectations::parse(&text, &known).map_err(|error| format!("{place}: {error}"))
}

fn progress(length: usize) -> ProgressBar {
    let bar = ProgressBar::new(length as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn write_reports(options: &Options, name: &str, reports: &[Report]) -> Result<(), String> {
    let write = |path: &PathBuf, text: String| {
        if path.as_os_str() == "-" {
            println!("{text}");
            return Ok(());
        }
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    if let Some(path) = &options.json {
        write(path, format!("{:#}", report::json::render(name, reports)))?;
    }
    if let Some(path) = &options.junit {
        write(path, report::junit::render(name, reports)?)?;
    }
    if let Some(path) = &options.html {
        write(path, report::html::render(name, reports))?;
    }
    Ok(())
}

fn replay(path: &std::path::Path) -> Result<bool, Trouble> {
    let results = vectors::replay(path)?;
    let failed = results
        .iter()
        .filter(|result| result.error.is_some())
        .count();
    for result in &results {
        if let Some(error) = &result.error {
            println!("{}: {error}", result.name);
        }
    }
    println!(
        "{} passed, {failed} failed, 0 skipped",
        results.len() - failed
    );
    Ok(failed == 0)
}

fn self_check(options: &Options) -> Result<bool, Trouble> {
    let patience = Duration::from_millis(options.patience);
    let reports = self_test::correct(patience, options.jobs)?;
    println!("the correct peer:\n{}\n", report::human::render(&reports));
    let caught = self_test::faults(patience.min(Duration::from_millis(1_500)), options.jobs);
    println!("{:<28} {:<38} caught", "fault", "case");
    for one in &caught {
        let word = if one.caught { "yes" } else { "NO" };
        println!("{:<28} {:<38} {word}", one.bug.name, one.bug.case);
    }
    let missed = caught.iter().filter(|one| !one.caught).count();
    let correct = !reports.iter().any(|report| report.status.is_failure());
    let (passed, failed, skipped) = duologue_conformance::run::count(&reports);
    let (passed, failed) = (passed + caught.len() - missed, failed + missed);
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    Ok(correct && missed == 0)
}
