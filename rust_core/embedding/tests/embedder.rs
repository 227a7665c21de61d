//! Many callers and one model: what is run, what is shared, what is refused.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use mnemic_embedding::{Error, QueryEmbedder, QueryModel, Queue, Vector, VectorCache};

type Answer = Result<Vector, Error>;

/// A model that tells when a run begins and ends it when it is told to.
struct Gated {
    runs: AtomicUsize,
    begun: mpsc::SyncSender<String>,
    go_on: parking_lot::Mutex<mpsc::Receiver<()>>,
}

impl QueryModel for Gated {
    fn identity(&self) -> &'static str {
        "gated:1"
    }

    fn dimension(&self) -> usize {
        2
    }

    fn embed_all(&self, texts: &[&str], _: Option<Instant>) -> Result<Vec<f32>, Error> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        self.begun.send(texts[0].to_owned()).unwrap();
        self.go_on.lock().recv().unwrap();
        match texts[0] {
            "panics" => panic!("as it was asked to"),
            "fails" => Err(Error::Internal("as it was asked to".to_owned())),
            text => Ok(vec![text.len() as f32, 0.0]),
        }
    }
}

struct Bench {
    embedder: Arc<QueryEmbedder>,
    model: Arc<Gated>,
    begun: mpsc::Receiver<String>,
    go_on: mpsc::Sender<()>,
}

fn bench(threads: usize, waiting: usize) -> Bench {
    let (begun_sender, begun) = mpsc::sync_channel(1000);
    let (go_on, go_on_receiver) = mpsc::channel();
    let model = Arc::new(Gated {
        runs: AtomicUsize::new(0),
        begun: begun_sender,
        go_on: parking_lot::Mutex::new(go_on_receiver),
    });
    let cache = Arc::new(VectorCache::new("gated:1", 2, 100));
    let queue = Queue { threads, waiting };
    let embedder = QueryEmbedder::new(Some(model.clone()), cache, queue).unwrap();
    Bench {
        embedder: Arc::new(embedder),
        model,
        begun,
        go_on,
    }
}

impl Bench {
    fn ask(&self, text: &str) -> mpsc::Receiver<Answer> {
        self.ask_until(text, None)
    }

    fn ask_until(&self, text: &str, deadline: Option<Instant>) -> mpsc::Receiver<Answer> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.embedder
            .embed(text, deadline, move |answer| sender.send(answer).unwrap());
        receiver
    }

    fn runs(&self) -> usize {
        self.model.runs.load(Ordering::SeqCst)
    }
}

fn answer(receiver: &mpsc::Receiver<Answer>) -> Answer {
    receiver.recv_timeout(Duration::from_secs(30)).unwrap()
}

fn vector(first: f32) -> Vector {
    [first, 0.0]
        .iter()
        .flat_map(|part| part.to_le_bytes())
        .collect()
}

#[test]
fn a_fresh_text_is_run_once_and_then_known() {
    let bench = bench(1, 4);
    assert_eq!(bench.embedder.cached("tea"), None);
    let first = bench.ask("tea");
    bench.go_on.send(()).unwrap();
    assert_eq!(answer(&first), Ok(vector(3.0)));
    assert_eq!(bench.embedder.cached("tea"), Some(vector(3.0)));
    assert_eq!(answer(&bench.ask("tea")), Ok(vector(3.0)));
    assert_eq!(bench.runs(), 1);
    let counters = bench.embedder.counters();
    assert_eq!((counters.hits, counters.misses), (2, 1));
}

#[test]
fn ten_callers_of_the_same_fresh_text_cause_one_run() {
    let bench = bench(2, 20);
    let callers: Vec<_> = (0..5).map(|_| bench.ask("tea")).collect();
    bench.begun.recv().unwrap();
    // These come while the model runs.
    let later: Vec<_> = (0..5).map(|_| bench.ask("tea")).collect();
    let counters = bench.embedder.counters();
    assert_eq!(
        (counters.waiting, counters.running, counters.joined),
        (10, 1, 9)
    );
    bench.go_on.send(()).unwrap();
    for caller in callers.iter().chain(&later) {
        assert_eq!(answer(caller), Ok(vector(3.0)));
    }
    assert_eq!(bench.runs(), 1);
    let counters = bench.embedder.counters();
    assert_eq!((counters.waiting, counters.misses), (0, 1));
}

