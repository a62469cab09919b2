-- Add a message to the inbox, once per job.
-- KEYS: list, mark of the job      ARGV: sealed message, most messages, ttl seconds
if redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[3]) then
  redis.call('LPUSH', KEYS[1], ARGV[1])
  redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
  redis.call('EXPIRE', KEYS[1], ARGV[3])
  return 1
end
return 0
