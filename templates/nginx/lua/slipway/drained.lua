-- Managed by Slipway: hand edits are undone by the next run.
-- Who is drained, and until when. In a shared dictionary, which a reload keeps, and in a file, which a restart keeps.
-- Every drain is a lease: it runs out by itself, so no edge leaves a host out for ever.
local cjson = require "cjson.safe"
local clock = require "slipway.clock"

local FILE = "/var/lib/slipway-edge/drained.json"
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

-- Written beside and renamed: a crash leaves the old list or the new one. `lease` caps what a reboot's new clock says.
local function save()
  local held = {}
  for name, lease in pairs(drained.all()) do
    held[name] = { until_ = clock.now() + lease.left, lease = lease.left, reason = lease.reason }
  end
  local beside = FILE .. "." .. ngx.worker.pid()
  local file, why = io.open(beside, "w")
  if not file then
    return nil, why
  end
  local written, fault = file:write(cjson.encode(held))
  file:close()
  if not written then
    return nil, fault
  end
  return os.rename(beside, FILE)
end

local function set(name, seconds, reason)
  -- No expiry of the dictionary's own: it goes by the wall clock.
  local ok, why = dict:safe_set(PREFIX .. name, clock.now() + seconds)
  if not ok then
    return nil, why
  end
  return dict:safe_set("reason:" .. name, reason)
end

-- Puts a host or peer out for so many seconds. Says nil and why where that cannot be kept.
function drained.put(name, seconds, reason)
  local ok, why = set(name, seconds, reason)
  if not ok then
    return nil, why
  end
  return save()
end

function drained.restore(name)
  dict:delete(PREFIX .. name)
  dict:delete("reason:" .. name)
  return save()
end

-- In the master, before the workers: after a restart the dictionary is empty and the file knows; after a reload
-- the dictionary is what is true.
function drained.load()
  if not dict:add(LOADED, true) then
    return
  end
  local file = io.open(FILE, "r")
  if not file then
    return
  end
  local held = cjson.decode(file:read("*a") or "")
  file:close()
  if type(held) ~= "table" then
    ngx.log(ngx.ERR, FILE, " cannot be read; nobody is drained")
    return
  end
  for name, lease in pairs(held) do
    local left = math.min(lease.until_ - clock.now(), lease.lease)
    if left > 0 then
      set(name, left, lease.reason or "")
    end
  end
end

return drained
