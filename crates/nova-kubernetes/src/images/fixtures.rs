//! The shipped description, for tests.

use nova_platform::spec::Spec;

pub(super) fn spec() -> Spec {
    nova_platform::load::load(None).expect("the shipped defaults").spec
}
