-- Managed by Slipway: hand edits are undone by the next run.
-- What nginx calls, phase by phase.
local address = require "slipway.address"
local admission = require "slipway.admission"
local balancer = require "ngx.balancer"
local canary = require "slipway.canary"
local choice = require "slipway.choice"
local clock = require "slipway.clock"
local drained = require "slipway.drained"
local inflight = require "slipway.inflight"
local peers = require "slipway.peers"

local HOLD_STEP = 0.05 -- seconds between two looks while a request is held

local NO_LIVE_UPSTREAM = -3 -- NGX_BUSY, which ngx_lua has no name for: nginx answers 502; any status would become 500

local dict = ngx.shared.slipway_edge

local edge = {}

-- In the master, at start and at every reload. `tree` is the path of the version of the configuration this lies in.
function edge.init(tree)
  edge.tree = tree
  edge.generation = dict:incr("generation", 1, 0)
  drained.load()
  admission.load()
  peers.load(tree .. "/upstreams.json")
  -- Now, not at the first question: this version of the tree may be gone by then.
  require "slipway.control"
end

function edge.init_worker()
  inflight.watch()
end

-- Access: where every peer of a service is drained (its only replica is being replaced), the request waits for one to
-- come back rather than fail.
function edge.hold(name)
  local upstream = peers.upstreams[name]
  local held_until = clock.now() + upstream.hold_seconds
  while #peers.available(upstream) == 0 do
    if not peers.has_any(upstream) or clock.now() >= held_until then
      ngx.header["Retry-After"] = "5"
      return ngx.exit(ngx.HTTP_SERVICE_UNAVAILABLE)
    end
    ngx.sleep(HOLD_STEP)
  end
end

-- A try that never connected has no connect time; the last, empty entry belongs to the try that begins now.
local function could_not_connect()
  local times = ngx.var.upstream_connect_time or ""
  return times:match("([^%s,:]+)%s*[,:]%s*%S*%s*$") == "-"
end

local function note_failed_try(upstream, ctx)
  if not ctx.tried or not balancer.get_last_failure() then
    return
  end
  if could_not_connect() then
    peers.mark_down(upstream, ctx.last)
  else
    ctx.sent = ctx.sent + 1
  end
end

-- nginx decides by proxy_next_upstream whether a further try is safe; this says how many there may be. Where the
-- candidates stand in for admitted peers that are gone, each of them: to be refused takes no time.
local function allow_more_tries(upstream, ctx, available)
  if not ctx.tried then
    ctx.tried, ctx.sent = {}, 0
    local most = upstream.admission and peers.count(upstream) or math.min(#available, upstream.tries)
    balancer.set_more_tries(most - 1)
  end
end

-- Balancer: once per try.
function edge.balance(name)
  local upstream, ctx = peers.upstreams[name], ngx.ctx
  note_failed_try(upstream, ctx)
  local available, group = canary.share(upstream, peers.available(upstream, ctx.tried))
  if #available == 0 or (ctx.sent or 0) >= upstream.tries then
    return ngx.exit(NO_LIVE_UPSTREAM)
  end
  allow_more_tries(upstream, ctx, available)
  local peer = choice[upstream.balance](upstream, available, group)
  ctx.tried[peer.address], ctx.last, ctx.peer = true, peer.address, peer
  inflight.move(ngx.var.request_id, peer.address)
  balancer.set_current_peer(address.bracketed(peer.host), peer.port)
end

local function set_cookie(name, value)
  local secure = ngx.var.slipway_scheme == "https" and "; Secure" or ""
  local cookies = ngx.header["Set-Cookie"] or {}
  if type(cookies) == "string" then
    cookies = { cookies }
  end
  cookies[#cookies + 1] = name .. "=" .. value .. "; Path=/; HttpOnly; SameSite=Lax" .. secure
  ngx.header["Set-Cookie"] = cookies
end

local function set_sticky_cookie(upstream, peer)
  local name = choice.cookie_name(upstream)
  if ngx.var["cookie_" .. name] ~= peer.id then
    set_cookie(name, peer.id)
  end
end

-- Seconds for which every answer still says `Connection: close`, before a reload.
function edge.close_left()
  local until_ = dict:get("close")
  return until_ and math.max(0, until_ - clock.now()) or 0
end

function edge.close_for(seconds)
  dict:set("reused", clock.now())
  return dict:safe_set("close", clock.now() + seconds)
end

-- Seconds since a request last came on a connection from before that, or since it began.
function edge.quiet()
  return clock.now() - (dict:get("reused") or 0)
end

-- Rewrite: sends the request to the twin of its location, which differs in `keepalive_timeout 0` only: the one way in
-- which nginx itself says `Connection: close` by what is known at run time. HTTP/2 has GOAWAY, sent by nginx at a reload.
function edge.close_if_asked(twin)
  if edge.close_left() > 0 and ngx.req.http_version() < 2 then
    if tonumber(ngx.var.connection_requests) > 1 then
      dict:set("reused", clock.now())
    end
    return ngx.exec(twin)
  end
end

-- Header filter of a proxied route.
function edge.answer(name)
  local upstream, peer = peers.upstreams[name], ngx.ctx.peer
  if not peer then
    return
  end
  if upstream.balance == "sticky_cookie" then
    set_sticky_cookie(upstream, peer)
  end
  local bucket = canary.new_cookie(upstream)
  if bucket then
    set_cookie(canary.COOKIE, bucket)
  end
end

-- Log: always runs, once per request.
function edge.done()
  inflight.done(ngx.var.request_id)
end

return edge
