-- Managed by Slipway: hand edits are undone by the next run.
-- The control socket, for slipway-edge: GET /state (JSON), GET /wait, /probe, /quiet and /generation (plain text), and
-- changes by POST, which answer nothing or what is wrong. Whoever can open the socket may call it: its directory lets
-- in root only.
local admission = require "slipway.admission"
local asked = require "slipway.asked"
local clock = require "slipway.clock"
local drained = require "slipway.drained"
local edge = require "slipway.edge"
local inflight = require "slipway.inflight"
local peers = require "slipway.peers"
local probe = require "slipway.probe"
local state = require "slipway.state"

local MAX_REASON = 200 -- characters
local SETTLE = 0.05 -- seconds: a request that was being handed out while the drain was written is counted by then
local LOOK_EVERY = 0.02 -- seconds
local LONGEST_WAIT = 5 -- seconds of one answer; slipway-edge asks again, then of a worker that is not about to end

local control, changes, plain = {}, {}, {}

changes["/drain"] = function(arguments)
  local targets, seconds = asked.targets(arguments.target), asked.seconds(arguments.ttl)
  if not targets or not seconds then
    return nil, "drain wants ADDRESS[:PORT],... and SECONDS, at most " .. drained.MAX_LEASE
  end
  return drained.put(targets, seconds, tostring(arguments.reason or ""):sub(1, MAX_REASON))
end

changes["/restore"] = function(arguments)
  local targets = asked.targets(arguments.target)
  if not targets then
    return nil, "restore wants ADDRESS[:PORT],..."
  end
  return drained.restore(targets)
end

local function gate(wanted, seconds)
  local questions = {}
  for number, peer in ipairs(wanted) do
    local upstream = peers.upstreams[peer.upstream]
    questions[number] = { address = peer.address, path = upstream.probe_path, host = upstream.probe_host }
  end
  return probe.all(questions, seconds)
end

-- With `within`, only once every one of them has answered this edge; else nobody is admitted.
changes["/admit"] = function(arguments)
  local wanted, fault = asked.peers(arguments.peers)
  local within = asked.seconds(arguments.within or "0")
  if not wanted or not within then
    return nil, fault
  end
  if arguments.within then
    local ok, why = gate(wanted, within)
    if not ok then
      return nil, why
    end
  end
  local ok, why = admission.admit(wanted)
  if not ok then
    return nil, why
  end
  local addresses = {}
  for number, peer in ipairs(wanted) do
    addresses[number] = peer.address
    peers.mark_well(peer.address)
  end
  return drained.restore(addresses)
end

changes["/dismiss"] = function(arguments)
  local addresses = asked.addresses(arguments.address)
  if not addresses then
    return nil, "dismiss wants ADDRESS:PORT..."
  end
  return admission.dismiss(addresses)
end

changes["/canary"] = function(arguments)
  local upstreams, fault = asked.upstreams(arguments.upstream)
  if not upstreams then
    return nil, fault
  end
  local canary = {
    release = arguments.release,
    weight = tonumber(tostring(arguments.weight):match("^%d%d?%d?$")),
    by = arguments.by,
    name = arguments.name or "",
  }
  fault = admission.fault_of(canary)
  if fault then
    return nil, fault
  end
  return admission.share(upstreams, canary)
end

changes["/canary/off"] = function(arguments)
  local upstreams, fault = asked.upstreams(arguments.upstream)
  if not upstreams then
    return nil, fault
  end
  return admission.share(upstreams, nil)
end

changes["/close"] = function(arguments)
  local seconds = asked.seconds(arguments.ttl)
  if not seconds then
    return nil, "close wants ttl=SECONDS; 0 ends it"
  end
  return edge.close_for(seconds)
end

-- How many requests are under way there, as soon as none is or the time is over; and how many seconds are left of it.
plain["/wait"] = function(arguments)
  local targets, seconds = asked.targets(arguments.target), asked.seconds(arguments.seconds)
  if not targets or not seconds then
    return nil, "wait wants ADDRESS[:PORT],... and SECONDS"
  end
  local ends = clock.now() + seconds
  local pause = clock.now() + math.min(seconds, LONGEST_WAIT)
  ngx.sleep(math.min(SETTLE, seconds))
  while inflight.count_at(targets) > 0 and clock.now() < pause and not ngx.worker.exiting() do
    ngx.sleep(LOOK_EVERY)
  end
  return ("%d %.2f"):format(inflight.count_at(targets), math.max(0, ends - clock.now()))
end

plain["/probe"] = function(arguments)
  local addresses, seconds = asked.addresses(arguments.address), asked.seconds(arguments.seconds)
  local page = asked.page(arguments.path, arguments.host)
  if not addresses or not seconds or not page then
    return nil, "probe wants ADDRESS:PORT,... [/PATH [HOST]] SECONDS"
  end
  local questions = {}
  for number, address in ipairs(addresses) do
    questions[number] = { address = address, path = page.path, host = page.host }
  end
  local ok, why = probe.all(questions, seconds)
  return ok and "" or nil, why
end

plain["/quiet"] = function()
  return math.floor(edge.quiet())
end

-- Another number after every reload and start: whose workers answer.
plain["/generation"] = function()
  return edge.generation
end

local function say(answer, why)
  if answer == nil or answer == false then
    ngx.status = ngx.HTTP_BAD_REQUEST
    return ngx.say(why)
  end
  -- What a change returns is of no interest but that it went well.
  return (type(answer) == "string" or ngx.req.get_method() == "GET") and ngx.say(answer)
end

function control.serve()
  local path, is_post = ngx.var.uri, ngx.req.get_method() == "POST"
  if path == "/state" then
    return ngx.say(state.as_json())
  elseif plain[path] then
    return say(plain[path](ngx.req.get_uri_args()))
  elseif changes[path] and is_post then
    return say(changes[path](ngx.req.get_uri_args()))
  end
  ngx.status = changes[path] and ngx.HTTP_NOT_ALLOWED or ngx.HTTP_NOT_FOUND
  return ngx.say(changes[path] and "a change is a POST" or "there is no such question")
end

return control
