-- Reads a list and its top at one instant. A list that was never written begins here, so that its epoch is known.
-- KEYS: list, meta. ARGV: index of the last item or none, seconds of the meta or 0, an epoch in case there is none, word.
-- Answer: top, epoch, items with the newest first, word.
local list, meta, word = KEYS[1], KEYS[2], ARGV[#ARGV]
local kept = redis.call("HMGET", meta, "e", "s")
local epoch = kept[1]
if not epoch then
  epoch = ARGV[3]
  redis.call("HSET", meta, "e", epoch)
end
if ARGV[2] ~= "0" then
  redis.call("EXPIRE", meta, ARGV[2])
end
local items = {}
if kept[2] and ARGV[1] ~= "none" then
  items = redis.call("LRANGE", list, 0, ARGV[1])
end
return {kept[2] or "0", epoch, items, word}
