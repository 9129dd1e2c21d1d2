-- Puts a publication into the history of its channel and publishes it with its position, in one step.
-- KEYS: history, meta, and the result when there is an idempotency key.
-- ARGV: publication, size, seconds of the history, seconds of the meta or 0, command and channel to publish with,
--   1 to publish the entry before too, version or 0, its epoch, seconds of the result, an epoch in case there is none, word.
-- Answer: offset, epoch, what came of it (made, repeated, superseded), word.
local history, meta, result = KEYS[1], KEYS[2], KEYS[3]
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
  -- The position was forgotten: what is left of the history belongs to another one.
  redis.call("DEL", history)
end
-- To be set by what follows: the publication before, if it is asked for, and the message, if it is made there anyway.
local before, message = "", nil
