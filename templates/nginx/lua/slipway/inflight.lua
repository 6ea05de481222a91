-- Managed by Slipway: hand edits are undone by the next run.
-- Requests under way at each peer, over all workers. Every worker's share is kept apart as well, so that what a
-- killed worker held can be taken off again.
local address = require "slipway.address"
local ffi = require "ffi"

ffi.cdef [[ int kill(int pid, int signal); ]]

local REAP_EVERY = 2 -- seconds: how long a killed worker's requests still count

local dict = ngx.shared.slipway_edge

local inflight = {}

-- Request id to peer, of this worker. `ngx.ctx` would be lost on an internal redirect (X-Accel-Redirect, error_page).
local held = {}

local function add(peer, by)
  dict:incr("inflight:" .. peer, by, 0)
  dict:incr("share:" .. ngx.worker.pid() .. ":" .. peer, by, 0)
end

-- This request is now at that peer, and no longer where it was tried before.
function inflight.move(request, peer)
  local before = held[request]
  if before then
    add(before, -1)
  end
  held[request] = peer
  add(peer, 1)
end

-- Where this request was tried last; nil before the first try.
function inflight.peer_of(request)
  return held[request]
end

-- This request is over, however it ended.
function inflight.done(request)
  local peer = held[request]
  if peer then
    held[request] = nil
    add(peer, -1)
  end
end

function inflight.count(peer)
  return dict:get("inflight:" .. peer) or 0
end

-- At these hosts ("10.0.0.1") and peers ("10.0.0.1:8080") together, those included that the configuration no longer has.
function inflight.count_at(names)
  local wanted, total = {}, 0
  for _, name in ipairs(names) do
    wanted[name] = true
  end
  for _, key in ipairs(dict:get_keys(0)) do
    local peer = key:match("^inflight:(.+)$")
    if peer and (wanted[peer] or wanted[address.split(peer) or ""]) then
      total = total + inflight.count(peer)
    end
  end
  return total
end

local function is_alive(pid)
  -- Not allowed to signal it (EPERM) means that it is not one of ours: the number was given away again.
  return ffi.C.kill(pid, 0) == 0
end

local function take_off(key, peer)
  local share = dict:get(key)
  dict:delete(key)
  if share and share ~= 0 then
    dict:incr("inflight:" .. peer, -share, 0)
  end
end

local function reap(premature)
  -- One worker at a time: taken twice, a share would make the count negative.
  if premature or not dict:add("reaping", true, REAP_EVERY / 2) then
    return
  end
  for _, key in ipairs(dict:get_keys(0)) do
    local pid, peer = key:match("^share:(%d+):(.+)$")
    if pid and not is_alive(tonumber(pid)) then
      take_off(key, peer)
    end
  end
end

function inflight.watch()
  ngx.timer.every(REAP_EVERY, reap)
end

return inflight
