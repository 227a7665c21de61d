//! Sends requests to a server at a pace and reports latencies: `mnemic-load < plan.json`, a report in JSON on standard
//! output. One thread, so that it leaves the other cores to the server.

mod connection;
mod measure;
mod plan;

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::LocalSet;

use connection::{Failure, Sender, Template, connect};
use measure::{Arrivals, Report, Tally};
use plan::{Pace, Plan, Request};

/// After the run, answers on their way may still come within this time.
const GRACE: Duration = Duration::from_secs(2);
/// How late a sleeping thread usually wakes.
const CLOCK_GRAIN: Duration = Duration::from_micros(200);

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            let text = serde_json::to_string(&report).expect("a report is JSON");
            match writeln!(std::io::stdout(), "{text}") {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
        Err(error) => {
            // Without a place to complain the exit code must do.
            let _ = writeln!(std::io::stderr(), "mnemic-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Report, Failure> {
    let plan: Plan = serde_json::from_reader(std::io::stdin())?;
    let requests = plan::requests(&std::fs::read(&plan.requests)?, plan.protocol)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, drive(plan, requests))
}

/// What all streams of a run share.
struct Load {
    template: Template,
    requests: Vec<Request>,
    next: Cell<usize>,
    tally: RefCell<Tally>,
    arrivals: Cell<Arrivals>,
}

impl Load {
    fn next(&self) -> &Request {
        let position = self.next.get();
        self.next.set((position + 1) % self.requests.len());
        &self.requests[position]
    }

    fn count(&self, count: impl FnOnce(&mut Arrivals)) {
        let mut arrivals = self.arrivals.get();
        count(&mut arrivals);
        self.arrivals.set(arrivals);
    }

    async fn call(&self, sender: &mut Sender, due: Instant) -> bool {
        let request = self.next();
        self.count(|arrivals| arrivals.sent += 1);
        let status = sender.call(&self.template, request).await;
        self.count(|arrivals| arrivals.ended += 1);
        let is_whole = status.is_ok();
        self.tally.borrow_mut().note(request.class, due, status);
        is_whole
    }
}

async fn drive(plan: Plan, requests: Vec<Request>) -> Result<Report, Failure> {
    let begin = Instant::now();
    let from = begin + Duration::from_secs_f64(plan.warm_up_seconds);
    let end = from + Duration::from_secs_f64(plan.seconds);
    let load = Rc::new(Load {
        template: Template::new(&plan),
        requests,
        next: Cell::new(0),
        tally: RefCell::new(Tally::new(from)),
        arrivals: Cell::default(),
    });
    match plan.pace {
        Pace::Closed {
            connections,
            streams,
        } => closed(&plan, &load, connections, streams, end).await?,
        Pace::Open {
            connections,
            per_second,
            in_flight,
        } => open(&plan, &load, connections, per_second, in_flight, end).await?,
    }
    let tally = std::mem::replace(&mut *load.tally.borrow_mut(), Tally::new(end));
    Ok(tally.into_report(plan.seconds, load.arrivals.get()))
}

async fn closed(
    plan: &Plan,
    load: &Rc<Load>,
    connections: usize,
    streams: usize,
    end: Instant,
) -> Result<(), Failure> {
    let mut senders = Vec::new();
    for _ in 0..connections {
        let sender = connect(plan).await?;
        senders.extend((1..streams).map_while(|_| sender.sharing()));
        senders.push(sender);
    }
    let tasks: Vec<_> = senders
        .into_iter()
        .map(|mut sender| {
            let load = Rc::clone(load);
            tokio::task::spawn_local(async move {
                // A broken connection ends its streams; the report counts it.
                loop {
                    let now = Instant::now();
                    if now >= end {
                        break;
                    }
                    load.count(|arrivals| arrivals.due += 1);
                    if !load.call(&mut sender, now).await {
                        break;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        let left = (end + GRACE).saturating_duration_since(Instant::now());
        let _ = tokio::time::timeout(left, task).await;
    }
    Ok(())
}

async fn open(
    plan: &Plan,
    load: &Rc<Load>,
    connections: usize,
    per_second: f64,
    in_flight: usize,
    end: Instant,
) -> Result<(), Failure> {
    let mut senders = Vec::new();
    for _ in 0..connections {
        senders.push(connect(plan).await?);
    }
    let places = Arc::new(Semaphore::new(in_flight));
    let mut arrivals = arrivals(per_second, end);
    let mut count = 0;
    while let Some(due) = arrivals.recv().await {
        // Those that still wait for a place when the time is over are counted, not sent.
        load.count(|arrivals| arrivals.due += 1);
        if Instant::now() >= end {
            continue;
        }
        let place = Arc::clone(&places).acquire_owned().await?;
        let sharing = senders[count % connections].sharing();
        let mut sender = sharing.ok_or("an open pace needs gRPC: HTTP/1.1 has no streams")?;
        let load = Rc::clone(load);
        tokio::task::spawn_local(async move {
            load.call(&mut sender, due).await;
            drop(place);
        });
        count += 1;
    }
    let whole = u32::try_from(in_flight)?;
    let _ = tokio::time::timeout(GRACE, places.acquire_many(whole)).await;
    Ok(())
}

/// The moments at which requests arrive, from a thread that waits for nothing but the clock.
fn arrivals(per_second: f64, end: Instant) -> UnboundedReceiver<Instant> {
    let (sender, receiver) = unbounded_channel();
    let begin = Instant::now();
    std::thread::spawn(move || {
        for count in 0_u32.. {
            let due = begin + Duration::from_secs_f64(f64::from(count) / per_second);
            if due >= end {
                break;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            // A clock that wakes late by its own grain makes a late arrival; more than that is somebody's fault.
            let now = Instant::now();
            let arrival = if now - due < CLOCK_GRAIN { now } else { due };
            if sender.send(arrival).is_err() {
                break;
            }
        }
    });
    receiver
}
