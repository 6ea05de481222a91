-- Managed by Slipway: hand edits are undone by the next run.
-- Seconds since boot: a drain's lease must not grow or shrink when somebody sets the wall clock.
local ffi = require "ffi"

ffi.cdef [[
  struct slipway_timespec { long seconds; long nanoseconds; };
  int clock_gettime(int clock, struct slipway_timespec *now);
]]

local CLOCK_MONOTONIC = 1
local now = ffi.new("struct slipway_timespec")

local clock = {}

function clock.now()
  ffi.C.clock_gettime(CLOCK_MONOTONIC, now)
  return tonumber(now.seconds) + tonumber(now.nanoseconds) / 1e9
end

return clock
