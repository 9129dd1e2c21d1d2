-- The history is a list with the newest first, whose items are messages.
if ARGV[7] == "1" then
  local newest = redis.call("LINDEX", history, 0)
  if newest then
    local _, header = string.find(newest, "^__p1:%d+:[^_]*__")
    before = string.sub(newest, (header or #newest) + 1)
  end
end
message = "__p1:" .. offset .. ":" .. epoch .. "__" .. ARGV[1]
-- First what can fail because the key holds something else, so that the position stays as it was.
redis.call("LPUSH", history, message)
redis.call("LTRIM", history, 0, tonumber(ARGV[2]) - 1)
