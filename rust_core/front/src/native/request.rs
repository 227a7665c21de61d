//! A search as the core takes it, if it is certain that Python would take it.

use std::sync::Arc;

use mnemic_access::Principal;
use mnemic_retrieval::filter::Filter;
use mnemic_retrieval::fusion::{SIGNALS, Weights};
use mnemic_retrieval::index::{Calibration, MAX_CONTEXT_WINDOW, Residents};
use mnemic_retrieval::understanding::Understanding;
use mnemic_retrieval::{Error, PartitionKey, ScopeIds, ScopeMatch, SearchRequest};

use super::hits::HIT_PARTS;
use super::settings::{Profile, Settings};
use super::vectors::unit;
use super::{checks, filters};
use crate::contract::{SearchMemoriesRequest, SignalWeights};

/// One search.
pub(super) struct Search {
    pub(super) partitions: Vec<PartitionKey>,
    pub(super) min_revision: i64,
    /// The optional parts of hits, as bits of [`HIT_PARTS`].
    pub(super) parts: u32,
    pub(super) text: String,
    /// What the text means in its partitions, once its vector was looked for.
    pub(super) understood: Option<Understanding<'static>>,
    pub(super) vector: QueryVector,
    scope: ScopeIds,
    scope_match: ScopeMatch,
    filters: Filters,
    as_of_micros: Option<i64>,
    reference_micros: Option<i64>,
    include_superseded: bool,
    top_k: usize,
    weights: Weights,
    min_score: f64,
    explain: bool,
    candidates: usize,
    separate: bool,
    calibration: Option<Calibration>,
    min_confidence: f64,
    context_window: usize,
}

/// What narrows a search beyond its scope.
struct Filters {
    /// What the request says.
    asked: Option<Filter>,
    /// With what a restricted credential may see.
    restricted: Option<Filter>,
    /// In which partitions the restriction is fulfilled anyway; looking at each row for it takes longer than the search.
    implied: Vec<bool>,
}

/// The vector of a search.
pub(super) enum QueryVector {
    /// The search needs none.
    None,
    /// The text is to be embedded.
    Wanted,
    /// A unit vector.
    Known(Arc<[u8]>),
}

