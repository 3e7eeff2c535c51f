-- The log, the commands that caused it, and the fence around them.
-- `stored_events` is the `eventsourcing` library's Postgres table plus columns, so that its stock Application can read it.

create table public.stored_events (
    originator_id uuid not null,
    originator_version bigint not null,
    topic text not null,
    state bytea not null,
    notification_id bigint not null,
    metadata bytea not null default '{}',
    chain_hash bytea,
    command_id uuid,
    recorded_at timestamptz,
    primary key (originator_id, originator_version)
);

create unique index stored_events_notification_id_idx on public.stored_events (notification_id);

-- Append-only tables gather no dead rows: vacuum only has to freeze, analyse keeps the planner honest.
alter table public.stored_events set (autovacuum_analyze_scale_factor = 0.05);

-- The library names an application's table after its class: this is the log for the base class `Application` as it is.
create view public.application_events as select * from public.stored_events;

create table public.command_outcomes (
    command_id uuid primary key,
    sequence bigint not null unique,
    kind text not null,
    command bytea not null,
    outcome bytea not null,
    first_position bigint,
    last_position bigint,
    check ((first_position is null) = (last_position is null)),
    check (first_position <= last_position)
);

alter table public.command_outcomes set (autovacuum_analyze_scale_factor = 0.05);

-- One row: the number of the writer that may append. A takeover adds one to it.
create table public.writer_epoch (
    id smallint primary key check (id = 1),
    epoch bigint not null check (epoch >= 0),
    taken_at timestamptz not null default now()
);

insert into public.writer_epoch (id, epoch) values (1, 0);

-- Called first in every append, in its transaction. The share lock on the epoch row makes a takeover wait for this
-- append, and this append see a finished takeover. The two position checks keep the log gapless whatever the writer
-- believes. BA001: another writer took over. BA002: the writer's idea of the log's end is not the log's.
create function public.append_fence(held_epoch bigint, held_position bigint, held_sequence bigint) returns void
language plpgsql as $$
declare
    current_epoch bigint;
    current_position bigint;
    current_sequence bigint;
begin
    select epoch into strict current_epoch from public.writer_epoch where id = 1 for share;
    if current_epoch <> held_epoch then
        raise exception 'the log is at epoch %, this writer holds %', current_epoch, held_epoch
            using errcode = 'BA001';
    end if;
    select coalesce(max(notification_id), 0) into current_position from public.stored_events;
    if current_position <> held_position then
        raise exception 'the log ends at position %, this writer expects %', current_position, held_position
            using errcode = 'BA002';
    end if;
    select coalesce(max(sequence), 0) into current_sequence from public.command_outcomes;
    if current_sequence <> held_sequence then
        raise exception 'the kept commands end at %, this writer expects %', current_sequence, held_sequence
            using errcode = 'BA002';
    end if;
    -- The channel that the library's own subscribers listen on: the table's name.
    perform pg_notify('stored_events', '');
end
$$;
