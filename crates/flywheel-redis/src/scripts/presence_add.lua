-- Adds a client, or puts off the time at which its entry expires.
-- KEYS: information by client, expiry by client; with users also connections by user, expiry by user.
-- ARGV: seconds, client, information, user, 1 when the server expires fields, word. Answer: word.
-- Times are those of the server, so that nodes need not agree on one.
local data, expiry, users, users_expiry = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ttl, client, user, word = ARGV[1], ARGV[2], ARGV[4], ARGV[#ARGV]
local is_new = redis.call("HSET", data, client, ARGV[3]) == 1
if ARGV[5] == "1" then
  redis.call("HEXPIRE", data, ttl, "FIELDS", 1, client)
  if users then
    if is_new then
      redis.call("HINCRBY", users, user, 1)
    end
    redis.call("HEXPIRE", users, ttl, "FIELDS", 1, user)
  end
  return {word}
end
local time = redis.call("TIME")
local until_ = string.format("%d.%03d", time[1] + ttl, time[2] / 1000)
redis.call("ZADD", expiry, until_, client)
redis.call("EXPIRE", expiry, ttl + 1)
redis.call("EXPIRE", data, ttl + 1)
if users then
  if is_new then
    redis.call("HINCRBY", users, user, 1)
  end
  redis.call("ZADD", users_expiry, until_, user)
  redis.call("EXPIRE", users_expiry, ttl + 1)
  redis.call("EXPIRE", users, ttl + 1)
end
return {word}
