-- Managed by Slipway: hand edits are undone by the next run.
-- Hosts ("10.0.0.1", "fd00::1") and addresses with a port ("10.0.0.1:8080", "[fd00::1]:8080"), in one spelling each.
local address = {}

local function is_version_4(text)
  local parts = { text:match("^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$") }
  for _, part in ipairs(parts) do
    if tonumber(part) > 255 then
      return false
    end
  end
  return #parts == 4
end

local function is_version_6(text)
  return #text <= 45 and text:match("^[%x:]*:[%x:.]*$") ~= nil
end

function address.is_host(text)
  return is_version_4(text) or is_version_6(text)
end

-- A host as it stands before a port.
function address.bracketed(host)
  return host:find(":", 1, true) and "[" .. host .. "]" or host
end

function address.join(host, port)
  return address.bracketed(host) .. ":" .. port
end

-- Host and port; nil for anything else than an address with a port.
function address.split(text)
  local host, digits = text:match("^%[([%x:.]+)%]:(%d+)$")
  if not host then
    host, digits = text:match("^([%d.]+):(%d+)$")
  end
  local port = digits and #digits <= 5 and tonumber(digits)
  if port and port >= 1 and port <= 65535 and address.is_host(host) then
    return host, port
  end
  return nil
end

return address
