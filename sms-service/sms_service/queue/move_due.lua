-- Move the delayed jobs whose time has come to the stream.
-- KEYS: stream, delayed      ARGV: how many at most
-- Answer: Redis time in ms
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, body in ipairs(due) do
  redis.call('ZREM', KEYS[2], body)
  redis.call('XADD', KEYS[1], '*', 'body', body)
end
return now
