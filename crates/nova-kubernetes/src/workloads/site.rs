//! Where members are met in a cluster: under the names of their own Services.

use nova_platform::config::Site;
use nova_platform::spec::Spec;
use nova_platform::topology::Member;

use crate::names::member_host;

/// The cluster, as the configuration of members sees it.
pub(crate) struct ClusterSite<'a>(pub(crate) &'a Spec);

impl Site for ClusterSite<'_> {
    fn spec(&self) -> &Spec {
        self.0
    }

    fn host(&self, member: &Member) -> String {
        member_host(self.0, member)
    }

    /// A pod's address is known to nobody in advance.
    fn bind(&self, _member: &Member) -> String {
        "0.0.0.0".to_owned()
    }
}
