-- Give back what counts as unused: a text that was not sent, or perhaps not sent, says nothing about those who asked
-- for it. A job settles once: here, or when CHECK finds its code right. First part of ABORT, CLAIM and FINISH.
local function give_back(key)
  local job = redis.call('HMGET', key, 'send', 'is_settled', 'sends_log', 'unverified_log', 'sends_of_block',
    'unverified_of_block', 'sends_of_network', 'unverified_of_network', 'country_minute', 'country_hour', 'country_day')
  if not job[1] or job[2] then return end
  for i = 3, 8 do
    if job[i] then redis.call('ZREM', job[i], job[1]) end
  end
  for i = 9, 11 do
    if job[i] and redis.call('EXISTS', job[i]) == 1 then redis.call('HINCRBY', job[i], 'sent', -1) end
  end
  redis.call('HSET', key, 'is_settled', 1)
end
