//! The dependency graph of components: an order to start them in, what each needs, and what needs it.

use std::collections::{BTreeMap, BTreeSet};

use crate::components::ComponentId;
use crate::suggestion::closest;
use crate::topology::Component;

/// A valid dependency graph: every need exists, and none goes round in a circle. How long its chains took is told by
/// [`crate::rollout::critical_chain`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    order: Vec<ComponentId>,
    needs: BTreeMap<ComponentId, Vec<ComponentId>>,
}

/// Why components make no graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two components of one name.
    #[error("there are two components called \"{name}\"")]
    Duplicate {
        /// Their name.
        name: ComponentId,
    },
    /// A need that does not exist.
    #[error("{component} needs \"{need}\", and there is no such component{}", did_you_mean(.suggestion.as_ref()))]
    Unknown {
        /// Which component says so.
        component: ComponentId,
        /// What it needs.
        need: ComponentId,
        /// What was probably meant.
        suggestion: Option<ComponentId>,
    },
    /// Needs that lead back to where they began.
    #[error("needs go round in a circle, so none of these could start: {}", circle(.cycle))]
    Circular {
        /// The components along the circle; the last one is the first again.
        cycle: Vec<ComponentId>,
    },
}

fn did_you_mean(suggestion: Option<&ComponentId>) -> String {
    suggestion.map_or_else(String::new, |name| format!(": did you mean \"{name}\"?"))
}

/// The components along a circle, as people read them.
#[must_use]
pub fn circle(cycle: &[ComponentId]) -> String {
    let names: Vec<&str> = cycle.iter().map(ComponentId::as_str).collect();
    names.join(" -> ")
}

impl Graph {
    /// The graph of these components.
    ///
    /// # Errors
    /// When a need does not exist, needs are circular, or two components share a name.
    pub fn of(components: &[Component]) -> Result<Self, GraphError> {
        let pairs: Vec<(ComponentId, Vec<ComponentId>)> = components
            .iter()
            .map(|component| (component.id.clone(), component.needs.clone()))
            .collect();
        Self::new(&pairs)
    }

    /// The graph of these names and what each needs.
    ///
    /// # Errors
    /// As [`Graph::of`].
    pub fn new(components: &[(ComponentId, Vec<ComponentId>)]) -> Result<Self, GraphError> {
        let mut needs: BTreeMap<ComponentId, Vec<ComponentId>> = BTreeMap::new();
        for (name, its) in components {
            if needs.insert(name.clone(), its.clone()).is_some() {
                return Err(GraphError::Duplicate { name: name.clone() });
            }
        }
        for (component, its) in components {
            if let Some(need) = its.iter().find(|need| !needs.contains_key(*need)) {
                return Err(GraphError::Unknown {
                    component: component.clone(),
                    need: need.clone(),
                    suggestion: closest(need.as_str(), needs.keys().map(ComponentId::as_str)).map(ComponentId::from),
                });
            }
        }
        let mut graph = Self {
            order: Vec::new(),
            needs,
        };
        graph.order = graph.sorted(components)?;
        Ok(graph)
    }

    /// Every component after all that it needs; otherwise in the order in which they were given.
    #[must_use]
    pub fn order(&self) -> &[ComponentId] {
        &self.order
    }

    /// What a component needs directly.
    #[must_use]
    pub fn needs(&self, component: &ComponentId) -> &[ComponentId] {
        self.needs.get(component).map_or(&[], Vec::as_slice)
    }

    /// What needs a component directly, in start order.
    #[must_use]
    pub fn dependents(&self, component: &ComponentId) -> Vec<&ComponentId> {
        let needs_it = |id: &&ComponentId| self.needs(id).contains(component);
        self.order.iter().filter(needs_it).collect()
    }

    /// What needs a component directly or through others, in start order: all that is skipped when it fails.
    #[must_use]
    pub fn all_dependents<'a>(&'a self, component: &'a ComponentId) -> Vec<&'a ComponentId> {
        let mut reached = BTreeSet::from([component]);
        let mut dependents = Vec::new();
        // One pass is enough, since the order puts every component after what it needs.
        for id in &self.order {
            if self.needs(id).iter().any(|need| reached.contains(need)) {
                reached.insert(id);
                dependents.push(id);
            }
        }
        dependents
    }

    /// Each round takes what has all its needs met already. Quadratic, and there are a dozen components.
    fn sorted(&self, components: &[(ComponentId, Vec<ComponentId>)]) -> Result<Vec<ComponentId>, GraphError> {
        let mut order: Vec<ComponentId> = Vec::new();
        let mut met: BTreeSet<&ComponentId> = BTreeSet::new();
        let mut left: Vec<&ComponentId> = components.iter().map(|(id, _)| id).collect();
        while !left.is_empty() {
            let Some(next) = left
                .iter()
                .position(|id| self.needs(id).iter().all(|need| met.contains(need)))
            else {
                return Err(GraphError::Circular {
                    cycle: self.cycle(&left),
                });
            };
            let id = left.remove(next);
            met.insert(id);
            order.push(id.clone());
        }
        Ok(order)
    }

    /// A circle among components none of which can start: each has a need among them, so following it must come round.
    fn cycle(&self, stuck: &[&ComponentId]) -> Vec<ComponentId> {
        let mut path: Vec<&ComponentId> = Vec::new();
        let mut next = stuck.first().copied();
        while let Some(id) = next {
            if let Some(begin) = path.iter().position(|seen| *seen == id) {
                return path[begin..].iter().chain([&id]).map(|id| (*id).clone()).collect();
            }
            path.push(id);
            next = self.needs(id).iter().find(|need| stuck.contains(need));
        }
        path.into_iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests;
