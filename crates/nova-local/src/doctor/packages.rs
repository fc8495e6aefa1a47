//! The distribution's packages: which are installed, which services they brought.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::command::ask;

/// Names of all installed packages.
pub(super) fn installed() -> BTreeSet<String> {
    let said = ask(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status} ${Package}\n"])).unwrap_or_default();
    said.lines()
        .filter_map(|line| line.strip_prefix("installed "))
        .map(str::to_owned)
        .collect()
}

/// Names of the services that these packages brought; patterns of services (`postgresql@.service`) run nothing themselves.
pub(super) fn services<'a>(packages: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut query = Command::new("dpkg-query");
    query.arg("-L");
    let mut any = false;
    for package in packages {
        query.arg(package);
        any = true;
    }
    let said = if any {
        ask(&mut query).unwrap_or_default()
    } else {
        String::new()
    };
    services_among(&said)
}

fn services_among(files: &str) -> Vec<String> {
    let is_system = |path: &Path| {
        path.parent()
            .is_some_and(|parent| parent.ends_with("lib/systemd/system"))
    };
    let names: BTreeSet<String> = files
        .lines()
        .map(Path::new)
        .filter(|path| is_system(path) && path.extension().is_some_and(|extension| extension == "service"))
        .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
        .filter(|name| !name.ends_with("@.service"))
        .collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::services_among;

    #[test]
    fn services_are_told_from_patterns_and_other_files() {
        let files = "/usr/sbin/haproxy\n/lib/systemd/system/haproxy.service\n/usr/lib/systemd/system/postgresql@.service\n\
                     /usr/lib/systemd/system/redis-server.service\n/usr/lib/systemd/user/x.service\n/lib/systemd/system/multi-user.target.wants/haproxy.service\n";
        assert_eq!(services_among(files), ["haproxy.service", "redis-server.service"]);
    }
}
