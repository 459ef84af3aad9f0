-- As `pause::take_back`. KEYS: the account from this source, and the account. A row of none stays, so
-- that whoever still knows of the guess hears that it was taken back.
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
for _, key in ipairs(KEYS) do
  local kept = redis.call('HMGET', key, 'count', 'before')
  local count = tonumber(kept[1] or 0)
  if count > 0 then
    redis.call('HSET', key, 'count', count - 1, 'last', kept[2] or 0, 'written', now)
  end
end
return {}
