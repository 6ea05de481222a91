-- Managed by Slipway: hand edits are undone by the next run.
-- Which of the available peers has the request: one function per way of balancing, each given a non-empty list and what
-- it is a list of: "new" or "old" while a canary is on.
local inflight = require "slipway.inflight"

local dict = ngx.shared.slipway_edge

local choice = {}

-- In turn, counted over all workers; for each group by itself, or requests that alternate between two groups would
-- always meet the same peer of each.
function choice.round_robin(upstream, available, group)
  local turn = dict:incr("turn:" .. upstream.name .. ":" .. group, 1, -1)
  return available[turn % #available + 1]
end

-- Fewest requests under way; among equals in turn, or the first would have every lone request.
function choice.least_conn(upstream, available, group)
  local fewest, least = {}, math.huge
  for _, peer in ipairs(available) do
    local count = inflight.count(peer.address)
    if count < least then
      fewest, least = {}, count
    end
    if count == least then
      fewest[#fewest + 1] = peer
    end
  end
  return choice.round_robin(upstream, fewest, group)
end

-- Highest of the hashes of client and peer (rendezvous hashing): when a peer goes, only its own clients move. A replica's
-- successor has its place, and with it its clients.
function choice.sticky_address(_, available)
  local best, highest
  for _, peer in ipairs(available) do
    local hash = ngx.md5_bin(ngx.var.binary_remote_addr .. peer.place)
    if not highest or hash > highest then
      best, highest = peer, hash
    end
  end
  return best
end

function choice.cookie_name(upstream)
  return "slipway_peer_" .. upstream.name:gsub("[^%w]", "_")
end

-- The peer that the session's cookie names; where that one is not to be had, the least busy one.
function choice.sticky_cookie(upstream, available, group)
  local wanted = ngx.var["cookie_" .. choice.cookie_name(upstream)]
  for _, peer in ipairs(available) do
    if peer.id == wanted then
      return peer
    end
  end
  return choice.least_conn(upstream, available, group)
end

return choice
