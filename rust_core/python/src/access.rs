//! Who is calling: `mnemic_access` for Python.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mnemic_access::{Algorithm, ClaimRules, Rate, Refusal, Restriction, Role, Rules, ScopeField};
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;

pyo3::create_exception!(
    mnemic._core,
    AccessError,
    PyException,
    "A caller was turned away. `args` are (reason, message, metadata, retry_after_micros or None)."
);

type Ids = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

fn refused(refusal: Refusal) -> PyErr {
    let metadata: BTreeMap<_, _> = refusal.metadata.into_iter().collect();
    AccessError::new_err((
        refusal.reason,
        refusal.message,
        metadata,
        refusal.retry_after_micros,
    ))
}

fn unknown(what: &str, name: &str) -> PyErr {
    PyValueError::new_err(format!("there is no {what} {name:?}"))
}

fn role_named(name: &str) -> PyResult<Role> {
    Role::named(name).ok_or_else(|| unknown("role", name))
}

fn default_rate(requests_per_second: Option<f64>, request_burst: Option<u32>) -> Option<Rate> {
    Rate::of(requests_per_second, request_burst, None)
}

/// Who is calling.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct Principal {
    pub(crate) inner: Arc<mnemic_access::Principal>,
}

#[pymethods]
impl Principal {
    #[getter]
    fn tenant(&self) -> &str {
        &self.inner.tenant
    }

    #[getter]
    fn role(&self) -> u8 {
        self.inner.role as u8
    }

    #[getter]
    fn scope(&self) -> (Option<&str>, Option<&str>, Option<&str>, Option<&str>) {
        let scope = &self.inner.scope;
        (
            scope.user_id.as_deref(),
            scope.agent_id.as_deref(),
            scope.session_id.as_deref(),
            scope.app_id.as_deref(),
        )
    }

    #[getter]
    fn is_restricted(&self) -> bool {
        !self.inner.scope.is_empty()
    }

    #[getter]
    fn subject(&self) -> &str {
        &self.inner.subject
    }
}

/// Which tokens are good, and what they mean.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct TokenRules {
    inner: mnemic_access::TokenRules,
}

#[pymethods]
impl TokenRules {
    #[new]
    #[pyo3(signature = (*, algorithms, issuer, audiences, leeway_seconds, tenant_claim, default_tenant, role_claim, roles,
        default_role, scope_claims))]
    #[expect(
        clippy::too_many_arguments,
        reason = "keyword arguments, one for each setting"
    )]
    fn new(
        algorithms: Vec<String>,
        issuer: Option<String>,
        audiences: Vec<String>,
        leeway_seconds: u32,
        tenant_claim: String,
        default_tenant: Option<String>,
        role_claim: String,
        roles: BTreeMap<String, String>,
        default_role: Option<&str>,
        scope_claims: BTreeMap<String, String>,
    ) -> PyResult<Self> {
        let algorithm =
            |name: String| Algorithm::named(&name).ok_or_else(|| unknown("algorithm", &name));
        let meaning = |(value, role): (String, String)| Ok((value, role_named(&role)?));
        let scope = |(field, claim): (String, String)| {
            let known = ScopeField::named(&field).ok_or_else(|| unknown("scope field", &field));
            Ok((known?, claim))
        };
        let claims = ClaimRules {
            tenant: tenant_claim,
            default_tenant,
            role: role_claim,
            roles: roles.into_iter().map(meaning).collect::<PyResult<_>>()?,
            default_role: default_role.map(role_named).transpose()?,
            scope: scope_claims
                .into_iter()
                .map(scope)
                .collect::<PyResult<_>>()?,
        };
        let inner = mnemic_access::TokenRules {
            algorithms: algorithms
                .into_iter()
                .map(algorithm)
                .collect::<PyResult<_>>()?,
            issuer,
            audiences,
            leeway_seconds,
            claims,
        };
        Ok(Self { inner })
    }
}

/// Knows who is calling and what they may do; both servers of a process ask the same one.
#[pyclass(frozen, module = "mnemic._core")]
pub(crate) struct Authenticator {
    pub(crate) inner: Arc<mnemic_access::Authenticator>,
}

