-- RECORD: a provider has answered, or has failed to. Write down what this means for the next job.
-- KEYS: job, provider, the provider's sends in flight
-- ARGV: id of this send, signal (works, busy, fails, unusable), outcome, '1' if this send certainly texted nobody,
--       ms that a busy provider asks for, failures in a row that open the breaker, ms for which the breaker first opens
--       after failures, the same when the provider is unusable, longest ms that it opens, ms of the window of health
-- Answer: {'', 0}, {'opened', ms} or {'closed', ms it was down}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREM', KEYS[3], ARGV[1])
-- Nobody was texted, so another provider may be asked, unless another worker repeats this send right now, or nobody
-- knows what became of an earlier one. An unknown result is written down at once, for the worker may die before FINISH.
local job = redis.call('HMGET', KEYS[1], 'state', 'try', 'outcome')
if job[1] == 'sending' and job[2] == ARGV[1] then
  if ARGV[3] == 'uncertain' then redis.call('HSET', KEYS[1], 'outcome', 'uncertain') end
  if ARGV[4] == '1' and job[3] ~= 'uncertain' then redis.call('HDEL', KEYS[1], 'provider') end
end

local signal = ARGV[2]
local fields = redis.call('HMGET', KEYS[2], 'failures', 'open_until', 'rest_ms', 'down_since')
local open_until, down_since = tonumber(fields[2] or 0), tonumber(fields[4] or 0)

-- Health is computed by who reads it, from the attempts and failures of the running window and of the one before.
local length = tonumber(ARGV[10])
local since = tonumber(redis.call('HGET', KEYS[2], 'health_since') or 0)
if now - since >= 2 * length then
  redis.call('HSET', KEYS[2], 'health_since', now, 'attempts', 0, 'failed', 0, 'attempts_before', 0, 'failed_before', 0)
elseif now - since >= length then
  local last = redis.call('HMGET', KEYS[2], 'attempts', 'failed')
  redis.call('HSET', KEYS[2], 'health_since', since + length, 'attempts', 0, 'failed', 0,
    'attempts_before', last[1], 'failed_before', last[2])
end
redis.call('HINCRBY', KEYS[2], 'attempts', 1)
if signal ~= 'works' then redis.call('HINCRBY', KEYS[2], 'failed', 1) end
redis.call('PEXPIRE', KEYS[2], 604800000)

if signal == 'works' or signal == 'busy' then -- A provider that says "later" works.
  redis.call('HDEL', KEYS[2], 'failures', 'open_until', 'probe_until', 'rest_ms', 'down_since')
  if signal == 'busy' then redis.call('HSET', KEYS[2], 'busy_until', now + tonumber(ARGV[5])) end
  if down_since > 0 then return {'closed', now - down_since} end
  return {'', 0}
end

local failures = tonumber(fields[1] or 0) + 1
redis.call('HSET', KEYS[2], 'failures', failures)
local was_probe = open_until > 0 and now >= open_until
if now < open_until then return {'', 0} end -- A send that began before the breaker opened.
if signal == 'fails' and not was_probe and failures < tonumber(ARGV[6]) then return {'', 0} end
local first = tonumber(signal == 'unusable' and ARGV[8] or ARGV[7])
local open_ms = math.min(tonumber(ARGV[9]), math.max(first, 2 * tonumber(fields[3] or 0)))
redis.call('HSET', KEYS[2], 'open_until', now + open_ms, 'rest_ms', open_ms, 'probe_until', 0)
redis.call('HSETNX', KEYS[2], 'down_since', now)
if down_since > 0 then return {'', 0} end
return {'opened', open_ms}
