//! One run: two hosts, their network, and the faults of the plan.

use std::{
    fmt::Write as _,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex},
    time::Duration,
};

use duologue::{Config, PeerPolicy, PublicKey, SecretKey, Suite, accept, connect};
use fastrand::Rng;
use tokio::{task::spawn_local, time::timeout};
use turmoil::{
    Builder, Sim,
    net::{TcpListener, TcpStream},
};

use crate::{
    app::App,
    laws::judge,
    line::{Handle, Line},
    plan::{Fault, Limits, Plan, ms},
    record::{ALICE, BOB, Shared},
};

const TICK: Duration = Duration::from_millis(10);
/// I4: every deadline of every session has passed long before.
const LIMIT: Duration = Duration::from_secs(600);
const PORT: u16 = 9;
const HOSTS: [&str; 2] = ["alice", "bob"];

/// A run that kept the laws: what happened, and how long it took there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) sessions: usize,
    pub(crate) calm: bool,
    pub(crate) ends: [usize; 4],
    pub(crate) elapsed: Duration,
    /// Equal for equal runs.
    pub(crate) trace: u64,
}

/// What the hosts' software shares with those who watch.
#[derive(Clone)]
struct Scene {
    seed: u64,
    plan: Arc<Plan>,
    shared: Shared,
    configs: Arc<[Config; 2]>,
    bob: PublicKey,
    lines: Arc<Mutex<[Vec<Handle>; 2]>>,
}

pub(crate) fn run(seed: u64) -> Result<Report, String> {
    let plan = Arc::new(Plan::of(seed));
    let keys = [secret(), secret()];
    let bob = keys[BOB].public_key();
    let scene = Scene {
        seed,
        shared: Shared::default(),
        configs: Arc::new(keys.map(|key| config(key, &plan.limits))),
        bob,
        lines: Arc::default(),
        plan,
    };
    let played = play(&scene).map_err(|wrong| format!("{wrong}; {:?}", scene.plan));
    let elapsed = played?;
    scene.report(elapsed)
}

fn secret() -> SecretKey {
    SecretKey::generate().unwrap()
}

fn config(key: SecretKey, limits: &Limits) -> Config {
    let config = Config::new(key)
        .peers(PeerPolicy::dangerous_any())
        .idle_timeout(limits.idle)
        .end_deadline(limits.end)
        .write_stall_limit(limits.stall)
        .handshake_deadline(limits.end)
        .max_age(limits.age)
        .drain_before(ms(500))
        .rekey_after(limits.rekey, 1 << 30, ms(60_000));
    let config = if limits.hybrid {
        config
    } else {
        config.suites([Suite::ChaChaPoly])
    };
    if limits.acknowledges {
        config.acknowledge_explicitly()
    } else {
        config
    }
}

fn play(scene: &Scene) -> Result<Duration, String> {
    let weather = &scene.plan.weather;
    let mut sim = Builder::new()
        .rng_seed(scene.seed)
        .tick_duration(TICK)
        .simulation_duration(LIMIT * 2)
        .min_message_latency(weather.latency.0)
        .max_message_latency(weather.latency.1)
        .tcp_capacity(weather.window)
        .build();
    for (side, name) in HOSTS.into_iter().enumerate() {
        let scene = scene.clone();
        sim.host(name, move || scene.clone().live(side));
    }
    let mut due = scene.plan.events();
    let done = loop {
        while due.first().is_some_and(|(at, _event)| *at <= sim.elapsed()) {
            scene.befall(&mut sim, due.remove(0).1);
        }
        if let Err(error) = sim.step() {
            break Err(format!("a host failed: {error}"));
        }
        let book = scene.shared.book();
        if book.done && book.busy == 0 {
            break Ok(sim.elapsed());
        }
        if sim.elapsed() > LIMIT {
            break Err(format!("I4: never ends: {:?}", book.pairs));
        }
    };
    // Outside of the simulation nothing can be written any more.
    for line in scene.lines.lock().unwrap().iter().flatten() {
        line.kill();
    }
    done
}

/// One change of the world.
#[derive(Debug, Clone, Copy)]
enum Event {
    Strike(Fault),
    Release,
    Repair,
    Restart(usize),
}

impl Plan {
    fn events(&self) -> Vec<(Duration, Event)> {
        let mut events = Vec::new();
        for (at, fault) in &self.faults {
            events.push((*at, Event::Strike(*fault)));
            let undone = match *fault {
                Fault::Hold(time) => Some((time, Event::Release)),
                Fault::Partition(time) => Some((time, Event::Repair)),
                Fault::Kill(side, time) | Fault::PowerLoss(side, time) => {
                    Some((time, Event::Restart(side)))
                }
                Fault::OneWay(_) | Fault::Cut(..) => None,
            };
            events.extend(undone.map(|(time, event)| (*at + ms(time), event)));
        }
        events.sort_by_key(|(at, _event)| *at);
        events
    }
}

