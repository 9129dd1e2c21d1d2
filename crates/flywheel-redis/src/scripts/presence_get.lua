-- Who is present, without those whose time is up, who are forgotten.
-- KEYS: information by client, expiry by client. ARGV: 1 when the server expires fields, word.
-- Answer: clients and their information in turn, word.
local data, expiry, word = KEYS[1], KEYS[2], ARGV[#ARGV]
if ARGV[1] ~= "1" then
  local time = redis.call("TIME")
  local now = string.format("%d.%03d", time[1], time[2] / 1000)
  local gone = redis.call("ZRANGEBYSCORE", expiry, "-inf", now)
  for _, client in ipairs(gone) do
    redis.call("HDEL", data, client)
  end
  redis.call("ZREMRANGEBYSCORE", expiry, "-inf", now)
end
return {redis.call("HGETALL", data), word}
