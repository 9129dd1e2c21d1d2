-- Gives a stream a new epoch, unless somebody else did. Entries and top stay.
-- KEYS: meta. ARGV: the old epoch, the new one, word. Answer: the epoch it has now, word.
local meta, word = KEYS[1], ARGV[#ARGV]
local epoch = redis.call("HGET", meta, "e")
if epoch == ARGV[1] then
  epoch = ARGV[2]
  redis.call("HSET", meta, "e", epoch)
end
return {epoch or "", word}
