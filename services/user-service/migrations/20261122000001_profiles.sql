-- One row an account, made on its owner's first authenticated request. The counters are kept in the same transaction as
-- what they count; the free space on each page lets their updates stay on it (HOT) and touch no index.
create table profiles (
    id              uuid primary key,
    username        text unique check (username ~ '^[a-z0-9_]{3,30}$'),
    display_name    text not null default '' check (char_length(display_name) <= 50),
    bio             text not null default '' check (char_length(bio) <= 500),
    private         boolean not null default false,
    followers_count bigint not null default 0 check (followers_count >= 0),
    following_count bigint not null default 0 check (following_count >= 0),
    created_at      timestamptz not null default now()
) with (fillfactor = 70);
