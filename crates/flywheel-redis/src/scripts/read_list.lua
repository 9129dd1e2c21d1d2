-- The history is a list with the newest first. ARGV: index of the last item or none.
if kept[2] and ARGV[3] ~= "none" then
  entries = redis.call("LRANGE", history, 0, ARGV[3])
end
return {kept[2] or "0", epoch, entries, word}
