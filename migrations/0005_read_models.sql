-- Read models: one table per view, named as the view. A row is an upsert under its key; `sort` is its place in the
-- listing and never changes; a row that is not open never changes again. `position` is the event it last changed at.
-- They can all be dropped and folded again from the log (`ballast projections rebuild NAME`).

do $$
declare
    view_name text;
begin
    foreach view_name in array array[
        'portfolio', 'exposure', 'positions', 'orders', 'fills', 'quotes', 'requests', 'limits', 'mode', 'alerts',
        'dependencies'
    ] loop
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
        -- An update that leaves the indexed columns alone finds room on its own page.
        execute format('alter table public.%I set (fillfactor = 80)', view_name);
        execute format('grant insert, update, delete on public.%I to ballast_writer', view_name);
    end loop;
end
$$;

-- What rows can be asked by, as the views' `lookups` say.
create index orders_hedge_id_idx on public.orders ((document ->> 'hedge_id'), sort, key);
create index orders_symbol_idx on public.orders ((document ->> 'symbol'), sort, key);
create index fills_order_id_idx on public.fills ((document ->> 'order_id'), sort, key);
create index fills_symbol_idx on public.fills ((document ->> 'symbol'), sort, key);
create index quotes_benefactor_idx on public.quotes ((document ->> 'benefactor'), sort, key);
create index quotes_pair_idx on public.quotes ((document ->> 'pair'), sort, key);
create index requests_order_id_idx on public.requests ((document ->> 'order_id'), sort, key);
create index requests_quote_id_idx on public.requests ((document ->> 'quote_id'), sort, key);
create index requests_benefactor_idx on public.requests ((document ->> 'benefactor'), sort, key);
create index alerts_severity_idx on public.alerts ((document ->> 'severity'), sort, key);
