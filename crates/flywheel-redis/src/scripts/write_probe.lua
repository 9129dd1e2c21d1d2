-- Writes something, to see whether that works. KEYS: the probe. ARGV: milliseconds that it is kept, word. Answer: word.
redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[1])
return {ARGV[#ARGV]}
