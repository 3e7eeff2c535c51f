-- Read models of risk, in the shape of 0005: every change of a limit, what waits for a second person, the backing at
-- conservative marks, and what stress and leaving a venue would cost.

do $$
declare
    view_name text;
begin
    foreach view_name in array array['limit_history', 'approvals', 'backing', 'stress'] loop
        execute format(
            'create table public.%I (
                key text collate "C" primary key,
                sort bigint not null,
                open boolean not null,
                position bigint not null check (position >= sort),
                document jsonb not null
            )', view_name);
        execute format('create unique index %I on public.%I (sort, key)', view_name || '_listing_idx', view_name);
        execute format('create index %I on public.%I (sort, key) where open', view_name || '_open_idx', view_name);
        execute format('alter table public.%I set (fillfactor = 80)', view_name);
        execute format('grant insert, update, delete on public.%I to ballast_writer', view_name);
    end loop;
end
$$;

-- What rows can be asked by, as the views' `lookups` say.
create index limit_history_control_idx on public.limit_history ((document ->> 'control'), sort, key);
create index limit_history_scope_idx on public.limit_history ((document ->> 'scope'), sort, key);
create index limit_history_author_idx on public.limit_history ((document ->> 'author'), sort, key);
create index approvals_kind_idx on public.approvals ((document ->> 'kind'), sort, key);
create index approvals_state_idx on public.approvals ((document ->> 'state'), sort, key);
create index approvals_author_idx on public.approvals ((document ->> 'author'), sort, key);
create index exposure_kind_idx on public.exposure ((document ->> 'kind'), sort, key);
create index limits_control_idx on public.limits ((document ->> 'control'), sort, key);
create index limits_scope_idx on public.limits ((document ->> 'scope'), sort, key);
create index backing_kind_idx on public.backing ((document ->> 'kind'), sort, key);
create index stress_kind_idx on public.stress ((document ->> 'kind'), sort, key);
