-- As `pause::take_back`. KEYS: the account from this source, and the account.
for _, key in ipairs(KEYS) do
  local kept = redis.call('HMGET', key, 'count', 'before', 'forgiven')
  local count = tonumber(kept[1] or 0)
  if count > 1 or (count == 1 and kept[3]) then
    redis.call('HSET', key, 'count', count - 1, 'last', kept[2] or 0)
  elseif not kept[3] then
    redis.call('DEL', key)
  end
end
return {}