#[test]
fn a_request_beyond_the_queue_is_refused_at_once_and_there_is_room_again_later() {
    let bench = bench(1, 2);
    let running = bench.ask("one");
    bench.begun.recv().unwrap();
    let waiting = [bench.ask("two"), bench.ask("three")];
    assert_eq!(answer(&bench.ask("four")), Err(Error::Overloaded));
    // Another caller of a text that waits takes a place too.
    assert_eq!(answer(&bench.ask("two")), Err(Error::Overloaded));
    for _ in 0..3 {
        bench.go_on.send(()).unwrap();
    }
    assert_eq!(answer(&running), Ok(vector(3.0)));
    assert_eq!(answer(&waiting[1]), Ok(vector(5.0)));
    bench.go_on.send(()).unwrap();
    assert_eq!(answer(&bench.ask("four")), Ok(vector(4.0)));
}

#[test]
fn a_request_whose_deadline_passed_in_the_queue_costs_no_run() {
    let bench = bench(1, 4);
    let running = bench.ask("one");
    bench.begun.recv().unwrap();
    let late = bench.ask_until("two", Some(Instant::now()));
    let patient = bench.ask("three");
    bench.go_on.send(()).unwrap();
    bench.go_on.send(()).unwrap();
    assert_eq!(answer(&running), Ok(vector(3.0)));
    assert!(matches!(answer(&late), Err(Error::Deadline(_))));
    assert_eq!(answer(&patient), Ok(vector(5.0)));
    assert_eq!(bench.runs(), 2);
}

#[test]
fn a_text_is_run_for_whoever_still_waits_for_it() {
    let bench = bench(1, 4);
    let running = bench.ask("one");
    bench.begun.recv().unwrap();
    let late = bench.ask_until("three", Some(Instant::now()));
    let patient = bench.ask("three");
    bench.go_on.send(()).unwrap();
    bench.go_on.send(()).unwrap();
    assert_eq!(answer(&running), Ok(vector(3.0)));
    assert!(matches!(answer(&late), Err(Error::Deadline(_))));
    assert_eq!(answer(&patient), Ok(vector(5.0)));
}

#[test]
fn a_full_queue_lets_go_of_requests_that_are_too_late() {
    let bench = bench(1, 1);
    let running = bench.ask("one");
    bench.begun.recv().unwrap();
    let late = bench.ask_until("two", Some(Instant::now()));
    let patient = bench.ask("three");
    // It is told before the model is done with the first.
    assert!(matches!(answer(&late), Err(Error::Deadline(_))));
    bench.go_on.send(()).unwrap();
    bench.go_on.send(()).unwrap();
    assert_eq!(answer(&running), Ok(vector(3.0)));
    assert_eq!(answer(&patient), Ok(vector(5.0)));
}

#[test]
fn a_panic_or_a_failure_of_the_model_is_an_answer_and_the_next_text_is_embedded() {
    let bench = bench(1, 4);
    let answers = [bench.ask("panics"), bench.ask("fails"), bench.ask("tea")];
    for _ in 0..3 {
        bench.go_on.send(()).unwrap();
    }
    assert!(matches!(answer(&answers[0]), Err(Error::Internal(_))));
    assert!(matches!(answer(&answers[1]), Err(Error::Internal(_))));
    assert_eq!(answer(&answers[2]), Ok(vector(3.0)));
    assert_eq!(bench.embedder.cached("fails"), None);
    assert_eq!(bench.embedder.counters().running, 0);
}

#[test]
fn a_callback_that_panics_costs_the_others_nothing() {
    let bench = bench(1, 4);
    bench
        .embedder
        .embed("tea", None, |_| panic!("a defect of the caller"));
    let other = bench.ask("tea");
    bench.go_on.send(()).unwrap();
    assert_eq!(answer(&other), Ok(vector(3.0)));
}

#[test]
fn closing_refuses_what_waits_and_answers_what_runs() {
    let bench = bench(1, 4);
    let running = bench.ask("one");
    bench.begun.recv().unwrap();
    let waiting = bench.ask("two");
    let closing = {
        let embedder = Arc::clone(&bench.embedder);
        thread::spawn(move || embedder.close())
    };
    assert_eq!(answer(&waiting), Err(Error::Closed));
    bench.go_on.send(()).unwrap();
    closing.join().unwrap();
    assert_eq!(answer(&running), Ok(vector(3.0)));
    assert_eq!(answer(&bench.ask("four")), Err(Error::Closed));
    // What is known is still told.
    assert_eq!(answer(&bench.ask("one")), Ok(vector(3.0)));
}

#[test]
fn the_last_owner_may_be_a_callback() {
    let bench = bench(1, 4);
    let (sender, receiver) = mpsc::sync_channel(1);
    let owner = Arc::clone(&bench.embedder);
    bench.embedder.embed("tea", None, move |answer| {
        drop(owner);
        sender.send(answer).unwrap();
    });
    bench.begun.recv().unwrap();
    drop(bench.embedder);
    bench.go_on.send(()).unwrap();
    assert_eq!(answer(&receiver), Ok(vector(3.0)));
}

