-- Reads the history of a channel and its top at one instant. One that was never written begins here, so that its epoch is
-- known.
-- KEYS: history, meta.
-- ARGV: seconds of the meta or 0, an epoch in case there is none, which entries (see what follows), word.
-- Answer: top, epoch, entries, word; an error when these are more than an answer may hold.
local history, meta, word = KEYS[1], KEYS[2], ARGV[#ARGV]
local kept = redis.call("HMGET", meta, "e", "s")
local epoch = kept[1]
if not epoch then
  epoch = ARGV[2]
  redis.call("HSET", meta, "e", epoch)
end
if ARGV[1] ~= "0" then
  redis.call("EXPIRE", meta, ARGV[1])
end
local entries = {}
