//! Programs that fail, hang, or are not there.

use super::*;

fn shell(script: &str, limit: Duration) -> Invocation {
    Invocation::new("/bin/sh", ["-c", script], limit)
}

#[tokio::test]
async fn a_failure_carries_only_the_last_words() {
    let script = "for i in $(seq 30); do echo line $i; done; echo why >&2; exit 3";
    let error = shell(script, Duration::from_secs(30))
        .run(&|_| ())
        .await
        .expect_err("exit 3");
    let CommandError::Failed { last_words, status, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(status.code(), Some(3));
    assert_eq!(last_words.lines().count(), 20);
    assert!(
        last_words.contains("why") && last_words.contains("line 30"),
        "{last_words}"
    );
    assert!(!last_words.contains("line 3\n"), "{last_words}");
}

#[tokio::test]
async fn what_hangs_is_ended() {
    let error = shell("echo begun; exec sleep 60", Duration::from_millis(500))
        .run(&|_| ())
        .await
        .expect_err("it hangs");
    assert!(
        matches!(&error, CommandError::TooLong { last_words, .. } if last_words == "begun"),
        "{error}"
    );
}

#[tokio::test]
async fn what_it_started_ends_with_it() {
    let run = shell("sleep 60 & echo $!; wait", Duration::from_secs(30));
    let (sender, mut started) = mpsc::unbounded_channel();
    let say = move |line: &str| sender.send(line.to_owned()).unwrap_or_default();
    let id = tokio::select! {
        ended = run.run(&say) => panic!("{ended:?}"),
        id = started.recv() => id.expect("its id was printed"),
    };
    let status = format!("/proc/{id}/stat");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    // Gone, or waiting for its new parent to notice.
    while std::fs::read_to_string(&status).is_ok_and(|status| !status.contains(") Z ")) {
        assert!(std::time::Instant::now() < deadline, "it still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let error = Invocation::new("nova-no-such-program", [], Duration::from_secs(5))
        .run(&|_| ())
        .await
        .expect_err("it is not there");
    assert!(
        matches!(&error, CommandError::Missing { program, .. } if program == "nova-no-such-program"),
        "{error}"
    );
}