#[pymethods]
impl Authenticator {
    #[new]
    #[pyo3(signature = (*, keys=false, tokens=None, requests_per_second=None, request_burst=None))]
    fn new(
        keys: bool,
        tokens: Option<&TokenRules>,
        requests_per_second: Option<f64>,
        request_burst: Option<u32>,
    ) -> Self {
        let rules = Rules {
            keys,
            tokens: tokens.map(|tokens| tokens.inner.clone()),
            rate: default_rate(requests_per_second, request_burst),
        };
        let inner = Arc::new(mnemic_access::Authenticator::new(rules));
        Self { inner }
    }

    #[getter]
    fn is_open(&self) -> bool {
        self.inner.is_open()
    }

    #[getter]
    fn key_count(&self) -> usize {
        self.inner.key_count()
    }

    #[getter]
    fn cached_tokens(&self) -> usize {
        self.inner.cached_tokens()
    }

    /// Lets go of the interpreter: a signature that is new takes up to a millisecond.
    fn authenticate(
        &self,
        py: Python<'_>,
        authorization: Option<&[u8]>,
        now_micros: i64,
    ) -> PyResult<Principal> {
        py.detach(|| self.inner.authenticate(authorization, now_micros))
            .map(|inner| Principal { inner })
            .map_err(refused)
    }

    fn permit(&self, principal: &Principal, path: &str) -> PyResult<()> {
        self.inner.permit(&principal.inner, path).map_err(refused)
    }

    fn admit(&self, principal: &Principal, now_micros: i64) -> PyResult<()> {
        self.inner
            .admit(&principal.inner, now_micros)
            .map_err(refused)
    }

    #[pyo3(signature = (key_id, *, secret_hash, tenant, role, scope, expire_micros, requests_per_second, request_burst))]
    #[expect(
        clippy::too_many_arguments,
        reason = "keyword arguments, one for each field"
    )]
    fn insert_key(
        &self,
        key_id: String,
        secret_hash: [u8; 32],
        tenant: String,
        role: i64,
        scope: Ids,
        expire_micros: Option<i64>,
        requests_per_second: Option<f64>,
        request_burst: Option<u32>,
    ) -> PyResult<()> {
        let role = Role::numbered(role).ok_or_else(|| unknown("role", &role.to_string()))?;
        let (user_id, agent_id, session_id, app_id) = scope;
        self.inner.insert_key(mnemic_access::ApiKey {
            key_id,
            hash: secret_hash,
            tenant,
            role,
            scope: Restriction {
                user_id,
                agent_id,
                session_id,
                app_id,
            },
            expire_micros,
            requests_per_second,
            request_burst,
        });
        Ok(())
    }

    fn remove_key(&self, key_id: &str) -> bool {
        self.inner.remove_key(key_id)
    }

    fn take_uses(&self, py: Python<'_>) -> Vec<(String, i64)> {
        py.detach(|| self.inner.take_uses())
    }

    fn set_key_set(&self, py: Python<'_>, json: &str) -> PyResult<usize> {
        py.detach(|| self.inner.set_key_set(json))
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn wait_for_unknown_key(&self, py: Python<'_>, seconds: f64) -> bool {
        let timeout = Duration::from_secs_f64(seconds.clamp(0.0, 3600.0));
        py.detach(|| self.inner.wait_for_unknown_key(timeout))
    }

    fn insert_tenant(&self, tenant: &str) {
        self.inner.insert_tenant(tenant);
    }

    fn remove_tenant(&self, tenant: &str) {
        self.inner.remove_tenant(tenant);
    }
}

/// The least role of every method of the contract, by its path; the numbers of `mnemic.v1.AccessRole`.
#[pyfunction]
pub(crate) fn method_roles() -> BTreeMap<String, u8> {
    mnemic_access::METHODS
        .iter()
        .map(|(service, method, role)| (format!("{service}{method}"), *role as u8))
        .collect()
}

/// SHA-256 of a secret, as keys are held.
#[pyfunction]
pub(crate) fn hash_secret(secret: &str) -> [u8; 32] {
    mnemic_access::hash_secret(secret.as_bytes())
}
