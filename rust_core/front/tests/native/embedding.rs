//! Fresh texts: what callers hear when the model has more to do than it may have waiting, or too late, or fails.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use mnemic_embedding::{Error, QueryEmbedder, QueryModel, Queue, VectorCache};
use mnemic_front::Reason;
use mnemic_front::answers::{Answer, Answered, Answers, Method};
use mnemic_front::contract::{SearchMemoriesRequest, SearchMemoriesResponse};
use prost::Message;

use crate::support::{DIMENSION, Native, by_words, message, native_with};

/// Says which text it was given, and works on it until it is told what to answer.
struct Gated {
    begun: Mutex<Sender<String>>,
    answers: Mutex<Receiver<Result<Vec<f32>, Error>>>,
}

impl QueryModel for Gated {
    fn identity(&self) -> &'static str {
        "gated"
    }

    fn dimension(&self) -> usize {
        DIMENSION
    }

    fn embed_all(&self, texts: &[&str], _: Option<Instant>) -> Result<Vec<f32>, Error> {
        self.begun.lock().unwrap().send(texts.concat()).unwrap();
        self.answers.lock().unwrap().recv().unwrap()
    }
}

/// Takes no time.
struct Quick;

impl QueryModel for Quick {
    fn identity(&self) -> &'static str {
        "quick"
    }

    fn dimension(&self) -> usize {
        DIMENSION
    }

    fn is_quick(&self) -> bool {
        true
    }

    fn embed_all(&self, _: &[&str], _: Option<Instant>) -> Result<Vec<f32>, Error> {
        Ok(vec![1.0, 0.0, 0.0, 0.0])
    }
}

/// Native answers whose model has one thread and room for one text that waits.
struct Gate {
    native: Native,
    begun: Receiver<String>,
    answers: Sender<Result<Vec<f32>, Error>>,
}

fn gate() -> Gate {
    let (tell_begun, begun) = channel();
    let (answers, told) = channel();
    let model = Gated {
        begun: Mutex::new(tell_begun),
        answers: Mutex::new(told),
    };
    let queue = Queue {
        threads: 1,
        waiting: 1,
    };
    Gate {
        native: native_with(Some(embedder_of(model, queue))),
        begun,
        answers,
    }
}

type Asked = std::pin::Pin<Box<dyn Future<Output = Answered> + Send>>;

impl Gate {
    /// Asks, as far as that goes without waiting.
    fn ask(&self, text: &str, deadline: Option<Instant>) -> (Asked, Poll<Answered>) {
        let request = by_text(text).encode_to_vec().into();
        let (answers, caller) = (&self.native.answers, &self.native.anyone);
        match answers.answer(Method::Search, caller, request, deadline) {
            Answer::Now(_) => panic!("a fresh text must wait for the model"),
            Answer::Later(mut later) => {
                let polled = later.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                (later, polled)
            }
        }
    }

    fn begun(&self) -> String {
        self.begun.recv().unwrap()
    }

    fn go_on(&self) {
        self.answers.send(Ok(vec![1.0, 0.0, 0.0, 0.0])).unwrap();
    }
}

fn by_text(text: &str) -> SearchMemoriesRequest {
    SearchMemoriesRequest {
        query: text.to_owned(),
        profile: "balanced".to_owned(),
        ..by_words()
    }
}

fn embedder_of(model: impl QueryModel + 'static, queue: Queue) -> Arc<QueryEmbedder> {
    let cache = VectorCache::new(model.identity(), DIMENSION, 100);
    let embedder = QueryEmbedder::new(Some(Arc::new(model)), Arc::new(cache), queue);
    Arc::new(embedder.unwrap())
}

fn wait(asked: Asked) -> Answered {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(asked)
}

#[test]
fn a_text_that_finds_the_queue_full_is_refused_at_once_and_costs_the_others_nothing() {
    let gate = gate();
    let (runs, _) = gate.ask("runs", None);
    assert_eq!(gate.begun(), "runs");
    let (waits, polled) = gate.ask("waits", None);
    assert!(polled.is_pending());
    let (_, polled) = gate.ask("one too many", None);
    let Poll::Ready(Some(Err(refusal))) = polled else {
        panic!("it waits");
    };
    assert_eq!(refusal.reason, Reason::Overloaded);
    assert!(refusal.retry_after > Some(Duration::ZERO));
    // One more who waits is one too many, though the text be at work already.
    let (_, polled) = gate.ask("runs", None);
    assert!(matches!(polled, Poll::Ready(Some(Err(_)))));
    gate.go_on();
    assert_eq!(gate.begun(), "waits");
    gate.go_on();
    for asked in [runs, waits] {
        let found: SearchMemoriesResponse = message(wait(asked));
        assert_eq!(found.hits[0].body, "a banana");
    }
}

#[test]
fn a_text_whose_deadline_passes_in_the_queue_is_never_embedded() {
    let gate = gate();
    let (runs, _) = gate.ask("runs", None);
    assert_eq!(gate.begun(), "runs");
    let (late, polled) = gate.ask("late", Some(Instant::now()));
    assert!(polled.is_pending());
    gate.go_on();
    assert_eq!(
        wait(late).unwrap().unwrap_err().reason,
        Reason::DeadlineExceeded
    );
    assert!(wait(runs).unwrap().is_ok());
    let (next, _) = gate.ask("next", None);
    assert_eq!(gate.begun(), "next");
    gate.go_on();
    assert!(wait(next).unwrap().is_ok());
}

#[test]
fn a_text_that_the_model_fails_on_is_left_to_python() {
    let gate = gate();
    let (asked, _) = gate.ask("hard", None);
    gate.begun();
    let failure = Error::Internal("the model failed".to_owned());
    gate.answers.send(Err(failure)).unwrap();
    assert!(wait(asked).is_none());
}

#[test]
fn a_quick_model_answers_before_anybody_waits() {
    let queue = Queue {
        threads: 1,
        waiting: 1,
    };
    let native = native_with(Some(embedder_of(Quick, queue)));
    let request = by_text("fresh").encode_to_vec().into();
    let (answers, caller) = (&native.answers, &native.anyone);
    let Answer::Later(mut asked) = answers.answer(Method::Search, caller, request, None) else {
        panic!("a text that is not known is asked of the model");
    };
    let polled = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(answered) = polled else {
        panic!("it waits for another thread");
    };
    let found: SearchMemoriesResponse = message(answered);
    assert_eq!(found.hits[0].body, "a banana");
}
