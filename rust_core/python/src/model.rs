//! The classes of `mnemic.model` that hits are made of, looked up once.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::dataclass::Dataclass;

/// More members than any of the enums has.
const MOST_MEMBERS: u8 = 16;

/// Classes of `mnemic.model`.
pub(crate) struct Model {
    pub(crate) memory: Dataclass,
    pub(crate) scope: Dataclass,
    pub(crate) kind: Members,
    pub(crate) role: Members,
    pub(crate) event_time_precision: Members,
    pub(crate) trust: Members,
}

/// The members of an enum by their numbers: calling the class takes ten times as long.
pub(crate) struct Members {
    class: Py<PyType>,
    members: Vec<Option<Py<PyAny>>>,
}

impl Model {
    /// The classes; imported when first asked for, because they import this module.
    pub(crate) fn get(py: Python<'_>) -> PyResult<&'static Self> {
        static MODEL: PyOnceLock<Model> = PyOnceLock::new();
        MODEL.get_or_try_init(py, || {
            let module = py.import("mnemic.model.memory")?;
            let class = |name: &str| -> PyResult<Bound<'_, PyType>> {
                Ok(module.getattr(name)?.cast_into()?)
            };
            Ok(Self {
                memory: Dataclass::of(&class("Memory")?)?,
                scope: Dataclass::of(&class("Scope")?)?,
                kind: Members::of(class("MemoryKind")?),
                role: Members::of(class("Role")?),
                event_time_precision: Members::of(class("TimePrecision")?),
                trust: Members::of(class("TrustLevel")?),
            })
        })
    }
}

impl Members {
    fn of(class: Bound<'_, PyType>) -> Self {
        let member = |number: u8| class.call1((number,)).ok().map(Bound::unbind);
        Self {
            members: (0..MOST_MEMBERS).map(member).collect(),
            class: class.unbind(),
        }
    }

    /// The member of a number; the class's own error if there is none.
    pub(crate) fn member<'py>(&self, py: Python<'py>, number: u8) -> PyResult<Bound<'py, PyAny>> {
        match self.members.get(usize::from(number)) {
            Some(Some(member)) => Ok(member.bind(py).clone()),
            _ => self.class.bind(py).call1((number,)),
        }
    }
}
