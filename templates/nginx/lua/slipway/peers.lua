-- Managed by Slipway: hand edits are undone by the next run.
-- The peers of each upstream. Of the application's upstreams the configuration names candidates only, both ports of
-- every replica, and a rollout says which of them are admitted; others are as the configuration has them.
local address = require "slipway.address"
local admission = require "slipway.admission"
local cjson = require "cjson.safe"
local clock = require "slipway.clock"
local drained = require "slipway.drained"

local dict = ngx.shared.slipway_edge

local peers = { upstreams = {} }

-- `place` is the same for both ports of a replica, so that a session stays when a successor takes over; `id` stands for
-- it in a sticky cookie without telling an address.
local function peer_at(upstream, host, port, place)
  local at = address.join(host, port)
  return { host = host, port = port, address = at, place = place or at, id = ngx.md5(upstream .. " " .. (place or at)):sub(1, 12) }
end

local function add(upstream, list, peer)
  list[#list + 1] = peer
  upstream.order[#upstream.order + 1] = peer
  upstream.by_address[peer.address] = peer
  peer.number = #upstream.order
end

-- Read once, in the master.
function peers.load(file)
  local opened = assert(io.open(file, "r"))
  local upstreams = assert(cjson.decode(opened:read("*a")))
  opened:close()
  for name, upstream in pairs(upstreams) do
    upstream.name, upstream.order, upstream.by_address = name, {}, {}
    local first, second = {}, {}
    for _, told in ipairs(upstream.peers) do
      add(upstream, first, peer_at(name, told.host, told.port))
    end
    for number, told in ipairs(upstream.peers) do
      if told.second_port then
        first[number].other = peer_at(name, told.host, told.second_port, first[number].place)
        add(upstream, second, first[number].other)
      end
    end
    upstream.peers = first
  end
  peers.upstreams = upstreams
end

local function admitted_now(upstream, addresses)
  local list = {}
  for at, release in pairs(addresses) do
    local host, port = address.split(at)
    local candidate = upstream.by_address[at]
    local peer = peer_at(upstream.name, host, port, candidate and candidate.place)
    peer.release = release
    peer.number = candidate and candidate.number or math.huge
    list[#list + 1] = peer
  end
  -- In one order on every edge: a table of addresses has none.
  table.sort(list, function(one, other)
    if one.number ~= other.number then
      return one.number < other.number
    end
    return one.address < other.address
  end)
  return list
end

-- Lists made of the record that is in force; thrown away with it.
local lists = setmetatable({}, { __mode = "k" })

-- Those that a rollout has admitted; nil where it never did.
function peers.admitted(upstream)
  local record = admission.record()
  local addresses = upstream.admission and record.upstreams[upstream.name]
  if not addresses then
    return nil
  end
  lists[record] = lists[record] or {}
  lists[record][upstream.name] = lists[record][upstream.name] or admitted_now(upstream, addresses)
  return lists[record][upstream.name]
end

function peers.is_drained(peer)
  return drained.left(peer.host) > 0 or drained.left(peer.address) > 0
end

-- Seconds for which a peer that could not be connected to is left alone; 0 where it is well.
function peers.down_left(peer)
  local until_ = dict:get("down:" .. peer.address)
  return until_ and math.max(0, until_ - clock.now()) or 0
end

function peers.mark_down(upstream, at)
  dict:incr("failures:" .. at, 1, 0)
  dict:set("down:" .. at, clock.now() + upstream.fail_seconds)
end

function peers.mark_well(at)
  dict:delete("down:" .. at)
end

-- Of a list those that are not drained and were not tried yet: the well ones, the ones that are down. And how many of
-- all are drained, and whether one is well though it was tried.
local function sorted_out(list, tried)
  local found = { up = {}, down = {}, drained = 0, is_one_well = false }
  for _, peer in ipairs(list) do
    if peers.is_drained(peer) then
      found.drained = found.drained + 1
    else
      local is_down = peers.down_left(peer) > 0
      found.is_one_well = found.is_one_well or not is_down
      if not (tried and tried[peer.address]) then
        local one_of = is_down and found.down or found.up
        one_of[#one_of + 1] = peer
      end
    end
  end
  return found
end

-- Each replica's first port, or its second where the first one is down. A replica of which either port is drained is
-- being replaced: its other port may answer before it is ready.
local function candidates(upstream, tried)
  local list = {}
  for _, peer in ipairs(upstream.peers) do
    local other = peer.other
    if not (other and (peers.is_drained(peer) or peers.is_drained(other))) then
      local is_first_gone = peers.down_left(peer) > 0 or (tried and tried[peer.address])
      list[#list + 1] = other and is_first_gone and other or peer
    end
  end
  return sorted_out(list, tried)
end

-- Where every one is down, the down ones: a wrong guess costs one try, an empty list costs the request.
local function best_of(found)
  return #found.up > 0 and found.up or found.down
end

-- Those that may have a request and were not tried for it yet; never a drained one. Where not one of the admitted can
-- be connected to, or nobody ever was admitted, the candidates.
function peers.available(upstream, tried)
  if not upstream.admission then
    return best_of(sorted_out(upstream.peers, tried))
  end
  local admitted = peers.admitted(upstream) or {}
  local found = sorted_out(admitted, tried)
  local are_all_drained = #admitted > 0 and found.drained == #admitted
  if #found.up > 0 or found.is_one_well or are_all_drained then
    return best_of(found)
  end
  local spare = candidates(upstream, tried)
  return #spare.up > 0 and spare.up or #found.down > 0 and found.down or spare.down
end

-- Whether there is anybody to wait for when nobody is available.
function peers.has_any(upstream)
  local admitted = peers.admitted(upstream)
  return #upstream.order > 0 or (admitted ~= nil and #admitted > 0)
end

-- How many addresses one request may come to.
function peers.count(upstream)
  local admitted = peers.admitted(upstream)
  return #upstream.order + (admitted and #admitted or 0)
end

return peers
