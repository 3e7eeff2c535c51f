-- The market's time series: what sources said, sampled, a partition for each UTC day. Nothing here decides anything and
-- the log does not need it: days that are old enough are dropped whole. Rows are never changed. Each has a natural key,
-- so that a batch may be written again after a lost connection. Numbers are exact; quantities are units, never contracts.

-- Books: the best levels, best first, by the time of their receipt. No levels: `lost` says why there was no book.
create table public.market_books (
    venue text collate "C" not null,
    symbol text collate "C" not null,
    at timestamptz not null,
    sequence bigint not null,
    exchange_at timestamptz not null,
    bid_prices numeric[] not null,
    bid_quantities numeric[] not null,
    ask_prices numeric[] not null,
    ask_quantities numeric[] not null,
    lost text not null,
    primary key (venue, symbol, at, sequence),
    check (cardinality(bid_prices) = cardinality(bid_quantities)),
    check (cardinality(ask_prices) = cardinality(ask_quantities))
) partition by range (at);

-- Every public trade, by the venue's time. Within a day a trade is there once (the index is made with the partition).
create table public.market_trades (
    venue text collate "C" not null,
    symbol text collate "C" not null,
    at timestamptz not null,
    trade_id text collate "C" not null,
    price numeric not null check (price > 0 and price < 'infinity'),
    quantity numeric not null check (quantity > 0 and quantity < 'infinity'),
    taker text not null check (taker in ('buy', 'sell')),
    received_at timestamptz not null,
    primary key (venue, symbol, at, trade_id)
) partition by range (at);

create table public.market_marks (
    venue text collate "C" not null,
    symbol text collate "C" not null,
    at timestamptz not null,
    mark_price numeric not null check (mark_price > 0 and mark_price < 'infinity'),
    index_price numeric not null check (index_price >= 0 and index_price < 'infinity'),
    primary key (venue, symbol, at)
) partition by range (at);

-- Funding as announced: `rate` for one interval, `rate_per_hour` what it is in an hour, due at `next_at`.
create table public.market_funding (
    venue text collate "C" not null,
    symbol text collate "C" not null,
    at timestamptz not null,
    rate numeric not null check (rate > '-infinity' and rate < 'infinity'),
    interval_ms bigint not null check (interval_ms > 0),
    rate_per_hour numeric not null check (rate_per_hour > '-infinity' and rate_per_hour < 'infinity'),
    next_at timestamptz not null,
    primary key (venue, symbol, at)
) partition by range (at);

-- Verified oracle prices, by the time of their publication; `signers` vouched for them.
create table public.oracle_prices (
    oracle text collate "C" not null,
    feed text collate "C" not null,
    at timestamptz not null,
    sequence bigint not null,
    base text not null,
    quote text not null,
    price numeric not null check (price > 0 and price < 'infinity'),
    confidence numeric not null check (confidence >= 0 and confidence < 'infinity'),
    received_at timestamptz not null,
    signers text[] not null,
    primary key (oracle, feed, at, sequence)
) partition by range (at);

-- The service may not own tables, so these two functions, which run as the owner, make and drop its days for it. Both
-- name every object in full, take nothing but a known table and a day, and give up rather than queue behind a reader.
-- BA003: a day that may not be made or dropped.

-- Make one day's partitions; return how many were not there. A day may be made from two days ago to a week ahead. The
-- partition is attached, which locks out nobody; `create … partition of` would wait for every reader.
create function public.series_day_prepare(wanted_day date) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set lock_timeout = '2s'
as $$
declare
    today date := now()::date;
    series text;
    part text;
    made integer := 0;
begin
    if wanted_day is null or wanted_day < today - 2 or wanted_day > today + 7 then
        raise exception 'the day % is not within 2 days before and 7 after %', wanted_day, today
            using errcode = 'BA003';
    end if;
    perform pg_advisory_xact_lock(1650551916, 3); -- "ball" in ASCII, then the subject's number
    foreach series in array array[
        'market_books', 'market_trades', 'market_marks', 'market_funding', 'oracle_prices'
    ] loop
        part := format('%s_%s', series, to_char(wanted_day, 'YYYYMMDD'));
        continue when to_regclass(format('public.%I', part)) is not null;
        execute format(
            'create table public.%I (like public.%I including defaults including constraints)', part, series
        );
        if series = 'market_trades' then
            execute format('create unique index on public.%I (venue, symbol, trade_id)', part);
        end if;
        execute format(
            'alter table public.%I attach partition public.%I for values from (%L) to (%L)',
            series, part, wanted_day::timestamptz, (wanted_day + 1)::timestamptz
        );
        made := made + 1;
    end loop;
    return made;
end
$$;

-- Drop a table's partitions of the days before `first_kept`, oldest first, at most 31; return how many. Today and the
-- day before it cannot be dropped.
create function public.series_days_drop(of_series text, first_kept date) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set lock_timeout = '2s'
as $$
declare
    today date := now()::date;
    part text;
    dropped integer := 0;
begin
    if of_series is null or of_series <> all (array[
        'market_books', 'market_trades', 'market_marks', 'market_funding', 'oracle_prices'
    ]) then
        raise exception 'no series is called %', of_series using errcode = 'BA003';
    end if;
    if first_kept is null or first_kept > today - 1 then
        raise exception 'the days from % on are kept', today - 1 using errcode = 'BA003';
    end if;
    perform pg_advisory_xact_lock(1650551916, 3);
    for part in
        select child.relname
        from pg_inherits
        join pg_class as child on child.oid = pg_inherits.inhrelid
        where pg_inherits.inhparent = format('public.%I', of_series)::regclass
            and child.relname ~ ('^' || of_series || '_[0-9]{8}$')
            and right(child.relname, 8) < to_char(first_kept, 'YYYYMMDD')
        order by child.relname
        limit 31
    loop
        execute format('drop table public.%I', part);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;

revoke all on function public.series_day_prepare(date), public.series_days_drop(text, date) from public;
grant execute on function public.series_day_prepare(date), public.series_days_drop(text, date) to ballast_writer;

grant insert on public.market_books, public.market_trades, public.market_marks, public.market_funding,
    public.oracle_prices to ballast_writer;
