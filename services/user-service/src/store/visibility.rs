//! Who may see what, as conditions that statements share: the viewer is `$1`, the other account the row `a` of `profiles`.

/// Neither has blocked the other.
macro_rules! not_blocked {
    () => {
        "not exists (select from blocks b
                     where (b.blocker_id = $1 and b.blocked_id = a.id) or (b.blocker_id = a.id and b.blocked_id = $1))"
    };
}

/// The viewer may see what the account wrote and whom it knows: not blocked, and public, followed or oneself.
macro_rules! open_to_viewer {
    () => {
        concat!(
            "(a.id = $1 or (not a.private or exists (select from follows f where f.follower_id = $1 and f.followee_id = a.id)) and ",
            not_blocked!(),
            ")"
        )
    };
}
