-- Add a job to the stream, unless the queue is full. The stream is not trimmed, because that would drop unread jobs.
-- KEYS: stream, delayed      ARGV: body, capacity
-- Answer: the id, or false when full
if redis.call('XLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[2]) then return false end
return redis.call('XADD', KEYS[1], '*', 'body', ARGV[1])
