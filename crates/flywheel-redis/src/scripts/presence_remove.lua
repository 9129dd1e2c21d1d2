-- Removes a client.
-- KEYS: information by client, expiry by client; with users also connections by user, expiry by user.
-- ARGV: client, 1 when the server expires fields, word. Answer: word.
local data, expiry, users, users_expiry = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local client, word = ARGV[1], ARGV[#ARGV]

-- The user stands first in the information: its number and type, its length in groups of seven bits, its bytes.
local function user_of(info)
  if string.byte(info, 1) ~= 10 then
    return ""
  end
  local length, weight, at = 0, 1, 2
  repeat
    local group = string.byte(info, at) or 0
    length = length + (group % 128) * weight
    weight, at = weight * 128, at + 1
  until group < 128
  return string.sub(info, at, at + length - 1)
end

local info = redis.call("HGET", data, client)
redis.call("HDEL", data, client)
if ARGV[2] ~= "1" then
  redis.call("ZREM", expiry, client)
end
if users and info then
  local user = user_of(info)
  if redis.call("HINCRBY", users, user, -1) <= 0 then
    redis.call("HDEL", users, user)
    if ARGV[2] ~= "1" then
      redis.call("ZREM", users_expiry, user)
    end
  end
end
return {word}
