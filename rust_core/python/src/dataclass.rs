//! Instances of frozen dataclasses, made without their `__init__`.
//!
//! That one calls `object.__setattr__` for each field from bytecode, which takes 3 µs for a memory and is most of what a
//! search in process costs. Here the same function is called directly.
//!
//! # Why it is sound
//!
//! `PyObject_GenericSetAttr` is what `object.__setattr__` calls: it accepts any object, any text as a name and any value,
//! takes no ownership of them, and reports a failure by -1 with an exception set.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

/// A frozen dataclass whose fields are set one by one.
pub(crate) struct Dataclass {
    class: Py<PyType>,
    new: Py<PyAny>,
    names: Vec<Py<PyString>>,
}

impl Dataclass {
    /// Of a class, with its fields in their order.
    pub(crate) fn of(class: &Bound<'_, PyType>) -> PyResult<Self> {
        let py = class.py();
        let fields = py.import("dataclasses")?.call_method1("fields", (class,))?;
        let name = |field: PyResult<Bound<'_, PyAny>>| -> PyResult<Py<PyString>> {
            let name: Bound<'_, PyString> = field?.getattr("name")?.cast_into()?;
            Ok(PyString::intern(py, name.to_str()?).unbind())
        };
        Ok(Self {
            class: class.clone().unbind(),
            new: py.get_type::<PyAny>().getattr("__new__")?.unbind(),
            names: fields.try_iter()?.map(name).collect::<PyResult<_>>()?,
        })
    }

    /// An instance with a value for every field, in their order.
    ///
    /// # Panics
    ///
    /// If there are more or fewer values than fields.
    pub(crate) fn instance<'py>(
        &self,
        py: Python<'py>,
        values: &[Bound<'py, PyAny>],
    ) -> PyResult<Bound<'py, PyAny>> {
        assert_eq!(
            values.len(),
            self.names.len(),
            "a value for every field of the dataclass"
        );
        let instance = self.new.bind(py).call1((self.class.bind(py),))?;
        for (name, value) in self.names.iter().zip(values) {
            // SAFETY: all three are live objects that this thread, which is attached to the interpreter, holds on to.
            let status = unsafe {
                ffi::PyObject_GenericSetAttr(instance.as_ptr(), name.as_ptr(), value.as_ptr())
            };
            if status != 0 {
                return Err(PyErr::fetch(py));
            }
        }
        Ok(instance)
    }
}
