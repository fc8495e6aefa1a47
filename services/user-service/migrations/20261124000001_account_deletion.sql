-- Accounts that were deleted. Written before anything of theirs is removed, so that an access token that is still valid makes
-- no new profile; kept for longer than any such token lives. finished_at is set when nothing of the account is left.
create table deleted_accounts (
    account_id  uuid primary key,
    deleted_at  timestamptz not null default now(),
    finished_at timestamptz
);
-- Members look here for what others have deleted lately.
create index deleted_accounts_deleted_at_idx on deleted_accounts (deleted_at);

-- What an account did is found by the account, for its deletion alone, also by the foreign keys of its profile.
create index likes_account_idx on likes (account_id);
create index comments_author_idx on comments (author_id);
create index blocks_blocked_idx on blocks (blocked_id);
