-- As `pause::take_back`. KEYS: the account from this source, and the account.
for _, key in ipairs(KEYS) do
  local count = tonumber(redis.call('HGET', key, 'count') or 0)
  if count > 1 then
    redis.call('HSET', key, 'count', count - 1, 'last', redis.call('HGET', key, 'before') or 0)
  else
    redis.call('DEL', key)
  end
end
return {}
