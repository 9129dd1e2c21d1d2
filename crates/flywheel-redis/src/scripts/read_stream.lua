-- The history is a stream. ARGV: which way (forward, backward, none), first entry, how many or 0 for all.
-- Whether these are too many is seen, if possible, before the server spends its time on them.
if kept[2] and ARGV[3] ~= "none" then
  local read, last = "XRANGE", "+"
  if ARGV[3] == "backward" then
    read, last = "XREVRANGE", "-"
  end
  if ARGV[5] ~= "0" then
    entries = redis.call(read, history, ARGV[4], last, "COUNT", ARGV[5])
  else
    local most, all = 200000, ARGV[4] == "-" or ARGV[4] == "+"
    if not all or redis.call("XLEN", history) <= most then
      entries = redis.call(read, history, ARGV[4], last, "COUNT", most + 1)
    end
    if #entries > most or (all and redis.call("XLEN", history) > most) then
      return {err = "TOOLARGE more than " .. most .. " publications at once, give a limit"}
    end
  end
end
return {kept[2] or "0", epoch, entries, word}
