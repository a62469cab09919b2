-- RESERVE: check every limit, and if none refuses, charge them and keep the job as `pending`.
-- An older code of the mobile stays valid until COMMIT or CLAIM of this one.
-- windows.lua, trust.lua and limits.lua come first; the four files are one script.
-- KEYS: job, cooldown, sends of the mobile; sends of the address, and those of them without a right code; the same two
--       of the block, and of the network; sends of the mobile for this purpose since its last right code, sends that no
--       worker has claimed, wrong tries of the mobile, kill switch, what the block and the network were refused, the
--       time at which the country's alarm began
-- ARGV: JSON {job_id, country, is_home, country_counters, budget_counters, limits, fields}; the counters are prefixes
-- Answer: JSON {refused, wait_ms}, or {exp_ms, resend_ms, minute_used, day_used, country}, and warns_at if the day's
--       budget has reached that percentage for the first time; with both, alarm (is there one) and alarm_begins
local TOMBSTONE = 60000 -- How long a job that never finishes is kept after its expiry; FINISH keeps a job for a day.
if is_stranger and (is_pumping or not refused) then count_collision() end
if is_pumping then remember_refusal() end
local has_alarm = alarm_since ~= nil
if refused then
  return cjson.encode({refused = refused, wait_ms = longest, alarm = has_alarm, alarm_begins = alarm_begins})
end

local function keep_job(exp, send)
  local fields = {'state', 'pending', 'attempt', 0, 'tries', 0, 'reserved_at', now, 'exp', exp}
  local charged = {country = request.country, send = send, sends_log = address, unverified_log = unverified,
    sends_of_block = block, unverified_of_block = unverified_of_block, sends_of_network = network,
    unverified_of_network = unverified_of_network, minute = minute.key, day = day.key, country_minute = recent.key,
    country_hour = hours[24].key, country_day = country_day.key} -- ABORT, CHECK and the workers go by these.
  for _, more in ipairs({charged, request.fields}) do
    for name, value in pairs(more) do
      table.insert(fields, name)
      table.insert(fields, value)
    end
  end
  redis.call('HSET', job, unpack(fields))
  redis.call('PEXPIREAT', job, exp + TOMBSTONE)
end

local function charge_all(send)
  local intervals = limits.resend_intervals_seconds
  local interval = intervals[math.min(count(unanswered, DAY) + 1, #intervals)]
  redis.call('SET', cooldown, request.job_id, 'PX', interval * 1000)
  for i = 3, 11 do charge_log(KEYS[i], send) end
  charge_counter(minute, 2 * MINUTE)
  charge_counter(recent, 3 * MINUTE)
  charge_counter(day, 2 * DAY)
  charge_counter(hours[24], 25 * HOUR)
  charge_counter(country_day, 15 * DAY)
end

local function warning()
  local percent, warned = amount(day, 'sent') / limits.sends_per_day * 100, amount(day, 'warned')
  for _, step in ipairs({100, 80, 50}) do
    if percent >= step and warned < step then
      redis.call('HSET', day.key, 'warned', step)
      return step
    end
  end
end

local exp, send = now + limits.code_ttl_seconds * 1000, request.job_id .. ' ' .. request.country
keep_job(exp, send)
charge_all(send)
check_mobile() -- Once more, for the next request: its wait is part of the answer.
country.sent = country.sent + 1
return cjson.encode({exp_ms = exp, resend_ms = longest, minute_used = amount(minute, 'sent') / limits.sends_per_minute,
  day_used = amount(day, 'sent') / limits.sends_per_day, country = country, warns_at = warning(),
  alarm = has_alarm, alarm_begins = alarm_begins})
