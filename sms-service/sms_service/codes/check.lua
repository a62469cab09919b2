-- CHECK: try one code. A right code is used up; a code with too many wrong tries becomes invalid.
-- Wrong tries of a mobile are also counted over all its codes: after every so many, all its codes are locked.
-- Digests are compared, not codes: a caller who cannot compute them learns nothing from the time this takes.
-- KEYS: current code (the job id of the valid one), job, wrong tries of the mobile,
--       sends of the mobile for this purpose since its last right code
-- ARGV: job id that the digest was made for, or empty; digest; subject; wrong tries per code, per lockout, and until
--       the lockout that an operator must end; ms of a lockout
-- Answer: {'right', country, provider}, {'wrong', tries left, whether a lockout starts}, {'none'}, {'locked', ms},
--         or {'moved'}: the valid code is that of another job by now
local YEAR = 31536000000 -- The last lockout ends, and wrong tries are forgotten, a year after the last one.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local locked_ms = (redis.call('HGET', KEYS[3], 'rests_until') or 0) - now
if locked_ms > 0 then return {'locked', locked_ms} end
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return {'moved'} end
local job = redis.call('HMGET', KEYS[2], 'state', 'exp', 'subject', 'code_digest', 'send', 'unverified_log',
  'unverified_of_block', 'unverified_of_network', 'country_minute', 'country_hour', 'country_day', 'country', 'provider',
  'is_settled')
local live = {accepted = true, sending = true, sent = true, uncertain = true, retry = true}
if not job[1] or not live[job[1]] or now >= tonumber(job[2]) or job[3] ~= ARGV[3] then return {'none'} end

local function use_up()
  redis.call('DEL', KEYS[1])
  redis.call('HDEL', KEYS[2], 'code_digest')
end

local function count_wrong_try()
  local wrong = redis.call('HINCRBY', KEYS[3], 'wrong', 1)
  redis.call('PEXPIRE', KEYS[3], YEAR)
  local lockout = 0
  if wrong >= tonumber(ARGV[6]) then lockout = YEAR elseif wrong % ARGV[5] == 0 then lockout = tonumber(ARGV[7]) end
  if lockout > 0 then redis.call('HSET', KEYS[3], 'rests_until', now + lockout) end
  return lockout > 0 and 1 or 0
end

if job[4] == ARGV[2] then
  use_up()
  redis.call('DEL', KEYS[3], KEYS[4])
  redis.call('HSET', KEYS[2], 'is_settled', 1)
  for i = 6, 8 do
    if job[i] then redis.call('ZREM', job[i], job[5]) end
  end
  for i = 9, 11 do
    local counts = job[i] and not job[14] and redis.call('EXISTS', job[i]) == 1
    if counts then redis.call('HINCRBY', job[i], 'verified', 1) end
  end
  return {'right', job[12], job[13] or 'none'}
end
local left = tonumber(ARGV[4]) - redis.call('HINCRBY', KEYS[2], 'tries', 1)
if left <= 0 then use_up() end
return {'wrong', left, count_wrong_try()}
