-- Reads a stream and its top at one instant. A stream that was never written begins here, so that its epoch is known.
-- KEYS: stream, meta.
-- ARGV: which way (forward, backward, none), first entry, how many or 0 for all, seconds of the meta or 0,
--   an epoch in case there is none, word.
-- Answer: top, epoch, entries, word; an error when these are more than an answer may hold, if possible before the server
-- spends its time on it.
local stream, meta, word = KEYS[1], KEYS[2], ARGV[#ARGV]
local kept = redis.call("HMGET", meta, "e", "s")
local epoch = kept[1]
if not epoch then
  epoch = ARGV[5]
  redis.call("HSET", meta, "e", epoch)
end
if ARGV[4] ~= "0" then
  redis.call("EXPIRE", meta, ARGV[4])
end
local entries = {}
if kept[2] and ARGV[1] ~= "none" then
  local read, last = "XRANGE", "+"
  if ARGV[1] == "backward" then
    read, last = "XREVRANGE", "-"
  end
  if ARGV[3] ~= "0" then
    entries = redis.call(read, stream, ARGV[2], last, "COUNT", ARGV[3])
  else
    local most, all = 200000, ARGV[2] == "-" or ARGV[2] == "+"
    if not all or redis.call("XLEN", stream) <= most then
      entries = redis.call(read, stream, ARGV[2], last, "COUNT", most + 1)
    end
    if #entries > most or (all and redis.call("XLEN", stream) > most) then
      return {err = "TOOLARGE more than " .. most .. " publications at once, give a limit"}
    end
  end
end
return {kept[2] or "0", epoch, entries, word}
