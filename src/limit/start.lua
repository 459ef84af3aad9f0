-- As `pause::start`, by what Redis has kept and what the process that asks knows by itself. KEYS: the
-- account from this source, and the account. ARGV: the longest pause and the longest memory in seconds,
-- the most failures, whether the source is known; and for each key how many are free, how many the
-- process knows of, how long ago the last one was, and when this script told it so, or 0 when the
-- process has counted alone since. Answers which key has to wait, or 0, for how long, and what time it
-- is; and for each key its count, when the last one was, and when the one before it. All of it in
-- microseconds.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local longest, memory, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local rows, waits_for, wait = {}, 0, 0
-- As a text, a number of this size would lose digits.
local function whole(number)
  return string.format('%.0f', number)
end
for i, key in ipairs(KEYS) do
  local free, count = tonumber(ARGV[4 * i + 1]), tonumber(ARGV[4 * i + 2])
  local age, told_at = tonumber(ARGV[4 * i + 3]), tonumber(ARGV[4 * i + 4])
  local kept = redis.call('HMGET', key, 'count', 'last', 'before', 'forgiven', 'since', 'written')
  local row = {
    count = tonumber(kept[1] or 0),
    last = math.min(tonumber(kept[2] or 0), now),
    before = math.min(tonumber(kept[3] or 0), now),
    since = tonumber(kept[5] or now),
  }
  local is_lost
  if told_at == 0 then
    -- Redis was away.
    told_at, is_lost = now - age, true
  else
    -- One that was there all along and was written to since has less because guesses were taken back.
    told_at = math.min(told_at, now)
    is_lost = not kept[5] or row.since > told_at or told_at > tonumber(kept[6])
  end
  -- What was forgiven later is no part of what the process knows.
  if is_lost and count > row.count and told_at > tonumber(kept[4] or 0) then
    local last = math.max(row.last, now - age)
    row = { count = count, last = last, before = last, since = row.since, is_news = true }
  end
  local pause = 0
  if row.count >= most then
    pause = memory
  elseif row.count > free then
    pause = math.min(longest, 2 ^ (row.count - free - 1))
  end
  local left = row.last + pause * 1000000 - now
  if waits_for == 0 and left > 0 and not (i == 2 and ARGV[4] == '1') then
    waits_for, wait = i, math.ceil(left)
  end
  rows[i] = row
end
local answer = { waits_for, wait, now }
for i, key in ipairs(KEYS) do
  local row = rows[i]
  if waits_for == 0 then
    row = { count = row.count + 1, last = now, before = row.last, since = row.since, is_news = true }
  end
  -- A Redis that is full does not write, and still tells who has to wait.
  if row.is_news then
    redis.call('HSET', key, 'count', row.count, 'last', whole(row.last), 'before', whole(row.before),
      'since', whole(row.since), 'written', whole(now))
    redis.call('PEXPIRE', key, math.ceil((row.last - now) / 1000) + memory * 1000)
  end
  for _, number in ipairs({ row.count, row.last, row.before }) do
    table.insert(answer, number)
  end
end
return answer