impl Search {
    /// None where Python might refuse it, or has to ask the store where the scope's memories are.
    pub(super) fn of(
        message: SearchMemoriesRequest,
        principal: &Principal,
        settings: &Settings,
        dimension: usize,
    ) -> Option<Self> {
        if message.rerank || message.min_revision < 0 {
            return None;
        }
        let mut scope = checks::scope(message.scope, settings.id_bytes)?;
        let scope_match = match message.r#match {
            0 | 1 => ScopeMatch::Visible,
            2 => ScopeMatch::Exact,
            _ => return None,
        };
        if scope_match == ScopeMatch::Exact {
            // Each of its hits carries the ids asked for and those of the restriction.
            let restriction = principal.scope.clone();
            scope.user_id = scope.user_id.or(restriction.user_id);
            scope.agent_id = scope.agent_id.or(restriction.agent_id);
            scope.session_id = scope.session_id.or(restriction.session_id);
            scope.app_id = scope.app_id.or(restriction.app_id);
        }
        let partitions = partitions(&principal.tenant, &scope, scope_match)?;
        let asked = match message.filter {
            Some(filter) => vec![filters::filter(filter)?],
            None => Vec::new(),
        };
        let mut restricted = filters::restriction(&principal.scope, &scope, scope_match)?;
        restricted.extend(asked.iter().cloned());
        let is_implied = |key: &PartitionKey| filters::is_implied(&principal.scope, key);
        let as_of_micros = match message.as_of {
            Some(time) => Some(checks::micros(&time)?),
            None => None,
        };
        let reference_micros = match message.reference_time {
            Some(time) => Some(checks::micros(&time)?),
            None => None,
        };
        let top_k = message
            .top_k
            .map_or(Some(settings.default_top_k), |top_k| {
                usize::try_from(top_k).ok()
            })?;
        let min_score = message.min_score.map_or(0.0, f64::from);
        let min_confidence = message.min_confidence.map_or(0.0, f64::from);
        let fractions = [min_score, min_confidence];
        if !(1..=settings.most_top_k).contains(&top_k)
            || fractions.iter().any(|share| !(0.0..=1.0).contains(share))
        {
            return None;
        }
        let context_window = usize::try_from(message.context_window).ok()?;
        if context_window > MAX_CONTEXT_WINDOW {
            return None;
        }
        let profile = settings.profile(&message.profile)?;
        let weights = weights(profile, message.weights.as_ref());
        let query = message.query;
        if query.len() > settings.query_bytes || query.contains('\0') {
            return None;
        }
        let vector = vector(&message.vector, &query, weights, dimension)?;
        Some(Self {
            min_revision: message.min_revision,
            parts: checks::mask(message.read_mask.as_ref(), &HIT_PARTS)?,
            text: query,
            understood: None,
            vector,
            scope,
            scope_match,
            filters: Filters {
                implied: partitions.iter().map(is_implied).collect(),
                asked: every(asked).ok()?,
                restricted: every(restricted).ok()?,
            },
            partitions,
            as_of_micros,
            reference_micros,
            include_superseded: message.include_superseded,
            top_k,
            weights: Weights::new(weights).ok()?,
            min_score,
            explain: message.explain,
            candidates: profile.candidates,
            separate: message.separate,
            calibration: settings.calibration,
            min_confidence,
            context_window,
        })
    }

    /// As the core takes it.
    pub(super) fn request(&self, residents: &Residents, now_micros: i64) -> SearchRequest<'_> {
        SearchRequest {
            partitions: &self.partitions,
            scope: &self.scope,
            scope_match: self.scope_match,
            text: &self.text,
            understood: self.understood.as_ref(),
            vector: match &self.vector {
                QueryVector::Known(vector) => Some(vector),
                QueryVector::None | QueryVector::Wanted => None,
            },
            filter: self.filter(residents),
            now_micros,
            reference_micros: self.reference_micros,
            as_of_micros: self.as_of_micros,
            include_superseded: self.include_superseded,
            top_k: self.top_k,
            weights: self.weights,
            min_score: self.min_score,
            explain: self.explain,
            candidates: self.candidates,
            separate: self.separate,
            calibration: self.calibration,
            min_confidence: self.min_confidence,
            context_window: self.context_window,
        }
    }

    /// Whether each row is looked at for more than its scope and its place in the vectors.
    pub(super) fn is_filtered(&self, residents: &Residents) -> bool {
        self.filter(residents).is_some()
    }

    fn filter(&self, residents: &Residents) -> Option<&Filter> {
        let Filters {
            asked,
            restricted,
            implied,
        } = &self.filters;
        if residents.places().all(|place| implied[place]) {
            asked.as_ref()
        } else {
            restricted.as_ref()
        }
    }
}

/// Conditions as one, if there are any.
fn every(mut conditions: Vec<Filter>) -> Result<Option<Filter>, Error> {
    match conditions.len() {
        0 | 1 => Ok(conditions.pop()),
        _ => Filter::all_of(conditions).map(Some),
    }
}

/// Where the scope's memories can be, if that follows from the scope.
fn partitions(
    tenant: &str,
    scope: &ScopeIds,
    scope_match: ScopeMatch,
) -> Option<Vec<PartitionKey>> {
    if scope_match == ScopeMatch::Exact {
        scope.user_id.as_ref()?;
        let owner = checks::owners(scope).next()?;
        return Some(vec![checks::partition(tenant, owner)]);
    }
    let owners = checks::owners(scope);
    Some(
        owners
            .map(|owner| checks::partition(tenant, owner))
            .collect(),
    )
}

/// The profile's weights with the request's own over them, in the order of the core's signals.
fn weights(profile: &Profile, own: Option<&SignalWeights>) -> [f64; SIGNALS] {
    let mut weights = profile.weights;
    let Some(own) = own else {
        return weights;
    };
    let own = [
        own.vector,
        own.lexical,
        own.entity,
        own.time,
        own.actor,
        own.recency,
        own.context,
    ];
    for (weight, own) in weights.iter_mut().zip(own) {
        *weight = own.map_or(*weight, f64::from);
    }
    weights
}

fn vector(
    given: &[u8],
    query: &str,
    weights: [f64; SIGNALS],
    dimension: usize,
) -> Option<QueryVector> {
    if !given.is_empty() {
        return unit(given, dimension).map(QueryVector::Known);
    }
    // Without words there must be a vector.
    query
        .chars()
        .find(|&character| !checks::is_space(character))?;
    Some(if weights[0] == 0.0 {
        QueryVector::None
    } else {
        QueryVector::Wanted
    })
}
