-- Managed by Slipway: hand edits are undone by the next run.
-- While two releases stand side by side: which of them a session goes to. Every session is in one of a hundred buckets,
-- by its key alone, so that all edges agree and a greater weight only moves sessions to the new release, never back.
local admission = require "slipway.admission"

local BUCKETS = 100

local canary = { COOKIE = "slipway_session" }

function canary.of(upstream)
  return upstream.admission and admission.record().canaries[upstream.name] or nil
end

local function bucket_of(key)
  return tonumber(ngx.md5(key):sub(1, 8), 16) % BUCKETS
end

local function bucket_by_address()
  return bucket_of(ngx.var.binary_remote_addr)
end

local bucket_by = { address = bucket_by_address }

-- Of the same header sent twice nginx before 1.23 gives the first, later ones give all with commas between: the first
-- word, then, or edges of different versions would not agree.
function bucket_by.header(told)
  local value = ngx.var["http_" .. told.name:lower():gsub("-", "_")]
  local first = value and value:match("^%s*([^,]*)")
  return first and first ~= "" and bucket_of(first) or bucket_by_address()
end

-- The bucket that the edges' own cookie names; nil where there is none that says one.
local function bucket_in_cookie()
  local value = ngx.var["cookie_" .. canary.COOKIE]
  return value and value:match("^%d%d?$") and tonumber(value)
end

-- A new session's bucket is as random as the request's id, and the same for every try of one request.
function bucket_by.cookie()
  return bucket_in_cookie() or bucket_of(ngx.var.request_id)
end

-- What the answer's cookie must say, for the session to stay; nil where nothing is to be said.
function canary.new_cookie(upstream)
  local told = canary.of(upstream)
  if told and told.by == "cookie" and not bucket_in_cookie() then
    return tostring(bucket_by.cookie())
  end
  return nil
end

-- Of these peers those of the session's release, or the others where there are none; and which of the two they are.
function canary.share(upstream, available)
  local told = canary.of(upstream)
  if not told then
    return available, ""
  end
  local groups = { new = {}, old = {} }
  for _, peer in ipairs(available) do
    local group = peer.release == told.release and groups.new or groups.old
    group[#group + 1] = peer
  end
  local own = bucket_by[told.by](told) < told.weight and "new" or "old"
  if #groups[own] == 0 then
    own = own == "new" and "old" or "new"
  end
  return groups[own], own
end

return canary
