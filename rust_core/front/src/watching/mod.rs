//! What calls cost and how they ended: counted without locks, noted for log and traces where somebody wants them.

mod histogram;
mod log;
mod trace;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue};
use parking_lot::{Condvar, Mutex};
use tonic::Code;

use crate::answers::Method;
use crate::health::{CHECK, WATCH};

pub use histogram::{Distribution, Histogram};
pub use log::LogFormat;
pub use trace::{TRACEPARENT, Trace};

/// The statuses of gRPC.
const CODES: usize = 17;
/// What is kept between two writes of the log, or until Python takes the spans; more is counted and dropped.
const MOST_NOTES: usize = 65_536;
const WRITE_EVERY: Duration = Duration::from_millis(100);

/// What a call is about, for the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A method that may be answered here.
    Native(Method),
    /// A question about health; one that waits for changes counts when it ends.
    Health,
    /// Any other: its path is the caller's to choose, so it is no name for a figure.
    Other,
}

impl Subject {
    const ALL: [Self; 6] = [
        Self::Native(Method::Search),
        Self::Native(Method::BatchSearch),
        Self::Native(Method::Get),
        Self::Native(Method::BatchGet),
        Self::Health,
        Self::Other,
    ];

    fn index(self) -> usize {
        match self {
            Self::Native(Method::Search) => 0,
            Self::Native(Method::BatchSearch) => 1,
            Self::Native(Method::Get) => 2,
            Self::Native(Method::BatchGet) => 3,
            Self::Health => 4,
            Self::Other => 5,
        }
    }

    /// What a path is about.
    pub(crate) fn of(path: &str) -> Self {
        match path {
            CHECK | WATCH => Self::Health,
            _ => Method::of(path).map_or(Self::Other, Self::Native),
        }
    }

    /// Its path, or a word for those that have no path of their own.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native(Method::Search) => "/mnemic.v1.MemoryService/SearchMemories",
            Self::Native(Method::BatchSearch) => "/mnemic.v1.MemoryService/BatchSearchMemories",
            Self::Native(Method::Get) => "/mnemic.v1.MemoryService/GetMemory",
            Self::Native(Method::BatchGet) => "/mnemic.v1.MemoryService/BatchGetMemories",
            Self::Health => "/grpc.health.v1.Health",
            Self::Other => "other",
        }
    }
}

/// What is wanted besides the figures.
#[derive(Clone, Copy, Debug)]
pub struct WatchSettings {
    /// A line for each call that is answered here, on standard error.
    pub log: Option<LogFormat>,
    /// The share of calls without a caller's trace that begin one; None records no traces at all.
    pub trace_ratio: Option<f64>,
}

/// Watches the calls of one front.
#[derive(Debug)]
pub struct Watch {
    settings: WatchSettings,
    calls: [[[AtomicU64; CODES]; 2]; Subject::ALL.len()],
    durations: [Histogram; Subject::ALL.len()],
    notes: Mutex<Vec<Note>>,
    spans: Mutex<Vec<Note>>,
    dropped: AtomicU64,
    writer: Mutex<Option<JoinHandle<()>>>,
    stopping: AtomicBool,
    stop: Condvar,
}

/// A call that has ended here.
#[derive(Clone, Debug)]
pub struct Note {
    /// Its path.
    pub method: &'static str,
    /// The name of its status.
    pub code: &'static str,
    /// When it began.
    pub began: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// Its name in logs.
    pub call_id: HeaderValue,
    /// Its span, if it is recorded.
    pub trace: Option<Trace>,
}

/// A call that goes on; dropped without an end, it counts as cancelled.
#[derive(Debug)]
pub(crate) struct Watched {
    watch: Arc<Watch>,
    subject: Subject,
    call_id: HeaderValue,
    began: Instant,
    trace: Option<Trace>,
    is_relayed: bool,
    code: Code,
}

