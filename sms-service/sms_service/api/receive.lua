-- RECEIVE: record a delivery receipt once. It never makes a code valid. If the result of a send is unknown, a receipt
-- `delivered` proves that it was sent.
-- KEYS: mark of this receipt, reference from the provider's message id, reference from the job's id
-- ARGV: provider, status (underway, delivered, undelivered), the provider's own status code
-- Answer: {'taken', country, ms since the hand-over}, {'repeated'}, {'late'}: a final one came before,
--         or {'unknown'}: no such text, or not this provider's
local KEEP = 86400000
local job_key = redis.call('GET', KEYS[2]) or redis.call('GET', KEYS[3])
if not job_key then return {'unknown'} end
local job = redis.call('HMGET', job_key, 'state', 'provider', 'receipt', 'country', 'finished_at')
if not job[1] or job[2] ~= ARGV[1] then return {'unknown'} end
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', KEEP) then return {'repeated'} end
if job[3] == 'delivered' or job[3] == 'undelivered' then return {'late'} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', job_key, 'receipt', ARGV[2], 'receipt_code', ARGV[3])
local state = job[1]
if ARGV[2] == 'delivered' and (state == 'sending' or state == 'retry' or state == 'uncertain') then
  redis.call('HSET', job_key, 'state', 'sent', 'outcome', 'accepted', 'finished_at', now)
  redis.call('HDEL', job_key, 'mobile_sealed', 'code_sealed')
  redis.call('PEXPIREAT', job_key, redis.call('HGET', job_key, 'exp') + KEEP)
end
return {'taken', job[4] or '', now - (job[5] or now)}
