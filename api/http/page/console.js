"use strict";
// Everything that comes from the server is written with textContent: no answer is ever parsed as HTML.
(() => {
  const REFRESH_MS = 2000;
  const ANSWER_MS = 15000; // whoever does not answer within this does not answer
  const SELDOM = 5; // boards that nobody needs at once are read in every so many rounds
  const KEY = "ballast-key";
  const $ = (id) => document.getElementById(id);
  const COLUMNS = {
    modes: ["scope", "mode", "held_by", "latched_controls", "author", "reason", "since", "release"],
    approvals: ["text", "reason", "author", "expires_at", "decide"],
    limits: ["control", "scope", "use", "used", "value", "unit", "bound", "subject", "author", "approved_by", "expires_at", "since"],
    exposure: ["scope", "unit", "use", "worst", "limit", "within", "certain", "low", "high", "backing", "position", "unsettled"],
    backing: ["asset", "certain", "units_low", "units_high", "value_low", "value_high"],
    stress: ["scope", "loss", "use", "text"],
    margin: ["venue", "account", "equity", "maintenance", "ratio", "leverage", "liquidation_distance_bps", "nearest", "rank", "unsettled", "unknown_prices", "observed_at"],
    evacuation: ["scope", "notional", "orders", "flat_s", "flat_cost", "rehedge_s", "rehedge_cost", "unplaced"],
    history: ["since", "until", "control", "scope", "what", "previous", "value", "unit", "author", "approved_by", "reason", "expires_at"],
    alerts: ["severity", "action", "area", "subject", "text", "raised_at"],
    requests: ["accepted_at", "state", "side", "pair", "issued_dollars", "hedge_filled", "hedge_quantity", "tx", "benefactor", "order_id"],
    hedges: ["planned_at", "look", "state", "purpose", "quantity", "filled", "underlying", "where", "expected", "realised", "slippage_bps", "gap", "rounds_told", "text"],
    costs: ["day", "venue", "symbol", "legs", "notional", "spread", "depth", "slippage", "slippage_bps", "fee", "basis", "realised", "expected", "funding", "unconverted", "surprises"],
    internalised: ["at", "underlying", "quantity", "saved_usd", "netted_total", "saved_total_usd", "request_id"],
    rebalancing: ["updated_at", "kind", "underlying", "state", "text", "cost", "saving", "worst", "spent", "budget"],
    transactions: ["submitted_at", "state", "errand", "nonce", "tx_hash", "block", "max_fee_wei", "gas_used", "error", "sender"],
    market: ["base", "source", "standing", "bid", "ask", "quote", "age_ms", "drift_ms", "kind", "symbol"],
    suspensions: ["scope", "suspended", "law", "text", "since"],
    positions: ["venue", "account", "symbol", "quantity", "entry_price", "realised", "fees", "fills"],
    portfolio: ["kind", "asset", "units", "atoms", "settlements", "updated_at"],
    balances: ["venue", "account", "asset", "wallet", "margin", "available", "initial_margin", "maintenance_margin", "observed_at"],
    contract: ["address", "active", "stable", "hot_balance", "max_mint_dollars", "max_redeem_dollars", "block_number"],
    treasury: ["proposed_at", "direction", "asset", "amount", "state", "text"],
    dependencies: ["dependency", "degraded", "text", "since"],
  };
  const PARTS = {
    route: ["round", "venue", "symbol", "base", "average_price", "worst_price", "middle", "notional_usd", "spread", "depth", "fee", "basis", "funding", "penalty"],
    excluded: ["round", "venue", "symbol", "reason"],
    traded: ["round", "venue", "symbol", "base", "expected_price", "average_price", "expected", "realised", "spread", "depth", "slippage", "slippage_bps", "fee", "basis", "unconverted"],
    orders: ["requested_at", "round", "venue", "symbol", "side", "quantity", "limit_price", "time_in_force", "state", "ending", "filled", "average_price", "text"],
    fills: ["traded_at", "venue", "symbol", "quantity", "price", "fee", "fee_asset", "kind"],
  };
  const NEWEST = { hedges: "?newest_first=true&limit=20", costs: "?newest_first=true&limit=50", internalised: "?newest_first=true&limit=20", rebalancing: "?newest_first=true&limit=20", requests: "?newest_first=true&limit=50", transactions: "?newest_first=true&limit=50", alerts: "?newest_first=true&limit=50", portfolio: "?limit=500", limits: "?limit=500", approvals: "?open=true", history: "?newest_first=true&limit=50" };
  const URGENT = new Set(["modes", "approvals", "alerts", "limits", "exposure", "backing", "stress", "margin", "evacuation", "requests", "hedges"]);
  const GRAVITY = { critical: 0, warning: 1, info: 2 };
  const OVER = new Set(["resolved", "lapsed"]);
  const SEVERITY = { HALTED: 2, REDUCE_ONLY: 1, ACTIVE: 0 };
  const PATHS = { modes: "mode", history: "limits/history", evacuation: "stress" };
  const TONES = {
    critical: "bad", warning: "warn", HALTED: "bad", REDUCE_ONLY: "warn", ACTIVE: "good", completed: "good",
    final: "good", abandoned: "bad", adl: "bad", liquidation: "bad", unknown: "bad", failed: "bad", replaced: "warn", dropped: "warn", cancelled: "warn", settlement_failed: "bad", hedge_abandoned: "bad", reverted: "bad",
  };
  const WARNED = 0.7;
  const LONG = new Set(["symbol", "scope", "subject", "tx", "tx_hash", "benefactor", "sender", "order_id", "request_id"]);
  const PLACES = 6;
  const CENTS = 2;
  const DOLLARS = new Set(["value_low", "value_high", "loss", "equity", "maintenance", "unsettled", "notional", "flat_cost", "rehedge_cost", "unplaced"]);
  let chosen = "";
  let timer = 0;
  let round = 0;
  let shownAs = {};

  const fresh = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const key = () => sessionStorage.getItem(KEY) || "";

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  // A button keeps its name over refreshes, so that it can keep the focus.
  function button(text, name, act, className) {
    const made = element("button", text, className);
    made.type = "button";
    made.dataset.name = `${text} ${name}`;
    made.addEventListener("click", act);
    return made;
  }

  async function ask(path, options = {}) {
    const headers = { Authorization: `Bearer ${key()}`, ...(options.headers || {}) };
    const answer = await fetch(path, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    const body = await answer.json();
    if (!answer.ok) {
      const error = body.error || {};
      throw Object.assign(new Error(`${error.error_code || answer.status}: ${error.error_name || "refused"}`), { status: answer.status });
    }
    return body;
  }

  // Which part of its limit a row uses; null where nobody can tell. A float is good enough to draw with.
  function used(row) {
    if (typeof row.share_bps === "number") return row.share_bps / 10000; // of a limit
    if (row.loss !== undefined) return row.share_bps === null ? null : Number(row.share_bps) / 10000; // of the reserve
    if (!row.limit || row.worst === null || row.worst === undefined || Number(row.limit) <= 0) return null;
    return Number(row.worst) / Number(row.limit);
  }

  // A limit of which something is used that nobody can value now; others are of single orders only.
  const unmeasured = (row) => row.in_force === true && row.used === null && Boolean(row.subject);
  const nearness = (row) => used(row) ?? (unmeasured(row) ? WARNED : -1);

  const numeric = (text) => /^-?\d+(\.\d+)?$/.test(text);

  // The issued dollar has 18 decimals by its contract; the text is cut, never rounded through a float.
  const dollars = (atoms) => `${atoms.padStart(19, "0").slice(0, -18)}.${atoms.padStart(19, "0").slice(-18, -16)}`;

  const seconds = (ms) => (ms === null ? "–" : `${(ms / 1000).toFixed(1)} s`);

  function shown(row, column) {
    if (column === "issued_dollars") return dollars(row.issued_atoms);
    if (column === "max_mint_dollars") return dollars(row.max_mint_per_block);
    if (column === "max_redeem_dollars") return dollars(row.max_redeem_per_block);
    if (column === "held_by") return row.causes.map((each) => `${each.trigger || "people"}: ${each.mode}`).join(", ") || "–";
    if (column === "latched_controls") return row.latched.map((each) => `${each.control}: ${each.value} over ${each.limit}`).join(", ") || "–";
    if (column === "unknown_prices") return row.unknown.join(", ") || "–";
    if (column === "flat_s") return seconds(row.flat_ms);
    if (column === "rehedge_s") return seconds(row.rehedge_ms);
    if (column === "standing") return row.suspended ? `suspended: ${row.reason}` : row.lost ? `lost: ${row.lost}` : "believed";
    const value = row[column];
    if (value === null || value === undefined || value === "") return "–";
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (Array.isArray(value) && value.every((each) => each.asset)) return value.map((each) => `${each.amount} ${each.asset}`).join(", ") || "–";
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    if (/^\d{4}-\d\d-\d\dT/.test(text)) return `${text.slice(5, 10)} ${text.slice(11, 19)}Z`;
    return text;
  }

  function tone(row, column) {
    if (column === "within") return { true: "good", false: "bad" }[row.within] || "";
    if (column === "suspended") return row.suspended ? "bad" : "good";
    if (column === "degraded") return row.degraded ? "bad" : "good";
    if (column === "standing") return row.suspended ? "bad" : row.lost ? "warn" : "good";
    if (column === "in_force") return row.in_force ? "good" : "bad";
    return TONES[row[column]] || "";
  }

  function cell(row, column) {
    if (column === "use") {
      const part = used(row);
      const made = element("td", part === null && unmeasured(row) ? "unknown" : undefined, part === null ? "warn" : "");
      if (part !== null) {
        const bar = element("progress");
        bar.max = 1;
        bar.value = Math.min(1, part);
        bar.title = `${(100 * part).toFixed(1)} %`;
        made.append(bar, element("span", ` ${(100 * part).toFixed(0)} %`, part >= 1 ? "bad" : part >= WARNED ? "warn" : ""));
      }
      return made;
    }
    if (column === "decide") {
      const made = element("td");
      for (const [decision, text] of [["grant", "Grant"], ["deny", "Deny"]]) {
        const act = () => {
          if (window.confirm(`${text} what ${row.author} asks for?\n\n${row.text}\n\nReason: ${row.reason}`)) command(`/v1/approvals/${encodeURIComponent(row.approval_id)}`, { decision, change_sha256: row.change_sha256 }, `${decision === "grant" ? "granted" : "denied"}: ${row.text}`);
        };
        made.append(button(text, row.approval_id, act, decision === "grant" ? "danger" : ""), " ");
      }
      return made;
    }
    if (column === "release") {
      const made = element("td");
      if (row.mode !== "ACTIVE") {
        const act = () => {
          const reason = window.prompt(`Why may ${row.scope} go on?`);
          if (reason && reason.trim()) command("/v1/mode", { scope: row.scope, mode: "ACTIVE", reason: reason.trim() }, `${row.scope} is released`);
        };
        made.append(button("Release", row.scope, act));
      }
      return made;
    }
    if (column === "action") {
      const made = element("td", row.state === "raised" ? undefined : `${row.state} ${row.acknowledged_by}`.trim());
      if (row.state === "raised") made.append(button("Take up", row.alert_id, () => command(`/v1/alerts/${encodeURIComponent(row.alert_id)}/acknowledge`, {}, "the alert is yours")));
      return made;
    }
    if (column === "look") {
      const made = element("td");
      const act = () => {
        chosen = row.hedge_id;
        look(chosen).catch((error) => problem(error.message));
      };
      made.append(button("Look", row.hedge_id, act));
      return made;
    }
    const text = shown(row, column);
    if (LONG.has(column) && text.length > 32 && !text.includes(" ")) {
      const made = element("td", `${text.slice(0, 10)}…${text.slice(-6)}`);
      made.title = text;
      return made;
    }
    const point = text.indexOf(".");
    const places = row.unit === "USD" || DOLLARS.has(column) ? CENTS : PLACES;
    if (numeric(text) && point >= 0 && text.length - point - 1 > places) {
      const made = element("td", `${text.slice(0, point + 1 + places)}…`, "number"); // cut, never rounded through a float
      made.title = text;
      return made;
    }
    return element("td", text, [numeric(text) ? "number" : "", text.length > 40 ? "text" : "", tone(row, column)].join(" ").trim());
  }

  function table(rows, columns) {
    if (!rows.length) return element("p", "none", "quiet");
    const made = element("table");
    const head = element("tr");
    for (const column of columns) {
      const name = element("th", column.replaceAll("_", " "), numeric(shown(rows[0], column)) ? "number" : "");
      name.scope = "col";
      head.append(name);
    }
    const top = element("thead");
    top.append(head);
    const body = element("tbody");
    for (const row of rows) {
      const line = element("tr");
      for (const column of columns) line.append(cell(row, column));
      body.append(line);
    }
    made.append(top, body);
    return made;
  }

  const flatHedge = (row) => {
    const round = row.rounds[row.rounds.length - 1];
    const where = round.legs.map((leg) => `${leg.venue} ${leg.quantity}`).join(", ");
    return { ...row, ...(row.cost || {}), where, gap: round.certificate ? round.certificate.gap_usd : "" };
  };
  const costed = (row) => ({ ...row, ...(row.cost || {}), cost: undefined });

  function part(title, rows, columns) {
    return [element("h3", title), table(rows, columns)];
  }

  // One hedge whole: what each round rested on, what was ordered and traded, and what that cost beside it.
  async function look(id) {
    const row = (await ask(`/v1/hedges/${encodeURIComponent(id)}`)).hedge;
    const proven = row.rounds.filter((each) => each.certificate);
    const said = [element("p", `${row.purpose} ${row.quantity} ${row.underlying}: ${row.state}, ${row.filled} traded, ${row.residual} left`)];
    for (const each of row.rounds) {
      const proof = each.certificate;
      const why = each.text ? `: ${each.text}${each.failed.length ? `, without ${each.failed.join(", ")}` : ""}` : "";
      const cost = proof ? `expected ${proof.cost_usd} USD with funding and penalties over the horizon, no choice under ${proof.bound_usd}, gap ${proof.gap_usd} (a lot of each leg is ${proof.lot_usd}), ${proof.candidates} instruments considered, inputs ${proof.inputs_sha256.slice(0, 16)}…` : "no certificate";
      said.push(element("p", `round ${each.number}${why}; ${cost}`, "quiet"));
    }
    const of = (name) => proven.flatMap((each) => each.certificate[name].map((one) => ({ ...costed(one), round: each.number })));
    $("hedge").replaceChildren(
      ...said,
      ...part("Route", of("legs"), PARTS.route),
      ...part("Not considered", of("excluded"), PARTS.excluded),
      ...part("Traded", row.legs.map(costed), PARTS.traded),
      ...part(`Orders (${row.orders_told})`, row.orders, PARTS.orders),
      ...part(`Fills (${row.fills_told})`, row.fills, PARTS.fills),
    );
  }

  const SHAPES = { hedges: flatHedge, costs: costed };
  const say = (id, text, className) => {
    $(id).textContent = text;
    $(id).className = className;
  };
  const within = (row) => ({ true: "good", false: "bad" })[row.within] || "quiet";

  function backed(rows) {
    const total = rows.find((row) => row.kind === "total");
    if (total) {
      const left = total.unknown.length ? `no price for ${total.unknown.join(", ")}` : "nothing is issued";
      const ratio = total.ratio === null ? left : `ratio ${total.ratio} (at middles ${total.middle}, without unsettled profit ${total.at_risk}), held ${total.held} against ${total.limit}`;
      say("backed", `${total.supply} issued; ${ratio}; reserve ${total.reserve}`, within(total));
    }
    return rows.filter((row) => row.kind === "asset");
  }

  function stressed(rows) {
    const worst = rows.find((row) => row.kind === "worst");
    if (worst) {
      const missing = worst.unknown.length ? `; not known: ${worst.unknown.join(", ")}` : "";
      say("stressed", (worst.scope ? `worst: ${worst.scope} takes ${worst.loss} of a reserve of ${worst.reserve}` : "nothing can be told yet") + missing, within(worst));
    }
    return rows.filter((row) => row.loss !== undefined && !["worst", "evacuation"].includes(row.kind)).sort((a, b) => (used(b) || 0) - (used(a) || 0));
  }

  function waiting(rows) {
    $("waiting").hidden = !rows.length;
    return rows;
  }

  // What is stopped or latched, the gravest first; the rest is one line.
  function held(rows) {
    const free = rows.filter((row) => row.mode === "ACTIVE" && !row.latched.length);
    $("active").textContent = free.length ? `ACTIVE: ${free.map((row) => row.scope).join(", ")}` : "";
    $("scopes").replaceChildren(...rows.map((row) => Object.assign(element("option"), { value: row.scope })));
    return rows.filter((row) => !free.includes(row)).sort((a, b) => SEVERITY[b.mode] - SEVERITY[a.mode]);
  }

  const ARRANGED = {
    modes: held,
    alerts: (rows) => rows.sort((a, b) => OVER.has(a.state) - OVER.has(b.state) || (OVER.has(a.state) ? 0 : GRAVITY[a.severity] - GRAVITY[b.severity])), // what is not over first, the gravest of it on top
    contract: (rows) => rows.flatMap((row) => row.assets.map((asset) => ({ ...asset, block_number: row.block_number }))),
    limits: (rows) => rows.sort((a, b) => nearness(b) - nearness(a)),
    approvals: waiting,
    backing: backed,
    stress: stressed,
    evacuation: (rows) => rows.filter((row) => row.kind === "evacuation"),
  };
  const flat = (row) => (row.position && typeof row.position === "object" ? { ...row.position, kind: row.kind, asset: row.position.symbol, units: row.position.quantity } : row);

  function lags(text) {
    const rows = [];
    for (const line of text.split("\n")) {
      const found = /^(ballast_[a-z_]*(?:lag|depth|age|queue)[a-z_]*)\{([^}]*)\} (\S+)$/.exec(line);
      if (found && !/_(bucket|sum|count)$/.test(found[1])) {
        rows.push({ measure: found[1].replace("ballast_", ""), of: found[2].replaceAll('"', ""), value: found[3] });
      }
    }
    return table(rows, ["measure", "of", "value"]);
  }

  function problem(text) {
    $("problem").textContent = text;
    $("problem").hidden = !text;
  }

  // What came of a command stays until it is dismissed or another is sent: the boards go on meanwhile.
  function answered(text, good) {
    $("told").textContent = text;
    $("answer").hidden = !text;
    $("answer").className = `answer ${good ? "good" : "bad"}`;
  }

  // What is shown is old as long as nobody answers, and must look so.
  function alive(yes) {
    $("boards").className = yes ? "" : "old";
    if (yes) return;
    $("ready").textContent = "no answer";
    $("ready").className = "badge bad";
    document.title = "no answer · Ballast";
  }

  async function status() {
    const answer = await fetch("/health/ready", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    const body = await answer.json();
    const lost = body.dependencies.filter((each) => !each.ok).map((each) => `${each.name}: ${each.text}`);
    $("ready").textContent = body.ready ? "ready" : `not ready: ${lost.join(", ")}`;
    $("ready").className = `badge ${body.ready ? "good" : "bad"}`;
  }

  // A board is written anew only when it would say something else, and who is on a button of it stays there.
  function write(name, rows) {
    const said = JSON.stringify(rows);
    if (said === shownAs[name]) return;
    shownAs[name] = said;
    const board = $(name);
    const on = board.contains(document.activeElement) ? document.activeElement.dataset.name : "";
    board.replaceChildren(rows ? table(rows, COLUMNS[name]) : element("p", "cannot be read now", "problem"));
    if (on) [...board.querySelectorAll("button")].find((each) => each.dataset.name === on)?.focus();
  }

  // One board that cannot be read now leaves the others to be seen.
  async function rowsOf(name) {
    try {
      const path = PATHS[name] || name;
      const rows = (await ask(`/v1/${path}${NEWEST[name] || ""}`))[path.split("/").pop()].map(SHAPES[name] || flat);
      return ARRANGED[name] ? ARRANGED[name](rows) : rows;
    } catch (error) {
      if (error.status === 503) return null;
      throw error;
    }
  }

  async function board(name) {
    const rows = await rowsOf(name);
    write(name, rows);
    if (name === "hedges" && rows && rows.length) await look(chosen || rows[0].hedge_id);
  }

  async function boards(seldom) {
    const modes = await ask("/v1/mode?limit=500");
    const strict = modes.mode.filter((row) => row.mode !== "ACTIVE").sort((a, b) => SEVERITY[b.mode] - SEVERITY[a.mode]).map((row) => `${row.scope} ${row.mode}`);
    $("mode").textContent = strict.length ? strict.join(", ") : "ACTIVE";
    $("mode").className = `badge ${strict.length ? "bad" : "good"}`;
    $("position").textContent = `position ${modes.as_of_position}`;
    document.title = `${strict.length ? strict[0] : "ACTIVE"} · Ballast`;
    problem("");
    await Promise.all(Object.keys(COLUMNS).filter((name) => seldom || URGENT.has(name)).map(board));
    if (seldom) $("lags").replaceChildren(lags(await (await fetch("/metrics", { cache: "no-store" })).text()));
  }

  const silent = (error) => error instanceof TypeError || error instanceof SyntaxError || error.name === "TimeoutError";

  async function refresh() {
    window.clearTimeout(timer);
    const mine = ++round;
    try {
      await status();
      alive(true);
      if (key()) await boards(round % SELDOM === 1 || !shownAs.costs);
      else problem("Type an API key to see the book.");
      $("updated").textContent = `seen ${new Date().toISOString().slice(11, 19)}Z`;
    } catch (error) {
      alive(!silent(error));
      problem(silent(error) ? "Ballast does not answer: what is shown is old. `ballast kill` needs nothing that runs." : error.message);
    }
    if (mine === round) timer = window.setTimeout(refresh, REFRESH_MS);
  }

  async function command(path, body, done) {
    answered("");
    try {
      const headers = { "Content-Type": "application/json", "Idempotency-Key": fresh() };
      const told = await ask(path, { method: "POST", body: JSON.stringify(body), headers });
      if (told.approval_id) answered(`Nothing changed yet: another person must grant it until ${told.expires_at}.`, false);
      else answered(told.position ? `Done as of position ${told.position}: ${done}` : "It was so already: nothing was changed.", true);
    } catch (error) {
      answered(silent(error) ? "No answer came: it may have been done. Look before you send it again." : `Refused. ${error.message}`, false);
    }
    await refresh();
  }

  $("login").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, $("key").value.trim());
    $("key").value = "";
    shownAs = {};
    refresh();
  });
  $("forget").addEventListener("click", () => {
    sessionStorage.removeItem(KEY);
    for (const name of [...Object.keys(COLUMNS), "hedge"]) $(name).replaceChildren();
    $("waiting").hidden = true;
    $("active").textContent = "";
    shownAs = {};
    chosen = "";
    answered("");
    refresh();
  });
  $("halt").addEventListener("submit", (event) => {
    event.preventDefault();
    const scope = $("scope").value.trim();
    if (!window.confirm(`Halt ${scope}?`)) return;
    command("/v1/mode", { scope, mode: "HALTED", reason: $("reason").value.trim() }, `${scope} is HALTED`);
    $("halt").reset();
  });
  $("dismiss").addEventListener("click", () => answered(""));
  for (const each of document.querySelectorAll(".board")) {
    each.tabIndex = 0; // so that a keyboard can scroll it
    each.setAttribute("role", "region");
    each.setAttribute("aria-label", each.closest("section").querySelector("h2").textContent);
  }
  refresh();
})();
