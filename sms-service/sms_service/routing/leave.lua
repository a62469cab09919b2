-- LEAVE: a provider has answered. Learn from it for the next job.
-- KEYS: job, provider, the provider's sends under way
-- ARGV: id of this send, lesson (works, busy, fails, unusable), '1' if certainly nothing was texted,
--       ms that a busy provider asks for, failures in a row that open the breaker,
--       first ms of rest after failures, first ms of rest when unusable, longest ms of rest, ms until well again
-- Answer: {'', 0}, {'opened', ms of rest} or {'closed', ms it was down}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREM', KEYS[3], ARGV[1])
-- Nobody has been texted, so another provider may be asked, unless another worker repeats this send right now.
if ARGV[3] == '1' and redis.call('HGET', KEYS[1], 'try') == ARGV[1] then redis.call('HDEL', KEYS[1], 'provider') end

local lesson = ARGV[2]
local fields = redis.call('HMGET', KEYS[2], 'failures', 'open_until', 'rest_ms', 'down_since', 'health', 'health_at')
local open_until, down_since = tonumber(fields[2] or 0), tonumber(fields[4] or 0)

-- Health drifts back to 1 with time, and falls with every trouble.
local health = math.min(1, tonumber(fields[5] or 1) + (now - tonumber(fields[6] or now)) / tonumber(ARGV[9]))
if lesson ~= 'works' then health = health * 0.7 end
redis.call('HSET', KEYS[2], 'health', health, 'health_at', now)
redis.call('PEXPIRE', KEYS[2], 604800000)

if lesson == 'works' or lesson == 'busy' then -- Who says "later" is there.
  redis.call('HDEL', KEYS[2], 'failures', 'open_until', 'probe_until', 'rest_ms', 'down_since')
  if lesson == 'busy' then redis.call('HSET', KEYS[2], 'busy_until', now + tonumber(ARGV[4])) end
  if down_since > 0 then return {'closed', now - down_since} end
  return {'', 0}
end

local failures = tonumber(fields[1] or 0) + 1
redis.call('HSET', KEYS[2], 'failures', failures)
local was_probe = open_until > 0 and now >= open_until
if not was_probe and now < open_until then return {'', 0} end -- A send that began before the breaker opened.
if lesson == 'fails' and not was_probe and failures < tonumber(ARGV[5]) then return {'', 0} end
local first = tonumber(lesson == 'unusable' and ARGV[7] or ARGV[6])
local rest = math.min(tonumber(ARGV[8]), math.max(first, 2 * tonumber(fields[3] or 0)))
redis.call('HSET', KEYS[2], 'open_until', now + rest, 'rest_ms', rest, 'probe_until', 0)
redis.call('HSETNX', KEYS[2], 'down_since', now)
if down_since > 0 then return {'', 0} end
return {'opened', rest}
