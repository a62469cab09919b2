-- The counters of attempts. Each operation (ARGV[1]) is one atomic step, so that two parallel attempts never both take
-- the last place of a bucket.
--
-- charge          KEYS are buckets. Charges all of them or none, and answers the milliseconds to wait: 0 if the attempt
--                 may go on, -1 if it needs a captcha.
--                 ARGV[2] is 1 if a bucket may ask for a captcha. ARGV[3] is not used.
--                 ARGV[3 * i + 1] to ARGV[3 * i + 3] are the numbers of bucket i: its size, its milliseconds, and the
--                 attempts after which it asks for a captcha.
-- charge_login    KEYS are buckets, and last the failures in a row of an account. Charges as above. If that succeeds
--                 and there are fewer failures than ARGV[3], it counts the attempt as a failure at once.
--                 Answers the milliseconds to wait, the failures before, and 1 if the attempt was counted.
-- count_failure   KEYS[1] are the failures in a row. Counts one more, and answers how many there are.
-- refund          KEYS are buckets. Gives one attempt back to each.
-- refund_login    KEYS as in charge_login. Gives the attempt back, and forgets the failures in a row.
-- withdraw_login  KEYS as in charge_login. Gives the attempt back, and takes this one from the failures in a row.

local function charge(buckets)
  local wait, needs_captcha = 0, false
  for i = 1, buckets do
    local used = tonumber(redis.call('GET', KEYS[i]) or '0')
    if used >= tonumber(ARGV[3 * i + 1]) then wait = math.max(wait, redis.call('PTTL', KEYS[i]), 1) end
    if used >= tonumber(ARGV[3 * i + 3]) then needs_captcha = true end
  end
  if wait > 0 then return wait end
  if needs_captcha and ARGV[2] == '1' then return -1 end
  for i = 1, buckets do
    if redis.call('INCR', KEYS[i]) == 1 then redis.call('PEXPIRE', KEYS[i], ARGV[3 * i + 2]) end
  end
  return 0
end

local function refund(buckets)
  for i = 1, buckets do
    if tonumber(redis.call('GET', KEYS[i]) or '0') > 0 then redis.call('DECR', KEYS[i]) end
  end
end

-- Failures in a row are forgotten after as many days without a failure as there are failures, at most 30. An attacker
-- who tries one password for each of a million mobiles fills Redis for one day only, and an attacker who waits until
-- the failures are forgotten gets about one guess a day.
local function remember(key, failures)
  redis.call('EXPIRE', key, math.min(failures, 30) * 86400)
  return failures
end

local function count_failure(key)
  return remember(key, redis.call('INCR', key))
end

local function withdraw_failure(key)
  local failures = tonumber(redis.call('GET', key) or '0')
  if failures <= 1 then return redis.call('DEL', key) end
  return remember(key, redis.call('DECR', key))
end

local operation, last = ARGV[1], #KEYS
if operation == 'charge' then return charge(last) end
if operation == 'refund' then return refund(last) end
if operation == 'count_failure' then return count_failure(KEYS[1]) end
if operation == 'refund_login' then
  refund(last - 1)
  return redis.call('DEL', KEYS[last])
end
if operation == 'withdraw_login' then
  refund(last - 1)
  return withdraw_failure(KEYS[last])
end
local wait = charge(last - 1)
local failures = tonumber(redis.call('GET', KEYS[last]) or '0')
if wait ~= 0 or failures >= tonumber(ARGV[3]) then return {wait, failures, 0} end
count_failure(KEYS[last])
return {wait, failures, 1}
