-- HEARTBEAT: a worker says that it is alive. In the same step it removes from the log of waiting requests what cannot
-- be waiting any more.
-- KEYS: workers, requests that no worker has claimed
-- ARGV: worker, ms for which it counts as alive, ms of a code's life, ms after which a request that an idle worker does
--       not find on the queue is lost ('' if this worker is not idle)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lifetime = tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now - lifetime))
redis.call('PEXPIRE', KEYS[1], lifetime)

local oldest_kept = now - tonumber(ARGV[3])
if ARGV[4] ~= '' then oldest_kept = math.max(oldest_kept, now - tonumber(ARGV[4])) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. oldest_kept)