#[test]
fn without_a_model_only_what_the_cache_holds_is_known() {
    let cache = Arc::new(VectorCache::new("remote:1", 2, 100));
    let queue = Queue {
        threads: 2,
        waiting: 2,
    };
    let embedder = QueryEmbedder::new(None, Arc::clone(&cache), queue).unwrap();
    assert!(!embedder.runs_model());
    cache.insert(cache.key(b"tea"), vector(1.0));
    assert_eq!(embedder.cached("tea"), Some(vector(1.0)));
    let (sender, receiver) = mpsc::sync_channel(1);
    embedder.embed("coffee", None, move |answer| sender.send(answer).unwrap());
    assert_eq!(answer(&receiver), Err(Error::NoModel));
}

#[test]
fn a_quick_model_embeds_on_the_thread_of_its_caller_unless_the_text_is_long() {
    /// Tells on which thread it ran.
    struct Quick(Arc<parking_lot::Mutex<Vec<thread::ThreadId>>>);
    impl QueryModel for Quick {
        fn identity(&self) -> &'static str {
            "quick:1"
        }
        fn dimension(&self) -> usize {
            2
        }
        fn is_quick(&self) -> bool {
            true
        }
        fn embed_all(&self, texts: &[&str], _: Option<Instant>) -> Result<Vec<f32>, Error> {
            self.0.lock().push(thread::current().id());
            match texts[0] {
                "panics" => panic!("as it was asked to"),
                text => Ok(vec![text.len() as f32, 0.0]),
            }
        }
    }
    let ran = Arc::default();
    let cache = Arc::new(VectorCache::new("quick:1", 2, 8));
    let queue = Queue {
        threads: 1,
        waiting: 1,
    };
    let model = Arc::new(Quick(Arc::clone(&ran)));
    let embedder = QueryEmbedder::new(Some(model), cache, queue).unwrap();
    let ask = |text: &str| {
        let (sender, receiver) = mpsc::sync_channel(1);
        embedder.embed(text, None, move |answer| sender.send(answer).unwrap());
        receiver
    };
    assert_eq!(ask("tea").try_recv().unwrap(), Ok(vector(3.0)));
    assert_eq!(ask("tea").try_recv().unwrap(), Ok(vector(3.0)));
    assert!(matches!(
        ask("panics").try_recv().unwrap(),
        Err(Error::Internal(_))
    ));
    let long = "tea ".repeat(1_000);
    assert_eq!(answer(&ask(&long)), Ok(vector(4_000.0)));
    let own = thread::current().id();
    let ran: Vec<bool> = ran.lock().iter().map(|&thread| thread == own).collect();
    assert_eq!(ran, [true, true, false]);
    let counters = embedder.counters();
    assert_eq!((counters.hits, counters.misses), (1, 3));

    let refusal = |deadline| {
        let (sender, receiver) = mpsc::sync_channel(1);
        embedder.embed("late", deadline, move |answer| sender.send(answer).unwrap());
        receiver.try_recv().unwrap().unwrap_err()
    };
    assert!(matches!(
        refusal(Some(std::time::Instant::now())),
        Error::Deadline(_)
    ));
    embedder.close();
    assert_eq!(refusal(None), Error::Closed);
}

#[test]
fn many_callers_get_the_vectors_of_their_own_texts() {
    struct Lengths;
    impl QueryModel for Lengths {
        fn identity(&self) -> &'static str {
            "lengths:1"
        }
        fn dimension(&self) -> usize {
            2
        }
        fn embed_all(&self, texts: &[&str], _: Option<Instant>) -> Result<Vec<f32>, Error> {
            Ok(vec![texts[0].len() as f32, 0.0])
        }
    }
    // Small enough that vectors are forgotten all the time.
    let cache = Arc::new(VectorCache::new("lengths:1", 2, 8));
    let queue = Queue {
        threads: 3,
        waiting: 1000,
    };
    let embedder = QueryEmbedder::new(Some(Arc::new(Lengths)), cache, queue).unwrap();
    thread::scope(|scope| {
        for caller in 0..4 {
            let embedder = &embedder;
            scope.spawn(move || {
                for number in 0..2000 {
                    let text = "a".repeat(1 + (number * 7 + caller) % 40);
                    let (sender, receiver) = mpsc::sync_channel(1);
                    embedder.embed(&text, None, move |answer| sender.send(answer).unwrap());
                    assert_eq!(answer(&receiver), Ok(vector(text.len() as f32)));
                }
            });
        }
    });
    let counters = embedder.counters();
    assert_eq!((counters.waiting, counters.running), (0, 0));
    assert_eq!(counters.hits + counters.misses + counters.joined, 8000);
}
