-- CLAIM: one worker gets one attempt of a job; a second worker is refused, and the answer says why.
-- give_back.lua comes first; the two files are one script.
-- KEYS: job, sends that no worker has claimed
-- ARGV: job id, attempt of the message, least useful ms, claim window ms, prefix of the current codes
-- Answer: {reason}, {'handed_over', current attempt}, or for 'won' and 'sending':
--         {reason, purpose or notice, ms left, ms since the request, ms since the first send at the provider (-1: none
--          yet), mobile sealed, code sealed, language, country, provider that may have texted}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local job = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'purpose', 'exp', 'reserved_at', 'send', 'outcome', 'provider')
local state, attempt, purpose = job[1], tonumber(job[2]), job[3]
if not state then return {'gone'} end
if job[6] then redis.call('ZREM', KEYS[2], job[6]) end
local KEEP = 86400000
local exp, message_attempt = tonumber(job[4]), tonumber(ARGV[2])
local current_code = purpose and ARGV[5] .. purpose -- A notice has no purpose and no code.

local function with_data(reason)
  local data = redis.call('HMGET', KEYS[1], 'mobile_sealed', 'code_sealed', 'language', 'country', 'provider')
  local first = redis.call('HGET', KEYS[1], 'first_sent_at')
  local since_first = data[5] and first and now - first or -1
  -- An earlier version forgot the provider after a refusal of a repetition; then nobody may be asked.
  if job[7] == 'uncertain' and not data[5] then data[5] = 'unknown' end
  for i = 1, 5 do data[i] = data[i] or '' end
  return {reason, purpose or redis.call('HGET', KEYS[1], 'notice'), exp - now, now - job[5], since_first, unpack(data)}
end

-- Nobody sends this job any more. If it may have been texted, that is how it ends, and receipts find it for a day.
local function give_up(reason)
  local may_be_texted = job[7] == 'uncertain' or state == 'sending' and job[8]
  if may_be_texted then
    redis.call('HSET', KEYS[1], 'state', 'uncertain', 'outcome', 'uncertain', 'finished_at', now)
    redis.call('PEXPIREAT', KEYS[1], exp + KEEP)
  end
  if may_be_texted or reason == 'expired' then give_back(KEYS[1]) end
  if may_be_texted or reason == 'expired' then redis.call('HDEL', KEYS[1], 'mobile_sealed', 'code_sealed') end
  return {reason}
end

if state == 'aborted' then return {'aborted'} end
if state == 'sent' or state == 'failed' or state == 'uncertain' then return {'done'} end
-- An earlier worker finished this attempt and died before or after it put the next one on the queue.
if state == 'retry' and message_attempt + 1 == attempt then return {'handed_over', attempt} end
if message_attempt ~= attempt then return {'stale'} end
-- An earlier worker has claimed this attempt and not finished it; it may have died. The code is not texted again if it
-- was used, made invalid by wrong tries, or replaced by a newer one.
if state == 'sending' then
  if current_code and redis.call('GET', current_code) ~= ARGV[1] then return give_up('superseded') end
  return with_data('sending')
end

if exp - now < tonumber(ARGV[3]) then return give_up('expired') end
if state == 'pending' then
  if now - job[5] > tonumber(ARGV[4]) then
    redis.call('HSET', KEYS[1], 'state', 'aborted') -- So that a later COMMIT cannot make the code valid.
    redis.call('HDEL', KEYS[1], 'mobile_sealed', 'code_sealed', 'code_digest')
    give_back(KEYS[1])
    return {'late'}
  end
elseif current_code then
  local current = redis.call('GET', current_code)
  if not current then return give_up('spent') end -- Used, or made invalid by wrong tries.
  if current ~= ARGV[1] then return give_up('superseded') end -- A newer code is the valid one.
end
redis.call('HSET', KEYS[1], 'state', 'sending')
-- After refusals alone any provider may be asked; once a result was unknown, only that one, with the same key.
if job[7] ~= 'uncertain' then redis.call('HDEL', KEYS[1], 'provider') end
if current_code then redis.call('SET', current_code, ARGV[1], 'PXAT', exp) end
return with_data('won')
