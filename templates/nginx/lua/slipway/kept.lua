-- Managed by Slipway: hand edits are undone by the next run.
-- What must outlive nginx: a table in a file, and changes of it one at a time over all workers.
local cjson = require "cjson.safe"
local clock = require "slipway.clock"

local DIRECTORY = "/var/lib/slipway-edge/"
local LOCK_SECONDS = 5 -- a change takes milliseconds; the lock of a worker that was killed within one lasts so long
local LOCK_STEP = 0.002 -- seconds between two tries to get it

local dict = ngx.shared.slipway_edge

local kept = {}

-- Written beside and renamed: a crash leaves the old file or the new one. Says nil and why where it cannot be written.
-- Not synced to the disk, which would stop every request of this worker: what a power cut takes is told anew.
function kept.save(name, value)
  local beside = DIRECTORY .. name .. "." .. ngx.worker.pid()
  local file, why = io.open(beside, "w")
  if not file then
    return nil, why
  end
  local written, fault = file:write(cjson.encode(value))
  local closed, late = file:close()
  if not written or not closed then
    os.remove(beside)
    return nil, fault or late
  end
  return os.rename(beside, DIRECTORY .. name)
end

-- The table, or nil where there is no file or none that can be read, which is logged.
function kept.read(name)
  local file = io.open(DIRECTORY .. name, "r")
  if not file then
    return nil
  end
  local value = cjson.decode(file:read("*a") or "")
  file:close()
  if type(value) ~= "table" then
    ngx.log(ngx.ERR, DIRECTORY, name, " cannot be read; what it held is forgotten")
    return nil
  end
  return value
end

-- Calls `change` while no other worker is within one: what it reads is still true when it writes.
function kept.alone(change)
  local give_up = clock.now() + 2 * LOCK_SECONDS
  while not dict:add("changing", true, LOCK_SECONDS) do
    if clock.now() >= give_up then
      return nil, "another change does not end"
    end
    ngx.sleep(LOCK_STEP)
  end
  local ended, ok, why = pcall(change)
  dict:delete("changing")
  if not ended then
    return nil, ok
  end
  return ok, why
end

return kept
