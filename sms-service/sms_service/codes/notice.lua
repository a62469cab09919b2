-- NOTICE: charge the limits of a notice and keep its job. A worker may claim the job as soon as it is on the queue:
-- a notice has no code, so nothing has to be committed. windows.lua comes first; the two files are one script.
-- KEYS: job, notices to the mobile, kill switch
-- ARGV: JSON {job_id, budget_counters, limits, fields}; the counters are a prefix
-- Answer: JSON {refused, wait_ms}, or {exp_ms}
local TOMBSTONE = 60000 -- As in RESERVE.
local job, notices, kill_switch = unpack(KEYS)
local request = cjson.decode(ARGV[1])
local limits = request.limits
local minute = window(request.budget_counters .. 'minute:', MINUTE)
local day = window(request.budget_counters .. 'day:', DAY)

local function refuse(limit, ms) return cjson.encode({refused = limit, wait_ms = ms}) end
if redis.call('EXISTS', kill_switch) == 1 then return refuse('kill_switch', 5 * MINUTE) end
local wait = wait_of(notices, DAY, limits.notices_per_mobile_per_day)
if wait > 0 then return refuse('notices_day', wait) end
if amount(minute, 'sent') >= limits.sends_per_minute then return refuse('sends_minute', minute.rest) end
if amount(day, 'sent') >= limits.sends_per_day then return refuse('sends_day', day.rest) end

local exp = now + limits.code_ttl_seconds * 1000
local fields = {'state', 'accepted', 'attempt', 0, 'reserved_at', now, 'exp', exp}
for name, value in pairs(request.fields) do
  table.insert(fields, name)
  table.insert(fields, value)
end
redis.call('HSET', job, unpack(fields))
redis.call('PEXPIREAT', job, exp + TOMBSTONE)
charge_log(notices, request.job_id)
charge_counter(minute, 2 * MINUTE)
charge_counter(day, 2 * DAY)
return cjson.encode({exp_ms = exp})
