-- As `rate::take`. KEYS: what is counted. ARGV: for each key its interval and its period in
-- microseconds. Answers the wait in microseconds for each key; nothing was counted unless all are 0.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local waits, nexts, refused = {}, {}, false
for i, key in ipairs(KEYS) do
  local interval, period = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local start = tonumber(redis.call('GET', key) or now)
  -- No further than that: the clock of this machine may have been put back.
  start = math.min(math.max(start, now), now + period)
  nexts[i] = start + interval
  waits[i] = math.max(0, nexts[i] - (now + period))
  refused = refused or waits[i] > 0
end
if not refused then
  for i, key in ipairs(KEYS) do
    local life = math.ceil((nexts[i] - now) / 1000)
    redis.call('SET', key, string.format('%.0f', nexts[i]), 'PX', life)
  end
end
return waits