impl Scene {
    fn befall(&self, sim: &mut Sim<'_>, event: Event) {
        let [alice, bob] = HOSTS;
        match event {
            Event::Strike(Fault::Hold(_)) => sim.hold(alice, bob),
            Event::Release => sim.release(alice, bob),
            Event::Strike(Fault::Partition(_)) => sim.partition(alice, bob),
            Event::Repair => sim.repair(alice, bob),
            Event::Strike(Fault::OneWay(side)) => {
                sim.partition_oneway(HOSTS[side], HOSTS[1 - side]);
            }
            Event::Strike(Fault::Cut(side, cut)) => {
                self.lines.lock().unwrap()[side]
                    .iter()
                    .for_each(|line| line.cut(cut));
            }
            Event::Strike(Fault::Kill(side, _)) => self.kill(sim, side),
            Event::Strike(Fault::PowerLoss(side, _)) => {
                sim.partition(alice, bob);
                self.kill(sim, side);
            }
            Event::Restart(side) => {
                sim.repair(alice, bob);
                sim.bounce(HOSTS[side]);
            }
        }
    }

    /// No code of the process runs any more, not even what runs when its values are dropped.
    fn kill(&self, sim: &mut Sim<'_>, side: usize) {
        let lines = std::mem::take(&mut self.lines.lock().unwrap()[side]);
        lines.iter().for_each(Handle::kill);
        sim.crash(HOSTS[side]);
    }

    async fn live(self, side: usize) -> turmoil::Result {
        match side {
            ALICE => self.call().await,
            _bob => self.answer().await,
        }
    }

    async fn call(self) -> turmoil::Result {
        loop {
            let number = self.shared.book().calls;
            let Some(script) = self.plan.scripts[ALICE].get(number as usize) else {
                break;
            };
            self.shared.book().calls += 1;
            let dialled = timeout(ms(3_000), TcpStream::connect((HOSTS[BOB], PORT))).await;
            let Ok(Ok(io)) = dialled else {
                tokio::time::sleep(ms(300)).await;
                continue;
            };
            let (line, handle) = self.line(ALICE, number, io);
            let remote = self.seed.is_multiple_of(2).then_some(&self.bob);
            if let Ok(session) = connect(line, remote, &self.configs[ALICE]).await {
                handle.established();
                let _busy = self.shared.busy();
                self.app(ALICE, &session).run(session, script).await;
            }
        }
        self.shared.book().done = true;
        Ok(())
    }

    async fn answer(self) -> turmoil::Result {
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        for number in 0_u32.. {
            let (io, _from) = listener.accept().await?;
            let scene = self.clone();
            let _task = spawn_local(async move {
                let _busy = scene.shared.busy();
                let (line, handle) = scene.line(BOB, number, io);
                if let Ok(session) = accept(line, &scene.configs[BOB]).await {
                    handle.established();
                    let scripts = &scene.plan.scripts[BOB];
                    let script = &scripts[number as usize % scripts.len()];
                    scene.app(BOB, &session).run(session, script).await;
                }
            });
        }
        Ok(())
    }

    fn line(&self, side: usize, number: u32, io: TcpStream) -> (Line, Handle) {
        let mut hasher = DefaultHasher::new();
        (self.seed, side, number).hash(&mut hasher);
        let rng = Rng::with_seed(hasher.finish());
        let line = Line::new(io, rng, self.plan.weather.most, self.plan.cuts[side]);
        let handle = line.handle();
        self.lines.lock().unwrap()[side].push(handle.clone());
        (line, handle)
    }

    fn app(&self, side: usize, session: &duologue::Session) -> App {
        App {
            page: self.shared.open(side, session.peer().handshake_hash),
            acknowledges: self.plan.limits.acknowledges,
        }
    }

    fn report(&self, elapsed: Duration) -> Result<Report, String> {
        let book = self.shared.book();
        let mut wrongs = book.wrongs.clone();
        let calm = self.plan.calm;
        for (number, pair) in book.pairs.iter().enumerate() {
            let broken = judge(pair, &self.plan);
            wrongs.extend(
                broken
                    .iter()
                    .map(|wrong| format!("session {number}, {wrong}")),
            );
        }
        if !wrongs.is_empty() {
            let mut text = wrongs.join("\n  ");
            let _infallible = write!(text, "\n  {:?}\n  {:?}", self.plan, book.pairs);
            return Err(text);
        }
        let mut hasher = DefaultHasher::new();
        format!("{:?}", book.pairs).hash(&mut hasher);
        let mut ends = [0; 4];
        for record in book.pairs.iter().flatten().flatten() {
            ends[record.kind()] += 1;
        }
        Ok(Report {
            sessions: book.pairs.len(),
            calm,
            ends,
            elapsed,
            trace: hasher.finish(),
        })
    }
}