impl Watch {
    /// Begins, with a thread that writes the log if there is one.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(settings: WatchSettings) -> io::Result<Arc<Self>> {
        let watch = Arc::new(Self {
            settings,
            calls: Default::default(),
            durations: Default::default(),
            notes: Mutex::default(),
            spans: Mutex::default(),
            dropped: AtomicU64::new(0),
            writer: Mutex::default(),
            stopping: AtomicBool::new(false),
            stop: Condvar::new(),
        });
        if let Some(format) = settings.log {
            let own = Arc::clone(&watch);
            let writer = thread::Builder::new()
                .name("mnemic-front-log".to_owned())
                .spawn(move || own.write_log(format))?;
            *watch.writer.lock() = Some(writer);
        }
        Ok(watch)
    }

    /// A call begins.
    pub(crate) fn begin(
        self: &Arc<Self>,
        subject: Subject,
        headers: &HeaderMap,
        call_id: HeaderValue,
    ) -> Watched {
        let ratio = self.settings.trace_ratio;
        Watched {
            watch: Arc::clone(self),
            subject,
            call_id,
            began: Instant::now(),
            trace: ratio.and_then(|ratio| Trace::of(headers, ratio)),
            is_relayed: false,
            code: Code::Cancelled,
        }
    }

    /// How often calls ended, by subject, whether they were relayed and status; those that never happened are left out.
    pub fn calls(&self) -> Vec<(Subject, bool, Code, u64)> {
        let mut found = Vec::new();
        for subject in Subject::ALL {
            for (relayed, counts) in [false, true].into_iter().zip(&self.calls[subject.index()]) {
                for (code, count) in counts.iter().enumerate() {
                    let count = count.load(Relaxed);
                    if count > 0 {
                        found.push((subject, relayed, Code::from_i32(code as i32), count));
                    }
                }
            }
        }
        found
    }

    /// How long the calls took that were answered here.
    pub fn durations(&self) -> Vec<(Subject, Distribution)> {
        let read = |subject: Subject| (subject, self.durations[subject.index()].read());
        Subject::ALL
            .into_iter()
            .filter(|&subject| subject != Subject::Other)
            .map(read)
            .collect()
    }

    /// How many notes for log or traces were dropped, for want of room.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// The calls whose spans are recorded, since this was last asked.
    pub fn take_spans(&self) -> Vec<Note> {
        std::mem::take(&mut self.spans.lock())
    }

    /// Writes what is left and ends the thread.
    pub fn stop(&self) {
        self.stopping.store(true, Relaxed);
        self.stop.notify_all();
        if let Some(writer) = self.writer.lock().take() {
            // It wrote what it could.
            let _ = writer.join();
        }
    }

    fn note(&self, kept: &Mutex<Vec<Note>>, note: Note) {
        let mut kept = kept.lock();
        if kept.len() < MOST_NOTES {
            kept.push(note);
        } else {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    fn write_log(&self, format: LogFormat) {
        let mut lines = String::new();
        loop {
            let is_last = self.stopping.load(Relaxed);
            let noted = std::mem::take(&mut *self.notes.lock());
            for note in &noted {
                log::write_line(&mut lines, format, note);
            }
            if !lines.is_empty() {
                // A log that cannot be written has nowhere to say so.
                let _ = io::stderr().write_all(lines.as_bytes());
                lines.clear();
            }
            if is_last {
                return;
            }
            let mut notes = self.notes.lock();
            if !self.stopping.load(Relaxed) {
                self.stop.wait_for(&mut notes, WRITE_EVERY);
            }
        }
    }
}

impl Watched {
    /// The call goes to Python, which logs and traces it itself; its span becomes the parent of Python's.
    pub(crate) fn relay(&mut self, headers: &mut HeaderMap) {
        self.is_relayed = true;
        if let Some(trace) = self.trace {
            headers.insert(TRACEPARENT, trace.header());
        }
    }

    /// The status that the caller was told.
    pub(crate) fn told(&mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let (watch, subject) = (&self.watch, self.subject.index());
        let calls = &watch.calls[subject][usize::from(self.is_relayed)];
        calls[self.code as usize].fetch_add(1, Relaxed);
        let duration = self.began.elapsed();
        if !self.is_relayed {
            watch.durations[subject].count(duration);
        }
        let is_logged =
            watch.settings.log.is_some() && !self.is_relayed && self.subject != Subject::Health;
        if !is_logged && self.trace.is_none() {
            return;
        }
        let note = Note {
            method: self.subject.name(),
            code: name_of(self.code),
            began: SystemTime::now() - duration,
            duration,
            call_id: self.call_id.clone(),
            trace: self.trace,
        };
        if self.trace.is_some() {
            watch.note(&watch.spans, note.clone());
        }
        if is_logged {
            watch.note(&watch.notes, note);
        }
    }
}

/// The name of a status, as Python writes it.
pub fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
