//! The dependency graph of components: an order to start them in, what each needs, and what needs it.

use std::collections::{BTreeMap, BTreeSet};

use crate::suggestion::closest;
use crate::topology::Component;

/// A valid dependency graph: every need exists, and none goes round in a circle. How long its chains took is told by
/// [`crate::rollout::critical_chain`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    order: Vec<String>,
    needs: BTreeMap<String, Vec<String>>,
}

/// Why components make no graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two components of one name.
    #[error("there are two components called {name:?}")]
    Duplicate {
        /// Their name.
        name: String,
    },
    /// A need that does not exist.
    #[error("{component} needs {need:?}, and there is no such component{}", did_you_mean(.suggestion.as_deref()))]
    Unknown {
        /// Which component says so.
        component: String,
        /// What it needs.
        need: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// Needs that lead back to where they began.
    #[error("needs go round in a circle, so none of these could start: {}", .cycle.join(" -> "))]
    Circular {
        /// The components along the circle; the last one is the first again.
        cycle: Vec<String>,
    },
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(": did you mean {name:?}?"))
}

impl Graph {
    /// The graph of these components.
    ///
    /// # Errors
    /// When a need does not exist, needs are circular, or two components share a name.
    pub fn of(components: &[Component]) -> Result<Self, GraphError> {
        let pairs: Vec<(String, Vec<String>)> = components
            .iter()
            .map(|component| (component.name.clone(), component.needs.clone()))
            .collect();
        Self::new(&pairs)
    }

    /// The graph of these names and what each needs.
    ///
    /// # Errors
    /// As [`Graph::of`].
    pub fn new(components: &[(String, Vec<String>)]) -> Result<Self, GraphError> {
        let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
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
                    suggestion: closest(need, needs.keys().map(String::as_str)).map(str::to_owned),
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
    pub fn order(&self) -> &[String] {
        &self.order
    }

    /// What a component needs directly.
    #[must_use]
    pub fn needs(&self, component: &str) -> &[String] {
        self.needs.get(component).map_or(&[], Vec::as_slice)
    }

    /// What needs a component directly, in start order.
    #[must_use]
    pub fn dependents(&self, component: &str) -> Vec<&str> {
        let needs_it = |name: &&String| self.needs(name).iter().any(|need| need == component);
        self.order.iter().filter(needs_it).map(String::as_str).collect()
    }

    /// What needs a component directly or through others, in start order: all that is skipped when it fails.
    #[must_use]
    pub fn all_dependents(&self, component: &str) -> Vec<&str> {
        let mut reached = BTreeSet::from([component]);
        let mut dependents = Vec::new();
        // One pass is enough, since the order puts every component after what it needs.
        for name in &self.order {
            if self.needs(name).iter().any(|need| reached.contains(need.as_str())) {
                reached.insert(name);
                dependents.push(name.as_str());
            }
        }
        dependents
    }

    /// Each round takes what has all its needs met already. Quadratic, and there are a dozen components.
    fn sorted(&self, components: &[(String, Vec<String>)]) -> Result<Vec<String>, GraphError> {
        let mut order: Vec<String> = Vec::new();
        let mut met: BTreeSet<&str> = BTreeSet::new();
        let mut left: Vec<&str> = components.iter().map(|(name, _)| name.as_str()).collect();
        while !left.is_empty() {
            let Some(next) = left
                .iter()
                .position(|name| self.needs(name).iter().all(|need| met.contains(need.as_str())))
            else {
                return Err(GraphError::Circular {
                    cycle: self.cycle(&left),
                });
            };
            let name = left.remove(next);
            met.insert(name);
            order.push(name.to_owned());
        }
        Ok(order)
    }

    /// A circle among components none of which can start: each has a need among them, so following it must come round.
    fn cycle(&self, stuck: &[&str]) -> Vec<String> {
        let mut path: Vec<&str> = Vec::new();
        let mut next = stuck.first().copied();
        while let Some(name) = next {
            if let Some(begin) = path.iter().position(|seen| *seen == name) {
                return path[begin..]
                    .iter()
                    .chain([&name])
                    .map(|name| (*name).to_owned())
                    .collect();
            }
            path.push(name);
            next = self
                .needs(name)
                .iter()
                .map(String::as_str)
                .find(|need| stuck.contains(need));
        }
        path.into_iter().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests;
