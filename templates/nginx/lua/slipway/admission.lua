-- Managed by Slipway: hand edits are undone by the next run.
-- Who a rollout has admitted: for each upstream addresses and the releases that answer there, and the share of sessions
-- that a canary has. In a shared dictionary, which a reload keeps, and in a file, which a restart keeps.
local address = require "slipway.address"
local cjson = require "cjson.safe"
local kept = require "slipway.kept"

local FILE = "admission.json"
local RECORD, VERSION, LOADED = "admission", "admission:version", "admission is loaded"
local KINDS = { cookie = true, header = true, address = true }

local dict = ngx.shared.slipway_edge

local admission = {}

function admission.is_release(text)
  return type(text) == "string" and #text <= 128 and text:match("^[%w._+@-]+$") ~= nil
end

-- nil where it is a canary, else why not.
function admission.fault_of(canary)
  if not admission.is_release(canary.release) then
    return "a canary wants a release"
  elseif type(canary.weight) ~= "number" or canary.weight % 1 ~= 0 or canary.weight < 0 or canary.weight > 100 then
    return "a canary wants a weight of 0 to 100, in whole percent"
  elseif not KINDS[canary.by] then
    return "a canary goes by cookie, header or address"
  elseif type(canary.name) ~= "string" or #canary.name > 100 then
    return "a header's name is a short word"
  elseif canary.by == "header" and not canary.name:match("^%a[%w-]*$") then
    return "a canary by header wants the header's name"
  end
  return nil
end

local function is_record(addresses)
  if type(addresses) ~= "table" then
    return false
  end
  for name, release in pairs(addresses) do
    if type(name) ~= "string" or not address.split(name) or not admission.is_release(release) then
      return false
    end
  end
  return true
end

-- Only what is as it should be: the file may have been damaged, or written by another version.
local function checked(stored)
  local sound = { upstreams = {}, canaries = {} }
  for name, addresses in pairs(type(stored.upstreams) == "table" and stored.upstreams or {}) do
    if is_record(addresses) then
      sound.upstreams[name] = addresses
    else
      ngx.log(ngx.ERR, "who is admitted to ", tostring(name), " cannot be read; its candidates are tried")
    end
  end
  for name, canary in pairs(type(stored.canaries) == "table" and stored.canaries or {}) do
    if type(canary) == "table" and not admission.fault_of(canary) then
      sound.canaries[name] = canary
    else
      ngx.log(ngx.ERR, "the canary of ", tostring(name), " cannot be read; there is none")
    end
  end
  return sound
end

local known, known_version

-- {upstreams = {name = {address = release}}, canaries = {name = canary}}: the same table until something changes, so
-- that a request costs one look at a number.
function admission.record()
  local version = dict:get(VERSION) or 0
  if version ~= known_version then
    known = cjson.decode(dict:get(RECORD) or "") or { upstreams = {}, canaries = {} }
    known_version = version
  end
  return known
end

local function put(text)
  local ok, why = dict:safe_set(RECORD, text)
  if not ok then
    return nil, why
  end
  return dict:incr(VERSION, 1, 0)
end

-- `edit` gets a copy of the record to change. First into the file: what could not be kept is not in force either.
local function change(edit)
  return kept.alone(function()
    local record = cjson.decode(dict:get(RECORD) or "") or { upstreams = {}, canaries = {} }
    edit(record)
    local ok, why = kept.save(FILE, record)
    if not ok then
      return nil, why
    end
    return put(cjson.encode(record))
  end)
end

-- `peers`: list of {upstream, release, address}.
function admission.admit(peers)
  return change(function(record)
    for _, peer in ipairs(peers) do
      record.upstreams[peer.upstream] = record.upstreams[peer.upstream] or {}
      record.upstreams[peer.upstream][peer.address] = peer.release
    end
  end)
end

-- An upstream keeps its record when the last one goes.
function admission.dismiss(addresses)
  return change(function(record)
    for _, admitted in pairs(record.upstreams) do
      for _, gone in ipairs(addresses) do
        admitted[gone] = nil
      end
    end
  end)
end

-- `canary` nil ends it.
function admission.share(upstreams, canary)
  return change(function(record)
    for _, name in ipairs(upstreams) do
      record.canaries[name] = canary
    end
  end)
end

-- In the master, before the workers: after a restart the dictionary is empty and the file knows; after a reload the
-- dictionary is what is true.
function admission.load()
  if dict:add(LOADED, true) then
    put(cjson.encode(checked(kept.read(FILE) or {})))
  end
end

return admission
