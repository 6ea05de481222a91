-- Managed by Slipway: hand edits are undone by the next run.
-- The control socket: GET /state, POST /drain?host=A&ttl=S, POST /restore?host=A, POST /close?ttl=S; and, as plain
-- text for a shell, GET /inflight?host=A, GET /quiet, GET /generation.
-- Whoever can open the socket may call it: its directory lets in root only.
local cjson = require "cjson.safe"
local drained = require "slipway.drained"
local edge = require "slipway.edge"
local inflight = require "slipway.inflight"
local peers = require "slipway.peers"

local dict = ngx.shared.slipway_edge

local control = {}

local function answer(status, body)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.say(cjson.encode(body))
end

local function refuse(why)
  return answer(ngx.HTTP_BAD_REQUEST, { error = why })
end

local function peer_state(peer)
  return {
    address = peer.address,
    host = peer.host,
    port = peer.port,
    drained = peers.is_drained(peer),
    down_seconds = peers.down_left(peer),
    failures = dict:get("failures:" .. peer.address) or 0,
    inflight = inflight.count(peer.address),
  }
end

local function upstream_state(upstream)
  local listed = setmetatable({}, cjson.array_mt)
  for _, peer in ipairs(upstream.peers) do
    listed[#listed + 1] = peer_state(peer)
  end
  return { balance = upstream.balance, peers = listed }
end

local function state()
  local upstreams = {}
  for name, upstream in pairs(peers.upstreams) do
    upstreams[name] = upstream_state(upstream)
  end
  return {
    tree = edge.tree,
    generation = edge.generation,
    upstreams = upstreams,
    drained = drained.all(),
    close_seconds = edge.close_left(),
    connections = { active = tonumber(ngx.var.connections_active), waiting = tonumber(ngx.var.connections_waiting) },
  }
end

local function seconds_of(text)
  local seconds = tonumber(text)
  return seconds and seconds >= 0 and seconds <= drained.MAX_LEASE and seconds or nil
end

local function name_of(text)
  -- An address, or an address and a port; nothing else becomes a key.
  return type(text) == "string" and #text <= 64 and text:match("^[%x.:%[%]]+$") or nil
end

local changes = {}

changes["/drain"] = function(arguments)
  local name, seconds = name_of(arguments.host), seconds_of(arguments.ttl)
  if not name or not seconds then
    return nil, "drain wants host=ADDRESS and ttl=SECONDS, at most " .. drained.MAX_LEASE
  end
  return drained.put(name, seconds, tostring(arguments.reason or ""):sub(1, 200))
end

changes["/restore"] = function(arguments)
  local name = name_of(arguments.host)
  if not name then
    return nil, "restore wants host=ADDRESS"
  end
  return drained.restore(name)
end

changes["/close"] = function(arguments)
  local seconds = seconds_of(arguments.ttl)
  if not seconds then
    return nil, "close wants ttl=SECONDS; 0 ends it"
  end
  return edge.close_for(seconds)
end

local plain = {}

plain["/inflight"] = function(arguments)
  return inflight.count_at(name_of(arguments.host) or "")
end

plain["/quiet"] = function()
  return math.floor(edge.quiet())
end

-- Another number after every reload and start: whose workers answer.
plain["/generation"] = function()
  return edge.generation
end

local function make_change(change)
  if ngx.req.get_method() ~= "POST" then
    return answer(ngx.HTTP_NOT_ALLOWED, { error = "a change is a POST" })
  end
  local ok, why = change(ngx.req.get_uri_args())
  if not ok then
    return refuse(why)
  end
  return answer(ngx.HTTP_OK, state())
end

function control.serve()
  local path = ngx.var.uri
  if path == "/state" then
    return answer(ngx.HTTP_OK, state())
  elseif plain[path] then
    return ngx.say(plain[path](ngx.req.get_uri_args()))
  elseif changes[path] then
    return make_change(changes[path])
  end
  return answer(ngx.HTTP_NOT_FOUND, { error = "known: /state, /drain, /restore, /close, /inflight, /quiet, /generation" })
end

return control
