-- How many clients and users are present, without those whose time is up, who are forgotten.
-- KEYS: information by client, expiry by client, connections by user, expiry by user.
-- ARGV: 1 when the server expires fields, word. Answer: clients, users, word.
local data, expiry, users, users_expiry, word = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[#ARGV]
if ARGV[1] == "1" then
  -- Fields whose time is up are counted until the server finds them, but not listed.
  return {#redis.call("HKEYS", data), #redis.call("HKEYS", users), word}
end
local time = redis.call("TIME")
local now = string.format("%d.%03d", time[1], time[2] / 1000)
local function forget(times, fields)
  local gone = redis.call("ZRANGEBYSCORE", times, "-inf", now)
  for _, field in ipairs(gone) do
    redis.call("HDEL", fields, field)
  end
  redis.call("ZREMRANGEBYSCORE", times, "-inf", now)
end
forget(expiry, data)
forget(users_expiry, users)
return {redis.call("HLEN", data), redis.call("HLEN", users), word}
