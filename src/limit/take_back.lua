-- As `pause::take_back`. KEYS: the account from this source, and the account.
for _, key in ipairs(KEYS) do
  local count = tonumber(redis.call('HGET', key, 'count') or 0)
  if count > 1 then
    redis.call('HSET', key, 'count', count - 1)
  else
    redis.call('DEL', key)
  end
end
return {}
