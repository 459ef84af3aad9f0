-- As `pause::start`. KEYS: the account from this source, and the account. ARGV: the longest pause, the
-- longest memory in seconds, the most failures, whether the source is known, and for each key how many
-- are free. Answers {0, counts…}, or {number of the key, wait in microseconds}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local longest, memory, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local counts, before = {}, {}
for i, key in ipairs(KEYS) do
  local kept = redis.call('HMGET', key, 'count', 'last')
  local count = tonumber(kept[1] or 0)
  local last = math.min(tonumber(kept[2] or 0), now)
  local pause = 0
  if count >= most then
    pause = memory
  elseif count > tonumber(ARGV[4 + i]) then
    pause = math.min(longest, 2 ^ (count - tonumber(ARGV[4 + i]) - 1))
  end
  local wait = last + pause * 1000000 - now
  if wait > 0 and not (i == 2 and ARGV[4] == '1') then
    return { i, math.ceil(wait) }
  end
  counts[i], before[i] = count + 1, string.format('%.0f', last)
end
for i, key in ipairs(KEYS) do
  redis.call('HSET', key, 'count', counts[i], 'last', string.format('%.0f', now), 'before', before[i])
  redis.call('PEXPIRE', key, memory * 1000)
end
return { 0, unpack(counts) }
