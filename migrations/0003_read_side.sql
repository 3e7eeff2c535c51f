-- How far each projection has folded, written in the transaction of what it folded; and its states for answers from
-- history.

create table public.projection_checkpoints (
    name text primary key,
    position bigint not null check (position >= 0),
    schema text not null default '',
    updated_at timestamptz not null default now()
);

create table public.projection_snapshots (
    name text not null,
    position bigint not null check (position >= 0),
    schema text not null default '',
    recorded_at timestamptz,
    state bytea not null,
    primary key (name, position)
);
