-- Who is present, without those whose time is up, who are forgotten.
-- KEYS: information by client, expiry by client. ARGV: 1 when the server expires fields, word.
-- Answer: clients and their information in turn, word; an error when these are more than an answer may hold, before the
-- server spends its time on it.
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
if redis.call("HLEN", data) > 500000 then
  return {err = "TOOLARGE more than 500000 clients are present"}
end
return {redis.call("HGETALL", data), word}
