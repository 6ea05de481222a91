-- Managed by Slipway: hand edits are undone by the next run.
-- The words of a question on the control socket, read strictly: nothing else becomes a key, a release or a request.
local address = require "slipway.address"
local admission = require "slipway.admission"
local drained = require "slipway.drained"
local peers = require "slipway.peers"

local MAX_NAMES = 1000

local asked = {}

local function words_of(text, separator)
  local found = {}
  for word in (type(text) == "string" and text or ""):gmatch("[^" .. separator .. "]+") do
    found[#found + 1] = word
  end
  return found
end

function asked.seconds(text)
  local seconds = type(text) == "string" and text:match("^%d+%.?%d*$") and tonumber(text)
  return seconds and seconds <= drained.MAX_LEASE and seconds or nil
end

local function all_of(text, is_one)
  local found = words_of(text, ",")
  for _, word in ipairs(found) do
    if not is_one(word) then
      return nil
    end
  end
  return #found > 0 and #found <= MAX_NAMES and found or nil
end

-- List of hosts and addresses with a port; nil where one of them is neither.
function asked.targets(text)
  return all_of(text, function(word) return address.is_host(word) or address.split(word) end)
end

function asked.addresses(text)
  return all_of(text, address.split)
end

-- List of the application's upstreams, or nil and what is wrong.
function asked.upstreams(text)
  for _, name in ipairs(words_of(text, ",")) do
    local upstream = peers.upstreams[name]
    if not upstream or not upstream.admission then
      return nil, "no service of the application is called " .. name:sub(1, 50)
    end
  end
  return all_of(text, function() return true end), "which service?"
end

-- "SERVICE RELEASE ADDRESS:PORT..., ..." as a list of {upstream, release, address}; nil and what is wrong.
function asked.peers(text)
  local found = {}
  for _, group in ipairs(words_of(text, ",")) do
    local words = words_of(group, " ")
    local known, why = asked.upstreams(words[1])
    if not known then
      return nil, why
    elseif not admission.is_release(words[2]) or not words[3] then
      return nil, "admit wants SERVICE RELEASE ADDRESS:PORT..."
    end
    for number = 3, #words do
      if not address.split(words[number]) then
        return nil, words[number]:sub(1, 50) .. " is not ADDRESS:PORT"
      end
      found[#found + 1] = { upstream = words[1], release = words[2], address = words[number] }
    end
  end
  return #found > 0 and #found <= MAX_NAMES and found or nil, "admit wants SERVICE RELEASE ADDRESS:PORT..."
end

-- A path and a server name of a probe, which become lines of a request; nil where they could become more.
function asked.page(path, host)
  path, host = path or "", host or ""
  local is_path = type(path) == "string" and (path == "" or path:match("^/[\33-\126]*$"))
  local is_host = type(host) == "string" and host:match("^[%w.:%[%]_-]*$")
  return is_path and is_host and { path = path, host = host } or nil
end

return asked
