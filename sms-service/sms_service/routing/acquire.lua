-- ACQUIRE: may a worker send this job to this provider now? If so, the job is marked: from now on it may have been
-- texted. All workers share breaker, pace and parallel sends, so this one step checks and charges all of them.
-- KEYS: job, provider, the provider's sends in flight, reference from the job's id (for receipts), kill switch
-- ARGV: id of this send, provider's name, '1' to repeat a send whose result nobody knows, sends per second,
--       parallel sends, ms after which a send in flight is given up
-- Answer: {'go'}; {'down', ms to wait}; {'busy', ms to wait}; {'gone'}: the job is not being sent any more;
--         {'taken'}: another worker sends it, or did so and died; {'killed'}: the kill switch is on
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local job = redis.call('HMGET', KEYS[1], 'state', 'provider', 'exp')
if job[1] ~= 'sending' then return {'gone'} end
if job[2] and not (ARGV[3] == '1' and job[2] == ARGV[2]) then return {'taken'} end
if redis.call('EXISTS', KEYS[5]) == 1 then return {'killed'} end

local fields = redis.call('HMGET', KEYS[2], 'open_until', 'probe_until', 'busy_until', 'tokens', 'tokens_at')
local open_until, probe_until, busy_until = tonumber(fields[1] or 0), tonumber(fields[2] or 0), tonumber(fields[3] or 0)
if now < open_until then return {'down', open_until - now} end
if now < probe_until then return {'down', probe_until - now} end -- Another job is the probe.
if now < busy_until then return {'busy', busy_until - now} end

-- A token bucket that holds one second's worth.
local rate = tonumber(ARGV[4])
local tokens = tonumber(fields[4] or rate) + (now - tonumber(fields[5] or now)) * rate / 1000
tokens = math.min(tokens, rate)
if tokens < 1 then return {'busy', math.ceil((1 - tokens) * 1000 / rate)} end

redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
-- One of them ends soon, but nobody knows when.
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[5]) then return {'busy', 50} end

local until_ms = now + tonumber(ARGV[6])
redis.call('ZADD', KEYS[3], until_ms, ARGV[1])
redis.call('PEXPIREAT', KEYS[3], until_ms)
redis.call('HSET', KEYS[2], 'tokens', tokens - 1, 'tokens_at', now)
if open_until > 0 then redis.call('HSET', KEYS[2], 'probe_until', until_ms) end
redis.call('PEXPIRE', KEYS[2], 604800000)
if job[2] then -- A repetition, whatever it brings, tells nothing of the text before it.
  redis.call('HSET', KEYS[1], 'outcome', 'uncertain')
else
  redis.call('HSET', KEYS[1], 'first_sent_at', now)
end
redis.call('HSET', KEYS[1], 'provider', ARGV[2], 'try', ARGV[1])
redis.call('SET', KEYS[4], KEYS[1], 'PXAT', job[3] + 86400000)
return {'go'}
