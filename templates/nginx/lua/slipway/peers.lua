-- Managed by Slipway: hand edits are undone by the next run.
-- The upstreams of this tree and their peers: what there is. Who of them may have requests is state (drained, down).
local cjson = require "cjson.safe"
local clock = require "slipway.clock"
local drained = require "slipway.drained"

local dict = ngx.shared.slipway_edge

local peers = { upstreams = {} }

-- Read once, in the master. `id` stands for a peer in a sticky cookie without telling its address.
function peers.load(file)
  local opened = assert(io.open(file, "r"))
  local upstreams = assert(cjson.decode(opened:read("*a")))
  opened:close()
  for name, upstream in pairs(upstreams) do
    upstream.name = name
    for _, peer in ipairs(upstream.peers) do
      peer.address = peer.host .. ":" .. peer.port
      peer.id = ngx.md5(name .. " " .. peer.address):sub(1, 12)
    end
  end
  peers.upstreams = upstreams
end

function peers.is_drained(peer)
  return drained.left(peer.host) > 0 or drained.left(peer.address) > 0
end

-- Seconds for which a peer that could not be connected to is left alone; 0 where it is well.
function peers.down_left(peer)
  local until_ = dict:get("down:" .. peer.address)
  return until_ and math.max(0, until_ - clock.now()) or 0
end

function peers.mark_down(upstream, address)
  dict:incr("failures:" .. address, 1, 0)
  dict:set("down:" .. address, clock.now() + upstream.fail_seconds)
end

-- Those that may have a request and were not tried for it yet. Where every one is down, the down ones: a wrong guess
-- costs one try, an empty list costs the request. A drained peer is never among them.
function peers.available(upstream, tried)
  local up, down = {}, {}
  for _, peer in ipairs(upstream.peers) do
    if not (tried and tried[peer.address]) and not peers.is_drained(peer) then
      local list = peers.down_left(peer) > 0 and down or up
      list[#list + 1] = peer
    end
  end
  return #up > 0 and up or down
end

return peers
