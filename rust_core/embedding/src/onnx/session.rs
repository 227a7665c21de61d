//! One model in the onnxruntime library, which is loaded when the first one is opened.
//!
//! # Why it is sound
//!
//! `ort` wraps the library's C interface; only its `run` is passed by, because it takes the session exclusively (some
//! of the library's execution providers must not run twice at once). This session has none but the CPU's, for which
//! the library documents that any number of threads may call `Run` on a session. Everything that `Run` is given lives
//! until it returns: the session is borrowed, the tensors borrow the caller's slices, the names are owned by the
//! session. What it gives back is owned by the `DynValue` that is made of it at once.

use std::ffi::{CString, c_char};
use std::path::Path;
use std::ptr::{self, NonNull};

use ort::environment::Environment;
use ort::ep;
use ort::logging::LogLevel;
use ort::memory::Allocator;
use ort::value::{DynValue, Outlet, TensorRef};
use ort::{AsPointer, api};
use parking_lot::Mutex;

use crate::Error;

const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";
const TYPES: &str = "token_type_ids";
/// The output that is taken if there is one of this name.
const SENTENCE: &str = "sentence_embedding";

/// What a run gave: a tensor of any rank, its values widened or narrowed to float32.
pub(super) struct Output {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

/// A model that is ready to run on many threads at once.
pub(super) struct Session {
    onnx: ort::session::Session,
    inputs: Vec<Input>,
    output: CString,
}

struct Input {
    name: CString,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Ids,
    Mask,
    Types,
}

impl Session {
    /// Loads the library, if that was not done before, and the model.
    pub(super) fn open(library: &Path, model: &Path, threads: usize) -> Result<Self, Error> {
        let environment = environment(library)?;
        let session = configured(&environment, threads)
            .map_err(|error| Error::Library(format!("onnxruntime: {error}")))?
            .commit_from_file(model)
            .map_err(|error| Error::corrupt(model, format!("cannot be run: {error}")))?;
        let inputs = inputs(&session)?;
        let outputs = session.outputs();
        let output = outputs
            .iter()
            .find(|output| output.name() == SENTENCE)
            .or(outputs.first())
            .ok_or_else(|| Error::Unfit("the model has no output".to_owned()))?;
        let output = c_name(output.name())?;
        Ok(Self {
            onnx: session,
            inputs,
            output,
        })
    }

    /// Runs the model on token ids and their mask, both of `shape` (batch, tokens).
    pub(super) fn run(
        &self,
        shape: [usize; 2],
        ids: &[i64],
        mask: &[i64],
    ) -> Result<Output, Error> {
        self.try_run(shape, ids, mask)
            .map_err(|error| Error::Internal(format!("the model failed: {error}")))
    }

    fn try_run(&self, shape: [usize; 2], ids: &[i64], mask: &[i64]) -> ort::Result<Output> {
        // All tokens are of the first text: there is no second.
        let types = vec![0_i64; ids.len()];
        let mut names: Vec<*const c_char> = Vec::with_capacity(self.inputs.len());
        let mut tensors = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            let values = match input.kind {
                Kind::Ids => ids,
                Kind::Mask => mask,
                Kind::Types => &types,
            };
            names.push(input.name.as_ptr());
            tensors.push(TensorRef::from_array_view((shape, values))?);
        }
        let values: Vec<_> = tensors.iter().map(|tensor| tensor.ptr()).collect();
        let wanted = self.output.as_ptr();
        let mut output = ptr::null_mut();
        // SAFETY: `names` and `values` are of the given length; all that they point to, the session and the name of the
        // output outlive the call; `output` has room for the one value. See above for the threads.
        let status = unsafe {
            (api().Run)(
                self.onnx.ptr().cast_mut(),
                ptr::null(),
                names.as_ptr(),
                values.as_ptr(),
                values.len(),
                &raw const wanted,
                1,
                &raw mut output,
            )
        };
        // SAFETY: the status is what the library just returned, and it is used once.
        unsafe { ort::Error::result_from_status(status) }?;
        let output = NonNull::new(output).ok_or_else(|| ort::Error::new("it gave no output"))?;
        // SAFETY: a run that succeeded gave a value, which is ours; the CPU's outputs are of the default allocator.
        let output: DynValue = unsafe { DynValue::from_ptr(output, Some(&Allocator::default())) };
        widened(&output)
    }
}

/// The environment of the process; the library is loaded from the path that came first.
fn environment(library: &Path) -> Result<Environment, Error> {
    // Never released: the library allows one in the life of a process.
    static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);
    let mut known = ENVIRONMENT.lock();
    if let Some(environment) = &*known {
        return Ok(environment.clone());
    }
    let failed = |error: String| Error::Library(format!("{}: {error}", library.display()));
    let environment = ort::init_from(library)
        .map_err(|error| failed(error.to_string()))?
        .with_telemetry(false)
        .build()
        .map_err(|error| failed(error.to_string()))?;
    environment.set_log_level(LogLevel::Fatal);
    Ok(known.insert(environment).clone())
}

fn configured(
    environment: &Environment,
    threads: usize,
) -> ort::Result<ort::session::builder::SessionBuilder> {
    Ok(ort::session::Session::builder(environment)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        // Errors are returned; what the library logs beside them is noise on the terminal.
        .with_log_level(LogLevel::Fatal)?
        // A waiting thread that spins takes the core from the searches.
        .with_intra_op_spinning(false)?
        .with_execution_providers([ep::CPU::default().with_arena_allocator(true).build()])?)
}

fn inputs(session: &ort::session::Session) -> Result<Vec<Input>, Error> {
    let mut names: Vec<&str> = session.inputs().iter().map(Outlet::name).collect();
    names.sort_unstable();
    let refused = || {
        Error::Unfit(format!(
            "the model takes {}; accepted are input_ids, attention_mask and token_type_ids",
            names.join(", ")
        ))
    };
    if !names.contains(&IDS) {
        return Err(refused());
    }
    let input = |name: &&str| {
        let kind = match *name {
            IDS => Kind::Ids,
            MASK => Kind::Mask,
            TYPES => Kind::Types,
            _ => return Err(refused()),
        };
        Ok(Input {
            name: c_name(name)?,
            kind,
        })
    };
    names.iter().map(input).collect()
}

fn c_name(name: &str) -> Result<CString, Error> {
    CString::new(name).map_err(|_| Error::Unfit(format!("the name {name:?} contains NUL")))
}

fn widened(output: &DynValue) -> ort::Result<Output> {
    let (shape, values) = if let Ok((shape, values)) = output.try_extract_tensor::<f32>() {
        (shape, values.to_vec())
    } else if let Ok((shape, values)) = output.try_extract_tensor::<half::f16>() {
        (shape, values.iter().map(|value| value.to_f32()).collect())
    } else {
        let (shape, values) = output.try_extract_tensor::<f64>()?;
        (shape, values.iter().map(|value| *value as f32).collect())
    };
    Ok(Output {
        shape: shape.iter().map(|length| *length as usize).collect(),
        values,
    })
}
