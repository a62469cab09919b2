-- FINISH: write down how an attempt ended. Only the worker of the current attempt may do so; but `sent` is a fact, so
-- it is written down even if it comes late.
-- give_back.lua comes first; the two files are one script.
-- KEYS: job, reference from the provider's message id
-- ARGV: job id, attempt, new state (sent, failed, retry, uncertain), '1' to let the user request a code again at once,
--       prefixes of the current codes, the cooldowns and the unanswered sends, provider, provider's message id, outcome
-- Answer: 'finished'; or the state that stays, `uncertain` in place of `failed` too; or 'gone'
-- The outcome `uncertain` stays for all later attempts: a refusal of a repetition says nothing of the first text. So such
-- a job cannot fail, only its provider may be asked again, and its code stays valid.
local KEEP = 86400000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local job = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'purpose', 'exp', 'send', 'outcome', 'provider')
local state, purpose = job[1], job[3]
if not state then return 'gone' end
local finish = ARGV[3]
local is_current = state == 'sending' and job[2] == ARGV[2]
local is_late_fact = finish == 'sent' and (state == 'sending' or state == 'retry' or state == 'uncertain')
if not is_current and not is_late_fact then return state end

local provider, outcome = ARGV[8], ARGV[10]
if job[6] == 'uncertain' and finish ~= 'sent' then
  if finish == 'failed' then finish = 'uncertain' end
  provider, outcome = job[7] or provider, 'uncertain'
end
redis.call('HSET', KEYS[1], 'state', finish, 'provider', provider, 'outcome', outcome, 'finished_at', now)
if ARGV[9] ~= '' then redis.call('SET', KEYS[2], KEYS[1], 'PXAT', job[4] + KEEP) end
if finish == 'retry' then
  redis.call('HINCRBY', KEYS[1], 'attempt', 1)
  return 'finished'
end
redis.call('HDEL', KEYS[1], 'mobile_sealed', 'code_sealed')
redis.call('PEXPIREAT', KEYS[1], job[4] + KEEP)
if finish ~= 'sent' then give_back(KEYS[1]) end
if finish == 'failed' and purpose then -- A notice has neither code nor cooldown.
  local current_code, cooldown = ARGV[5] .. purpose, ARGV[6] .. purpose
  if redis.call('GET', current_code) == ARGV[1] then redis.call('DEL', current_code) end
  if ARGV[4] == '1' then
    if redis.call('GET', cooldown) == ARGV[1] then redis.call('DEL', cooldown) end
    if job[5] then redis.call('ZREM', ARGV[7] .. purpose, job[5]) end -- So that the next wait is no longer.
  end
end
return finish == ARGV[3] and 'finished' or finish
