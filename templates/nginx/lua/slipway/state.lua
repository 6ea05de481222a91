-- Managed by Slipway: hand edits are undone by the next run.
-- Everything that this edge knows of its traffic, for `slipway-edge state`.
local admission = require "slipway.admission"
local cjson = require "cjson.safe"
local drained = require "slipway.drained"
local edge = require "slipway.edge"
local inflight = require "slipway.inflight"
local peers = require "slipway.peers"

local dict = ngx.shared.slipway_edge

local state = {}

local function of_peer(peer)
  return {
    address = peer.address,
    host = peer.host,
    port = peer.port,
    release = peer.release,
    drained = peers.is_drained(peer),
    down_seconds = peers.down_left(peer),
    failures = dict:get("failures:" .. peer.address) or 0,
    inflight = inflight.count(peer.address),
  }
end

local function of_all(list)
  local listed = setmetatable({}, cjson.array_mt)
  for number, peer in ipairs(list) do
    listed[number] = of_peer(peer)
  end
  return listed
end

-- `peers` are those of the configuration. `admitted` is absent where nobody ever was; an upstream by hand has none.
local function of_upstream(upstream)
  local admitted = peers.admitted(upstream)
  return {
    balance = upstream.balance,
    peers = of_all(upstream.order),
    admission = upstream.admission,
    admitted = admitted and of_all(admitted) or nil,
    canary = upstream.admission and admission.record().canaries[upstream.name] or nil,
  }
end

function state.as_json()
  local upstreams = {}
  for name, upstream in pairs(peers.upstreams) do
    upstreams[name] = of_upstream(upstream)
  end
  return cjson.encode {
    tree = edge.tree,
    generation = edge.generation,
    upstreams = upstreams,
    drained = drained.all(),
    close_seconds = edge.close_left(),
    connections = { active = tonumber(ngx.var.connections_active), waiting = tonumber(ngx.var.connections_waiting) },
  }
end

return state
