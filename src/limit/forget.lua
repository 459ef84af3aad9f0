-- As `pause::forget`. KEYS: what is forgotten. ARGV: the longest memory in seconds. What is left is a
-- mark for those who still know of what was forgotten, later than anything they were told before.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for _, key in ipairs(KEYS) do
  local kept = redis.call('HMGET', key, 'last', 'forgiven')
  local forgiven = math.max(now, tonumber(kept[1] or 0) + 1, tonumber(kept[2] or 0) + 1)
  -- First of all: a script that has made room may write in a Redis that is full.
  redis.call('DEL', key)
  redis.call('HSET', key, 'forgiven', string.format('%.0f', forgiven))
  redis.call('PEXPIRE', key, tonumber(ARGV[1]) * 1000)
end
return {}
