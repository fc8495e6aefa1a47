-- Deleted accounts of which user-service does not know yet: written by the transaction that deletes the account, removed when
-- user-service has answered. Whoever takes a row moves next_attempt_at ahead (a lease), and no transaction stays open during
-- the call; attempts tells the taker's own row from one that somebody else has taken since.
create table account_deletions (
    account_id uuid primary key,
    created_at timestamptz not null default now(),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    last_error text
);

create index account_deletions_due on account_deletions (next_attempt_at);
