-- The publication is kept.
redis.call("EXPIRE", history, ARGV[3])
if version ~= "0" then
  redis.call("HSET", meta, "e", epoch, "s", offset, "v", version, "ve", version_epoch)
else
  redis.call("HSET", meta, "e", epoch, "s", offset)
end
if ARGV[4] ~= "0" then
  redis.call("EXPIRE", meta, ARGV[4])
end
if ARGV[6] ~= "" then
  if ARGV[7] == "1" then
    message = "__d1:" .. offset .. ":" .. epoch .. ":" .. #before .. ":" .. before .. ":" .. #ARGV[1] .. ":" .. ARGV[1]
  end
  redis.call(ARGV[5], ARGV[6], message or "__p1:" .. offset .. ":" .. epoch .. "__" .. ARGV[1])
end
if result then
  redis.call("HSET", result, "e", epoch, "s", offset)
  redis.call("EXPIRE", result, ARGV[10])
end
return {offset, epoch, "made", word}
