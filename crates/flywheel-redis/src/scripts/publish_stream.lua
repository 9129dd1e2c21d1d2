-- The history is a stream.
if ARGV[7] == "1" then
  local newest = redis.call("XREVRANGE", history, "+", "-", "COUNT", 1)
  if newest[1] then
    before = newest[1][2][2]
  end
end
-- First what can fail because the key holds something else, so that the position stays as it was.
redis.call("XADD", history, "MAXLEN", ARGV[2], offset .. "-0", "d", ARGV[1])
