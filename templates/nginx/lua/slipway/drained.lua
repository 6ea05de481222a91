-- Managed by Slipway: hand edits are undone by the next run.
-- Who is drained, and until when. In a shared dictionary, which a reload keeps, and in a file, which a restart keeps.
-- Every drain is a lease: it runs out by itself, so no edge leaves a host out for ever.
local clock = require "slipway.clock"
local kept = require "slipway.kept"

local FILE = "drained.json"
local MAX_LEASE = 86400 -- a day: what is out for longer belongs out of the inventory
local PREFIX = "drained:"
local LOADED = "drained is loaded"

local dict = ngx.shared.slipway_edge

local drained = { MAX_LEASE = MAX_LEASE }

-- Seconds that are left of a lease on a host or a peer ("10.0.0.1" or "10.0.0.1:8080"); 0 where it is not drained.
function drained.left(name)
  local until_ = dict:get(PREFIX .. name)
  if not until_ then
    return 0
  end
  return math.max(0, until_ - clock.now())
end

-- All that is drained now: name to {left = seconds, reason = text}.
function drained.all()
  local found = {}
  for _, key in ipairs(dict:get_keys(0)) do
    if key:sub(1, #PREFIX) == PREFIX then
      local name = key:sub(#PREFIX + 1)
      local left = drained.left(name)
      if left > 0 then
        found[name] = { left = left, reason = dict:get("reason:" .. name) or "" }
      end
    end
  end
  return found
end

-- `lease` caps what a reboot's new clock says.
local function save()
  local held = {}
  for name, lease in pairs(drained.all()) do
    held[name] = { until_ = clock.now() + lease.left, lease = lease.left, reason = lease.reason }
  end
  return kept.save(FILE, held)
end

local function set(name, seconds, reason)
  -- No expiry of the dictionary's own: it goes by the wall clock.
  local ok, why = dict:safe_set(PREFIX .. name, clock.now() + seconds)
  if not ok then
    return nil, why
  end
  return dict:safe_set("reason:" .. name, reason)
end

-- Puts hosts and peers out for so many seconds. Says nil and why where that cannot be kept.
function drained.put(names, seconds, reason)
  return kept.alone(function()
    for _, name in ipairs(names) do
      local ok, why = set(name, seconds, reason)
      if not ok then
        return nil, why
      end
    end
    return save()
  end)
end

function drained.restore(names)
  return kept.alone(function()
    for _, name in ipairs(names) do
      dict:delete(PREFIX .. name)
      dict:delete("reason:" .. name)
    end
    return save()
  end)
end

-- In the master, before the workers: after a restart the dictionary is empty and the file knows; after a reload
-- the dictionary is what is true.
function drained.load()
  if not dict:add(LOADED, true) then
    return
  end
  for name, lease in pairs(kept.read(FILE) or {}) do
    -- Whatever else lies in a damaged file must not keep nginx from starting.
    if type(lease) == "table" and type(lease.until_) == "number" and type(lease.lease) == "number" then
      local left = math.min(lease.until_ - clock.now(), lease.lease)
      if left > 0 then
        set(name, left, tostring(lease.reason or ""))
      end
    end
  end
end

return drained
