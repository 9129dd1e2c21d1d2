-- Appends a publication to a stream and publishes it with its position, in one step.
-- KEYS: stream, meta, and the result when there is an idempotency key.
-- ARGV: publication, size, seconds of the stream, seconds of the meta or 0, command and channel to publish with,
--   1 to publish the entry before too, version or 0, its epoch, seconds of the result, an epoch in case there is none, word.
-- Answer: offset, epoch, what came of it (made, repeated, superseded), word.
local stream, meta, result = KEYS[1], KEYS[2], KEYS[3]
local word = ARGV[#ARGV]
if result then
  local made = redis.call("HMGET", result, "e", "s")
  if made[1] then
    return {made[2] or "", made[1], "repeated", word}
  end
end
local kept = redis.call("HMGET", meta, "e", "s", "v", "ve")
local epoch = kept[1] or ARGV[11]
local top = kept[2] or "0"
local version, version_epoch = ARGV[8], ARGV[9]
if version ~= "0" and kept[3] and (version_epoch == "" or version_epoch == (kept[4] or "")) then
  -- Numbers may be larger than what Lua counts exactly.
  local stored = kept[3]
  if #version < #stored or (#version == #stored and version <= stored) then
    return {top, epoch, "superseded", word}
  end
end
local offset = string.format("%.0f", tonumber(top) + 1)
if offset == "1" then
  -- The position was forgotten: what is left of the stream belongs to another one.
  redis.call("DEL", stream)
end
local before = ""
if ARGV[7] == "1" then
  local newest = redis.call("XREVRANGE", stream, "+", "-", "COUNT", 1)
  if newest[1] then
    before = newest[1][2][2]
  end
end
-- First what can fail because the key holds something else, so that the position stays as it was.
redis.call("XADD", stream, "MAXLEN", ARGV[2], offset .. "-0", "d", ARGV[1])
redis.call("EXPIRE", stream, ARGV[3])
if version ~= "0" then
  redis.call("HSET", meta, "e", epoch, "s", offset, "v", version, "ve", version_epoch)
else
  redis.call("HSET", meta, "e", epoch, "s", offset)
end
if ARGV[4] ~= "0" then
  redis.call("EXPIRE", meta, ARGV[4])
end
if ARGV[6] ~= "" then
  local message
  if ARGV[7] == "1" then
    message = "__d1:" .. offset .. ":" .. epoch .. ":" .. #before .. ":" .. before .. ":" .. #ARGV[1] .. ":" .. ARGV[1]
  else
    message = "__p1:" .. offset .. ":" .. epoch .. "__" .. ARGV[1]
  end
  redis.call(ARGV[5], ARGV[6], message)
end
if result then
  redis.call("HSET", result, "e", epoch, "s", offset)
  redis.call("EXPIRE", result, ARGV[10])
end
return {offset, epoch, "made", word}
