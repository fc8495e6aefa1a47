-- Accounts: what a person signs in with. The public profile belongs to user-service.
create table accounts (
    id uuid primary key,
    email text not null,
    password_hash text not null,
    created_at timestamptz not null default now(),
    password_changed_at timestamptz not null default now(),
    constraint accounts_email_key unique (email),
    constraint accounts_email_normal check (email = lower(email) and length(email) between 3 and 254)
);

-- One row a session. A refresh rewrites its row and touches no indexed column, so that the update stays on its page (HOT).
-- No token is stored: token_hash and previous_hash are SHA-256, successor_nonce turns the previous token into the present one
-- (HMAC keyed by the previous token itself), and family_key only tells a genuine old token of this session from a forged one.
create table sessions (
    id uuid primary key,
    account_id uuid not null references accounts on delete cascade,
    created_at timestamptz not null default now(),
    last_used_at timestamptz not null default now(),
    expires_at timestamptz not null,
    address inet,
    user_agent text,
    family_key bytea not null,
    token_hash bytea not null,
    previous_hash bytea,
    successor_nonce bytea
) with (fillfactor = 70);

create index sessions_account on sessions (account_id, id desc);
create index sessions_expiry on sessions (expires_at);

-- Every attempt, append-only. A row of attempts that were turned away unjudged may stand for several (attempts > 1).
-- subject is a digest of the e-mail address that was tried: it connects attempts on names that are no account.
create table audit (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    event text not null,
    outcome text not null,
    account_id uuid,
    session_id uuid,
    subject bytea,
    address inet,
    user_agent text,
    attempts integer not null default 1
);

create index audit_account on audit (account_id, id desc) where account_id is not null;

-- Whoever takes over the service's role cannot rewrite what it did: no change ever, and no removal within 30 days.
create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and old.at < now() - interval '30 days' then
        return old;
    end if;
    raise exception 'audit rows are append-only for 30 days';
end
$$;

create trigger audit_append_only before update or delete on audit for each row execute function audit_is_append_only();
