-- States of folds at a position. They only save time: each can be dropped and folded again from the log.

create table public.snapshots (
    name text not null,
    position bigint not null check (position >= 0),
    sequence bigint not null check (sequence >= 0),
    schema text not null,
    state bytea not null,
    state_sha256 bytea not null,
    saved_at timestamptz not null default now(),
    primary key (name, schema, position)
);

-- The library's snapshots of its aggregates, in its own shape.
create table public.stored_snapshots (
    originator_id uuid not null,
    originator_version bigint not null,
    topic text not null,
    state bytea not null,
    primary key (originator_id, originator_version)
);
