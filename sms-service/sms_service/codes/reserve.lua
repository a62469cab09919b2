-- RESERVE: check and charge the cooldown and the limits, and keep the job as `pending`.
-- The pointer to an older code is left alone: that code works until COMMIT or CLAIM of this one.
-- KEYS: job, cooldown, sends of the mobile, sends of the address
-- ARGV: job id, code ttl ms, cooldown ms, limits (mobile hour, mobile day, address hour, address day), job fields…
-- Answer: {'reserved', exp ms} or {'refused', name of the limit, ms to wait}
local HOUR, DAY = 3600000, 86400000
local TOMBSTONE = 60000 -- What is kept of a job that never finishes; FINISH keeps the rest for a day.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local refusal, longest = nil, 0
local function wait_at_least(name, ms)
  if ms > longest then refusal, longest = name, ms end
end

-- With `limit` sends in the window, the next one may go when the oldest of those has left it.
local function check(name, key, window, limit)
  local since = '(' .. string.format('%.0f', now - window)
  local over = redis.call('ZCOUNT', key, since, '+inf') - tonumber(limit)
  if over >= 0 then
    local leaving = redis.call('ZRANGEBYSCORE', key, since, '+inf', 'WITHSCORES', 'LIMIT', over, 1)
    wait_at_least(name, leaving[2] + window - now)
  end
end

wait_at_least('resend_interval', redis.call('PTTL', KEYS[2]))
check('mobile_hour', KEYS[3], HOUR, ARGV[4])
check('mobile_day', KEYS[3], DAY, ARGV[5])
check('ip_hour', KEYS[4], HOUR, ARGV[6])
check('ip_day', KEYS[4], DAY, ARGV[7])
if refusal then return {'refused', refusal, longest} end

local exp = now + tonumber(ARGV[2])
redis.call('HSET', KEYS[1], 'state', 'pending', 'attempt', 0, 'tries', 0, 'reserved_at', now, 'exp', exp,
  unpack(ARGV, 8))
redis.call('PEXPIREAT', KEYS[1], exp + TOMBSTONE)
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
for _, key in ipairs({KEYS[3], KEYS[4]}) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - DAY)
  redis.call('ZADD', key, now, ARGV[1])
  redis.call('PEXPIRE', key, DAY)
end
return {'reserved', exp}
