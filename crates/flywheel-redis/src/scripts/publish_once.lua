-- Publishes what is not kept, unless it was published before under the same key.
-- KEYS: the result. ARGV: message, command and channel to publish with, seconds of the result, word.
-- Answer: offset, epoch, what came of it (made, repeated), word.
local result, word = KEYS[1], ARGV[#ARGV]
local made = redis.call("HMGET", result, "e", "s")
if made[1] then
  return {made[2] or "", made[1], "repeated", word}
end
redis.call(ARGV[2], ARGV[3], ARGV[1])
redis.call("HSET", result, "e", "")
redis.call("EXPIRE", result, ARGV[4])
return {"", "", "made", word}
