-- Remove a leased entry from the stream and add its next attempt to the delayed jobs, in one step.
-- KEYS: stream, delayed      ARGV: group, id, body, delay ms
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[4])
redis.call('ZADD', KEYS[2], due, ARGV[3])
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return due
