-- Managed by Slipway: hand edits are undone by the next run.
-- Whether peers answer this edge, asked over the way that requests take.
local address = require "slipway.address"
local clock = require "slipway.clock"

local AGAIN_AFTER = 0.1 -- seconds; what is just starting is met soon, and a tenth of a second is no load
local TRY_SECONDS = 5 -- for one try: what takes longer to say that it is well is not well

local probe = {}

local function ask(socket, at, path, host)
  socket:send("GET " .. path .. " HTTP/1.0\r\nHost: " .. (host ~= "" and host or at) .. "\r\nUser-Agent: slipway-edge\r\n\r\n")
  local line, why = socket:receive("*l")
  local status = line and tonumber(line:match("^HTTP/%d%.%d (%d%d%d)"))
  if status and status < 500 then
    return true
  end
  return nil, line or why
end

-- A connection, or where `path` is not empty an answer below 500; nil and why not.
local function try(at, path, host, seconds)
  local socket = ngx.socket.tcp()
  socket:settimeout(math.max(0.05, math.min(seconds, TRY_SECONDS)) * 1000)
  local there, port = address.split(at)
  local ok, why = socket:connect(address.bracketed(there), port)
  if ok and path ~= "" then
    ok, why = ask(socket, at, path, host)
  end
  socket:close()
  return ok, why
end

local function until_it_answers(one, ends)
  local ok, why
  repeat
    ok, why = try(one.address, one.path, one.host, ends - clock.now())
    if not ok then
      ngx.sleep(math.max(0, math.min(AGAIN_AFTER, ends - clock.now())))
    end
  until ok or clock.now() >= ends
  return ok, one.address .. " does not answer this edge: " .. tostring(why)
end

-- Asks all at the same time, again and again for so many seconds. nil and why where one of them does not answer.
-- `wanted`: list of {address, path, host}.
function probe.all(wanted, seconds)
  local ends, threads, faults = clock.now() + seconds, {}, {}
  for _, one in ipairs(wanted) do
    threads[#threads + 1] = ngx.thread.spawn(until_it_answers, one, ends)
  end
  for _, thread in ipairs(threads) do
    local ran, ok, why = ngx.thread.wait(thread)
    if not ran or not ok then
      faults[#faults + 1] = tostring(ran and why or ok)
    end
  end
  return #faults == 0 or nil, table.concat(faults, "; ")
end

return probe
